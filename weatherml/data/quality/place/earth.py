"""What is known of the Earth beforehand, carried by the package: coarse means of ERA5 and ERA-Interim.

`benchmarks/earth_patterns.py` makes them and says of what; `origin` in the file says whose they are.
"""

from functools import cache, lru_cache
from pathlib import Path

import numpy as np

from weatherml.data.regrid.regridder import Regridder
from weatherml.grid import LatLonGrid
from weatherml.state import Channel

PATH = Path(__file__).with_name("earth.npz")
GRID = LatLonGrid.regular(73, 144)
"""Of orography, land and what stands still."""
COARSE = LatLonGrid.regular(37, 72)
"""Of zonal means."""
STEPS = 20
"""Of the bytes of a pattern, in its own spread."""


@cache
def _content() -> dict[str, np.ndarray]:
    with np.load(PATH) as content:
        return dict(content)


@lru_cache(maxsize=8)
def orography(grid: LatLonGrid) -> np.ndarray:
    """Return the height of the ground, m `[lat, lon]`."""
    return _on(grid, _content()["orography"])


@lru_cache(maxsize=8)
def land(grid: LatLonGrid) -> np.ndarray:
    """Return the share of land, 0 to 1 `[lat, lon]`."""
    return _on(grid, _content()["land"] / 100)


@lru_cache(maxsize=32)
def standing(channel: Channel, grid: LatLonGrid) -> np.ndarray | None:
    """Return what stands still in a field, short zonal waves in their own spread `[lat, lon]`; None if not known.

    A field on a level that is not said may be that of a level whose pattern is known.
    """
    known = [name for name in _content() if name == f"standing {channel}" or _is_some_level(name, channel)]
    return _on(grid, _content()[known[0]] / STEPS) if known else None


def _is_some_level(name: str, channel: Channel) -> bool:
    return channel.level is None and name.rstrip("0123456789") == f"standing {channel}_"


def january(variable: str) -> tuple[np.ndarray, np.ndarray] | None:
    """Return levels in hPa `[level]` and zonal means in January `[level, lat]` on rows of `COARSE`, None if unknown."""
    content = _content()
    if f"january {variable}" not in content:
        return None
    return content[f"levels {variable}"], content[f"january {variable}"]


def by_level(variable: str) -> np.ndarray | None:
    """Return levels in hPa, global means and standard deviations `[level, 3]`, levels rising; None if not known."""
    return _content().get(f"global {variable}")


def _on(grid: LatLonGrid, field: np.ndarray) -> np.ndarray:
    method = "conservative" if grid.n_lat < GRID.n_lat else "bilinear"
    return Regridder(GRID, grid, method)(field).astype(np.float64)
