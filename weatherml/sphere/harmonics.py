"""Spherical harmonics on grids: Legendre functions, quadrature, to coefficients and back, and power by scale.

Harmonics are orthonormal on the unit sphere, without the Condon-Shortley sign, triangularly truncated.
"""

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from weatherml.errors import UserError
from weatherml.grid import LatLonGrid, gaussian_latitude

EARTH_RADIUS = 6371.0
"""Mean radius of the Earth, km."""

# Grids hold latitudes to 1e-4 degree, files in float32: far less than the spacing of any grid, which tells kinds apart.
_TOLERANCE = 1e-3
_TABLE_BYTES = 2**24  # of Legendre functions at once


def legendre_functions(highest: int, sine: np.ndarray, first: int = 0, last: int | None = None) -> np.ndarray:
    """Return orthonormal associated Legendre functions, float64 `[order, degree, lat]`, zero where degree < order.

    The squares of `sqrt(2) P cos(m lon)`, `sqrt(2) P sin(m lon)` and, for order 0, `P` integrate to 1 over the sphere.
    The recursion in degree at fixed order is stable (Holmes & Featherstone 2002).

    Args:
        highest: Highest degree.
        sine: Sine of latitude `[lat]`.
        first: Lowest order.
        last: Highest order; `highest` when None.
    """
    n_orders = (highest if last is None else last) + 1 - first
    table = np.zeros((n_orders, highest + 1, len(sine)))
    sectoral, cosine = np.full(len(sine), math.sqrt(1 / (4 * math.pi))), np.sqrt(1 - sine**2)
    for order in range(first + n_orders):
        if order:
            sectoral = math.sqrt((2 * order + 1) / (2 * order)) * cosine * sectoral
        if order >= first:
            table[order - first, order] = sectoral
    for degree in range(first + 1, highest + 1):
        n_own = min(degree - first, n_orders)
        orders = first + np.arange(n_own)[:, None]
        rise = np.sqrt((4 * degree**2 - 1) / (degree**2 - orders**2))
        fall = np.sqrt(((degree - 1) ** 2 - orders**2) / (4 * (degree - 1) ** 2 - 1))  # zero at degree = order + 1
        table[:n_own, degree] = rise * (sine * table[:n_own, degree - 1] - fall * table[:n_own, degree - 2])
    return table


@dataclass(frozen=True)
class Quadrature:
    """Rows of a grid, exactly where they are meant to be.

    Attributes:
        colatitude: Radians, rising `[lat]`.
        weights: Sum to two; integrate every polynomial in `sine` of a degree below the number of rows `[lat]`.
        is_gaussian: Whether they do so up to twice that degree.
    """

    colatitude: np.ndarray
    weights: np.ndarray
    is_gaussian: bool

    @property
    def sine(self) -> np.ndarray:
        """Sine of latitude, falling `[lat]`."""
        sine: np.ndarray = np.cos(self.colatitude)
        return sine


@functools.cache
def quadrature(grid: LatLonGrid) -> Quadrature:
    """Return how to integrate over the latitudes of a grid.

    Raises:
        UserError: The grid is not global, or neither Gaussian nor equally spaced.
    """
    for is_gaussian, colatitude in _kinds_of_rows(grid.n_lat):
        if grid.is_global and np.allclose(grid.latitude, 90 - np.degrees(colatitude), rtol=0, atol=_TOLERANCE):
            moments = np.zeros(grid.n_lat)
            moments[0] = 2
            # The integrals of Legendre polynomials over -1 .. 1: of the first it is two, of all others zero.
            legendre = np.polynomial.legendre.legvander(np.cos(colatitude), grid.n_lat - 1)
            return Quadrature(colatitude, np.linalg.solve(legendre.T, moments), is_gaussian)
    rows = ", ".join(f"{latitude:g}" for latitude in grid.latitude[:3])
    raise UserError(
        f"latitudes {rows} .. {grid.latitude[-1]:g} ({grid.n_lat} rows, {grid.n_lon} columns) are no global Gaussian or"
        " equally spaced grid; choose what needs no spherical harmonics, such as the model fourcastnet or the metric"
        " zonal_spectrum"
    )


