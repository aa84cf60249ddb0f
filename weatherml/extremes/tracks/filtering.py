"""What storms are tracked in: fields without the planetary waves and the smallest ones, and the rotation of winds.

Trackers of the kind of Hodges' TRACK take total wavenumbers 5 to 42 of pressure or vorticity (doi:10.1175/
1520-0442(2003)016<1467:ACOEAU>2.0.CO;2): below lies the mean flow that storms are carried in, beyond what two analyses
do not agree about.
"""

import math
from dataclasses import dataclass

import numpy as np
import xarray as xr

from weatherml import sphere
from weatherml.errors import UserError
from weatherml.grid import LatLonGrid

_PLACES = ["latitude", "longitude"]


@dataclass(frozen=True)
class Band:
    """Total wavenumbers of spherical harmonics, and how much of each is kept.

    Attributes:
        first: The lowest that is kept.
        last: The highest.
        kept: What is left of the highest. Below 1, all are damped by `exp(-K (n (n + 1))^2)`, which leaves fewer
            ripples around sharp features (Sardeshmukh & Hoskins 1984,
            doi:10.1175/1520-0493(1984)112<2524:SSOTS>2.0.CO;2); TRACK has 0.1.

    Raises:
        UserError: There is no wavenumber in it, or `kept` is no share.
    """

    first: int = 5
    last: int = 42
    kept: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.first <= self.last:
            raise UserError(f"a band of wavenumbers {self.first} to {self.last} is empty; write Band(5, 42)")
        if not 0 < self.kept <= 1:
            raise UserError(f"kept={self.kept} of the highest wavenumber is no share; write 0.1 to taper, 1 to cut")

    def weights(self) -> np.ndarray:
        """Return what each degree is multiplied by `[degree]`, up to the last."""
        degree = np.arange(self.last + 1)
        steepness = -math.log(self.kept) / max(self.last * (self.last + 1), 1) ** 2
        return np.where(degree < self.first, 0.0, np.exp(-steepness * (degree * (degree + 1)) ** 2))


T5_42 = Band(5, 42)
"""Cut at both ends."""
T5_42_TAPERED = Band(5, 42, kept=0.1)
"""As TRACK tapers it."""


def band_passed(field: xr.DataArray, band: Band = T5_42) -> xr.DataArray:
    """Return the waves of a field in a band of total wavenumbers, block by block where the field is lazy.

    Args:
        field: Dims (..., latitude, longitude), global; a time with a NaN anywhere is NaN everywhere.
        band: Which wavenumbers.

    Returns:
        As the field, float32, in its units, by the name of its channel and `_anomaly`: `vorticity_850_anomaly`.

    Raises:
        UserError: The grid is of a region or of another kind, or too coarse for the band.
    """
    grid = LatLonGrid.from_dataset(field)
    highest = sphere.highest_degree(grid)
    if band.last > highest:
        raise UserError(
            f"{grid.n_lat} rows and {grid.n_lon} columns hold wavenumbers up to {highest}, the band ends at"
            f" {band.last}; end it there, Band({min(band.first, highest)}, {highest}), or take a finer grid"
        )
    passed: xr.DataArray = xr.apply_ufunc(
        lambda values: _pass_values(values, grid, band),
        _whole(field),
        input_core_dims=[_PLACES],
        output_core_dims=[_PLACES],
        dask="parallelized",
        output_dtypes=[np.float32],
        keep_attrs=True,
    )
    level = f"_{int(field['level'])}" if "level" in field.coords and not field["level"].ndim else ""
    told = passed.assign_attrs(wavenumbers=f"{band.first} to {band.last}, of the last {band.kept:g} kept")
    return told.rename(f"{field.name}{level}_anomaly" if field.name else None)


def rotation(u: xr.DataArray, v: xr.DataArray) -> xr.Dataset:
    """Return relative vorticity and divergence of a wind by spherical harmonics, block by block where it is lazy.

    Args:
        u: Eastward wind, dims (..., latitude, longitude), global, m s-1.
        v: Northward wind, alike.

    Returns:
        `vorticity` and `divergence`, s-1, float32.

    Raises:
        UserError: The grid is of a region or of another kind.
    """
    grid = LatLonGrid.from_dataset(u)
    sphere.quadrature(grid)
    vorticity, divergence = xr.apply_ufunc(
        lambda east, north: tuple(
            sphere.synthesise(each, grid).astype(np.float32) for each in sphere.analyse_wind(east, north, grid)
        ),
        _whole(u),
        _whole(v),
        input_core_dims=[_PLACES, _PLACES],
        output_core_dims=[_PLACES, _PLACES],
        dask="parallelized",
        output_dtypes=[np.float32, np.float32],
    )
    fields = {"vorticity": vorticity, "divergence": divergence}
    return xr.Dataset({name: field.assign_attrs(units="s-1") for name, field in fields.items()})


def _pass_values(values: np.ndarray, grid: LatLonGrid, band: Band) -> np.ndarray:
    """Return the band of `[..., lat, lon]`, a few fields at once: coefficients take double precision."""
    flat, weights = values.reshape(-1, *grid.shape), band.weights()
    passed = np.empty(flat.shape, np.float32)
    n_each = max(1, _BYTES // (flat[:1].size * 8))
    for first in range(0, len(flat), n_each):
        own = slice(first, first + n_each)
        passed[own] = sphere.synthesise(sphere.analyse(flat[own], grid, band.last) * weights, grid)
    return passed.reshape(values.shape)


_BYTES = 2**25
"""Of fields in double precision that are filtered at once."""


def _whole(field: xr.DataArray) -> xr.DataArray:
    """Return a lazy field in blocks that hold whole globes."""
    return field.chunk(dict.fromkeys(_PLACES, -1)) if field.chunks else field
