"""Vorticity, divergence and geostrophic wind on a latitude-longitude grid, as far as judging needs them."""

import numpy as np

from weatherml.grid import LatLonGrid

RADIUS = 6.371e6
"""Of the Earth, m."""
_TURNING = 7.292e-5
"""Of the Earth, s-1."""


def eastward(field: np.ndarray, grid: LatLonGrid) -> np.ndarray:
    """Return the derivative along rows `[..., lat, lon]` in 1/m, central; NaN at the edges of a region."""
    spacing = np.radians(np.median(np.diff(grid.longitude))) if grid.n_lon > 1 else np.nan
    change = np.roll(field, -1, -1) - np.roll(field, 1, -1)
    if not grid.is_cyclic:
        change[..., [0, -1]] = np.nan
    result: np.ndarray = change / (2 * spacing * RADIUS * _cosine(grid))
    return result


def northward(field: np.ndarray, grid: LatLonGrid) -> np.ndarray:
    """Return the derivative along columns `[..., lat, lon]` in 1/m, central; NaN in the outermost rows."""
    latitude = np.radians(grid.latitude)
    result = np.full(field.shape, np.nan)
    result[..., 1:-1, :] = (field[..., 2:, :] - field[..., :-2, :]) / (RADIUS * (latitude[2:] - latitude[:-2])[:, None])
    return result


def vorticity(u: np.ndarray, v: np.ndarray, grid: LatLonGrid) -> np.ndarray:
    """Return the relative vorticity of a wind `[..., lat, lon]`, s-1."""
    cosine = _cosine(grid)
    result: np.ndarray = eastward(v, grid) - northward(u * cosine, grid) / cosine
    return result


def divergence(u: np.ndarray, v: np.ndarray, grid: LatLonGrid) -> np.ndarray:
    """Return the divergence of a wind `[..., lat, lon]`, s-1."""
    cosine = _cosine(grid)
    result: np.ndarray = eastward(u, grid) + northward(v * cosine, grid) / cosine
    return result


def geostrophic(geopotential: np.ndarray, grid: LatLonGrid) -> tuple[np.ndarray, np.ndarray]:
    """Return the eastward and the northward wind in balance with a geopotential `[..., lat, lon]`, m s-1."""
    coriolis = 2 * _TURNING * np.sin(np.radians(grid.latitude))[:, None]
    coriolis = np.where(np.abs(coriolis) < 1e-5, np.nan, coriolis)
    return -northward(geopotential, grid) / coriolis, eastward(geopotential, grid) / coriolis


def band(grid: LatLonGrid, south: float, north: float) -> np.ndarray:
    """Return area weights of the rows between two latitudes on both hemispheres, 0 elsewhere `[lat, 1]`."""
    distance = np.abs(np.asarray(grid.latitude))[:, None]
    inside = (distance >= south) & (distance <= north)
    return np.where(inside, grid.area_weights().astype(np.float64), 0.0)


def _cosine(grid: LatLonGrid) -> np.ndarray:
    return np.maximum(np.cos(np.radians(grid.latitude)), 1e-3)[:, None]