def exact_degree(grid: LatLonGrid) -> int:
    """Return the highest degree whose harmonics quadrature tells apart exactly on a grid.

    It must be exact for products of two of them: that of n Gaussian rows is to degree 2n - 1, that of equally spaced
    ones to n - 1.

    Raises:
        UserError: As `quadrature`.
    """
    degree = grid.n_lat - 1 if quadrature(grid).is_gaussian else (grid.n_lat - 1) // 2
    return min(degree, (grid.n_lon - 1) // 2)


def highest_degree(grid: LatLonGrid) -> int:
    """Return the highest degree of `power_by_degree`: as many as rows, and half as many as columns, tell apart.

    Raises:
        UserError: As `quadrature`.
    """
    return min(grid.n_lat - 1 - _has_poles(grid), (grid.n_lon - 1) // 2)


def power_by_degree(field: np.ndarray, grid: LatLonGrid) -> np.ndarray:
    """Return how much each degree of spherical harmonics adds to the mean square over the sphere.

    Exact for fields of harmonics up to `highest_degree`, of equally spaced rows, too: each order's profile is a
    polynomial in the cosine of latitude, odd or even, which is first evaluated at Gaussian rows (as in Swarztrauber
    1993, doi:10.1175/1520-0493(1993)121<3411:TVHTFG>2.0.CO;2). The sum over degrees is the mean square of such a field.

    Args:
        field: `[..., lat, lon]`, finite.
        grid: Global.

    Returns:
        float64 `[..., degree]`, squared units of the field.

    Raises:
        UserError: As `quadrature`.
    """
    highest = highest_degree(grid)
    rows, profiles = _profiles(field, grid, highest)
    coefficients = np.moveaxis(_projected(rows, profiles, highest), 2, 0)  # [real and imaginary parts, order, degree]
    twice = np.where(np.arange(highest + 1), 2, 1)[:, None]  # orders above zero, for their conjugates
    real, imaginary = np.split((twice * coefficients**2).sum(axis=1) / (4 * np.pi), 2)
    return np.asarray((real + imaginary).reshape(*field.shape[:-2], highest + 1))


def analyse(field: np.ndarray, grid: LatLonGrid, highest: int | None = None) -> np.ndarray:
    """Return the coefficients of spherical harmonics of a field, exact as `power_by_degree`.

    Args:
        field: `[..., lat, lon]`; where a value is NaN, so are all coefficients of its field.
        grid: Global.
        highest: Degree at which they end; `highest_degree` when None.

    Returns:
        complex128 `[..., order, degree]`, units of the field, zero where degree < order. The field is the real part of
        their sum times `P exp(i m lon)`, in which orders above zero count twice.

    Raises:
        UserError: As `quadrature`, or `highest` is more than the grid tells apart.
    """
    highest = _require_degree(grid, highest)
    rows, profiles = _profiles(field, grid, highest)
    return _as_complex(_projected(rows, profiles, highest), field.shape[:-2])


def synthesise(coefficients: np.ndarray, grid: LatLonGrid) -> np.ndarray:
    """Return the field of coefficients at the points of a grid, float64 `[..., lat, lon]`.

    Args:
        coefficients: As `analyse` returns them, of the same grid or another.
        grid: Columns close the circle, at least two for each order.

    Raises:
        UserError: The grid is coarser than the coefficients, or of a region.
    """
    highest, sine = coefficients.shape[-1] - 1, np.sin(np.radians(grid.latitude))
    if not grid.is_cyclic or grid.n_lon <= 2 * highest:
        raise UserError(
            f"{grid.n_lon} columns from {grid.longitude[0]:g} to {grid.longitude[-1]:g} degrees east do not hold waves"
            f" up to number {highest}; choose a global grid of {2 * highest + 1} columns or more"
        )
    leading = coefficients.shape[:-2]
    columns = np.moveaxis(coefficients.reshape(-1, highest + 1, highest + 1), 0, 2)  # [order, degree, field]
    waves = np.empty((highest + 1, grid.n_lat, columns.shape[-1]), np.complex128)
    for first, last, functions in _functions_by_orders(highest, sine):
        waves[first : last + 1] = np.swapaxes(functions, 1, 2) @ columns[first : last + 1, first:]
    waves *= np.exp(1j * np.arange(highest + 1) * np.radians(grid.longitude[0]))[:, None, None]
    spread = np.fft.irfft(np.moveaxis(waves, (0, 1), (2, 1)), grid.n_lon, axis=-1) * grid.n_lon
    return np.asarray(spread.reshape(*leading, *grid.shape))


def analyse_wind(u: np.ndarray, v: np.ndarray, grid: LatLonGrid) -> tuple[np.ndarray, np.ndarray]:
    """Return the coefficients of the relative vorticity and of the divergence of a wind, as `analyse`, s-1.

    Derivatives are taken of the harmonics, so there are none of differences, also at the poles. By parts, as spectral
    models have it: `(1 / a) sum of w (i m v P + u H) / cos(lat)` is vorticity, where `H = cos2(lat) dP / d sin(lat)`.

    Args:
        u: Eastward wind `[..., lat, lon]`, m s-1.
        v: Northward wind, alike.
        grid: Global.

    Raises:
        UserError: As `quadrature`.
    """
    highest = highest_degree(grid)
    rows, east = _profiles(u, grid, highest, is_wind=True)
    _, north = _profiles(v, grid, highest, is_wind=True)
    vorticity, divergence = (np.zeros((highest + 1, highest + 1, east.shape[-1])) for _ in range(2))
    scale = rows.weights / (np.sqrt(1 - rows.sine**2) * EARTH_RADIUS * 1e3)
    for first, last, functions in _functions_by_orders(highest, rows.sine, n_more=1):
        own = slice(first, last + 1)
        slopes = _slopes(functions, first) * scale
        waves = np.arange(first, last + 1)[:, None, None] * functions[:, :-1] * scale
        vorticity[own, first:] = waves @ _times_i(north[own]) + slopes @ east[own]
        divergence[own, first:] = waves @ _times_i(east[own]) - slopes @ north[own]
    return _as_complex(vorticity, u.shape[:-2]), _as_complex(divergence, u.shape[:-2])


def _require_degree(grid: LatLonGrid, highest: int | None) -> int:
    most = highest_degree(grid)
    if highest is not None and highest > most:
        raise UserError(
            f"{grid.n_lat} rows and {grid.n_lon} columns tell harmonics apart up to degree {most}, {highest} was asked"
            f" for; end at {most}, or take a finer grid"
        )
    return most if highest is None else highest


def _profiles(
    field: np.ndarray, grid: LatLonGrid, highest: int, is_wind: bool = False
) -> tuple[Quadrature, np.ndarray]:
    """Return Gaussian rows, and there the waves along rows up to an order.

    Args:
        field: `[..., lat, lon]`.
        grid: Global.
        highest: Order.
        is_wind: Whether it is a component of a vector, whose sign changes across the poles.

    Returns:
        Waves `[order, lat, field]`, real parts of all fields and then imaginary ones.
    """
    rows = quadrature(grid)
    gaussian = rows if rows.is_gaussian else quadrature(LatLonGrid.gaussian(grid.n_lat, grid.n_lon))
    waves = np.fft.rfft(field.astype(np.float64), axis=-1)[..., : highest + 1] * (2 * np.pi / grid.n_lon)
    waves *= np.exp(-1j * np.arange(highest + 1) * np.radians(grid.longitude[0]))
    profiles = np.moveaxis(waves.reshape(-1, grid.n_lat, highest + 1), (2, 1), (0, 1))
    profiles = np.concatenate([profiles.real, profiles.imag], axis=-1)
    if not rows.is_gaussian:
        profiles[0::2] = _at_gaussian_rows(grid, odd=is_wind) @ profiles[0::2]
        profiles[1::2] = _at_gaussian_rows(grid, odd=not is_wind) @ profiles[1::2]
    return gaussian, profiles


def _projected(rows: Quadrature, profiles: np.ndarray, highest: int) -> np.ndarray:
    """Return coefficients `[order, degree, field]` of waves along Gaussian rows `[order, lat, field]`."""
    coefficients = np.zeros((highest + 1, highest + 1, profiles.shape[-1]))
    for first, last, functions in _functions_by_orders(highest, rows.sine):
        coefficients[first : last + 1, first:] = (functions * rows.weights) @ profiles[first : last + 1]
    return coefficients


def _functions_by_orders(highest: int, sine: np.ndarray, n_more: int = 0) -> Iterator[tuple[int, int, np.ndarray]]:
    """Give Legendre functions of a few orders at once, all orders one after the other.

    Yields:
        First and last order, and functions `[order, degree, lat]` of degrees from the first order on, to so many more
        than the highest.
    """
    n_each = max(1, _TABLE_BYTES // (8 * (highest + 1) * len(sine)))
    if n_each > highest:
        yield 0, highest, _kept_functions(highest + n_more, sine.tobytes(), highest)
        return
    for first in range(0, highest + 1, n_each):
        last = min(first + n_each - 1, highest)
        yield first, last, legendre_functions(highest + n_more, sine, first, last)[:, first:]


@functools.lru_cache(maxsize=4)
def _kept_functions(highest: int, sine: bytes, last: int) -> np.ndarray:
    """Return all functions of a grid that is so coarse that they are one table: field after field asks for them."""
    table = legendre_functions(highest, np.frombuffer(sine), 0, last)
    table.flags.writeable = False
    return table


def _slopes(functions: np.ndarray, first: int) -> np.ndarray:
    """Return `cos2(lat) dP / d sin(lat)` of Legendre functions `[order, degree, lat]`, up to one degree less.

    Args:
        functions: Of orders and degrees from `first` on.
        first: Lowest order and degree.
    """
    orders = first + np.arange(functions.shape[0])[:, None, None]
    degrees = first + np.arange(functions.shape[1])[:, None]
    factor = np.sqrt(np.maximum(degrees**2 - orders**2, 0) / (4 * degrees**2 - 1.0))
    slopes = -degrees[:-1] * factor[:, 1:] * functions[:, 1:]
    slopes[:, 1:] += (degrees[1:-1] + 1) * factor[:, 1:-1] * functions[:, :-2]
    return np.asarray(slopes)


def _times_i(parts: np.ndarray) -> np.ndarray:
    """Return the real and imaginary parts, along the last axis, of i times what these are the parts of."""
    real, imaginary = np.split(parts, 2, axis=-1)
    return np.concatenate([-imaginary, real], axis=-1)


def _as_complex(coefficients: np.ndarray, leading: tuple[int, ...]) -> np.ndarray:
    """Return complex `[..., order, degree]` of real `[order, degree, field]`, real parts before imaginary ones."""
    real, imaginary = np.split(np.moveaxis(coefficients, 2, 0), 2)
    return np.asarray((real + 1j * imaginary).reshape(*leading, *coefficients.shape[:2]))


@functools.cache
def _at_gaussian_rows(grid: LatLonGrid, odd: bool) -> np.ndarray:
    """Return what takes a profile from equally spaced rows to Gaussian ones, `[lat, lat]`.

    Args:
        grid: Equally spaced.
        odd: Whether the profile is a sum of sines of colatitude, as those of odd orders; else of cosines.
    """
    wave = np.sin if odd else np.cos
    numbers = np.arange(grid.n_lat - 2 * _has_poles(grid)) + 1 if odd else np.arange(grid.n_lat)
    own, wanted = (
        wave(np.outer(rows, numbers))
        for rows in (quadrature(grid).colatitude, np.pi / 2 - np.radians(gaussian_latitude(grid.n_lat)))
    )
    matrix: np.ndarray = wanted @ np.linalg.pinv(own)
    return matrix


def _has_poles(grid: LatLonGrid) -> bool:
    """Return whether the outermost rows are the poles, where odd orders are nothing."""
    return math.isclose(quadrature(grid).colatitude[0], 0, abs_tol=1e-9)


def _kinds_of_rows(n_lat: int) -> Iterator[tuple[bool, np.ndarray]]:
    """Give (whether Gaussian, colatitudes in radians): Gauss, Clenshaw-Curtis, and Fejer's first and second rule."""
    yield True, np.arccos(np.polynomial.legendre.leggauss(n_lat)[0][::-1])
    yield False, np.linspace(0, np.pi, n_lat)
    yield False, (np.arange(n_lat) + 0.5) * np.pi / n_lat
    yield False, np.arange(1, n_lat + 1) * np.pi / (n_lat + 1)
