"""Small canonical datasets of random numbers for any test; every default size differs from the others."""

import hashlib
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from weatherml.grid import LatLonGrid
from weatherml.state import with_metadata

VARIABLES = {"geopotential": (500, 850), "2m_temperature": ()}


def analyses(
    variables: Mapping[str, Sequence[int]] = VARIABLES,
    times: Sequence[str] | np.ndarray | int = 29,
    step: str = "6h",
    start: str = "2001-01-01",
    grid: LatLonGrid | None = None,
    seed: int = 0,
) -> xr.Dataset:
    """Return white noise of unit variance, dims (time, level, latitude, longitude)."""
    if isinstance(times, int):
        times = np.datetime64(start, "ns") + np.arange(times) * _delta(step)
    return _noise({"time": np.asarray(times, "datetime64[ns]")}, variables, grid, seed)


def forecasts(
    variables: Mapping[str, Sequence[int]] = VARIABLES,
    n_init: int = 4,
    n_lead: int = 3,
    n_members: int | None = None,
    step: str = "6h",
    init_step: str = "1D",
    start: str = "2001-01-01",
    grid: LatLonGrid | None = None,
    seed: int = 1,
) -> xr.Dataset:
    """Return white noise, dims (init_time, lead_time, number, level, latitude, longitude); no number by default."""
    coords = {
        "init_time": np.datetime64(start, "ns") + np.arange(n_init) * _delta(init_step),
        "lead_time": np.arange(1, n_lead + 1) * _delta(step),
    }
    if n_members is not None:
        coords["number"] = np.arange(n_members)
    return _noise(coords, variables, grid, seed)


def as_forecast(truth: xr.Dataset, like: xr.Dataset) -> xr.Dataset:
    """Return the perfect forecast: the truth at the valid times of `like`."""
    valid = like["init_time"] + like["lead_time"]
    return truth.sel(time=valid).drop_vars("time").transpose("init_time", "lead_time", ...)


class FakeSource:
    """A dataset in memory as a `weatherml.data.source.Source`; `read` waits `delay` seconds."""

    def __init__(self, dataset: xr.Dataset, name: str = "fake", delay: float = 0) -> None:
        self.dataset, self.name, self.delay = dataset, name, delay

    @property
    def grid(self) -> LatLonGrid:
        return LatLonGrid.from_dataset(self.dataset)

    @property
    def levels(self) -> tuple[int, ...]:
        return tuple(self.dataset["level"].values.tolist()) if "level" in self.dataset.dims else ()

    def digest(self) -> str:
        return hashlib.sha256(b"".join(self.dataset[name].values.tobytes() for name in self.variables())).hexdigest()

    def times(self) -> np.ndarray:
        return self.dataset["time"].values

    def variables(self) -> tuple[str, ...]:
        return tuple(map(str, self.dataset.data_vars))

    def read(self, times: np.ndarray, variables: Sequence[str]) -> xr.Dataset:
        time.sleep(self.delay)
        return self.dataset[list(variables)].sel(time=times)


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder by its path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _noise(coords, variables, grid, seed):
    rng = np.random.default_rng(seed)
    grid = grid or LatLonGrid.regular(7, 12)
    levels = sorted({level for own in variables.values() for level in own})
    vertical = {"level": np.asarray(levels, np.int32)} if levels else {}
    horizontal = {"latitude": np.asarray(grid.latitude), "longitude": np.asarray(grid.longitude)}
    fields = {}
    for name, own in variables.items():
        dims = (*coords, *(["level"] if own else []), *horizontal)
        sizes = [len({**coords, **vertical, **horizontal}[dim]) for dim in dims]
        fields[name] = (dims, rng.standard_normal(sizes).astype(np.float32))
    return with_metadata(xr.Dataset(fields, {**coords, **vertical, **horizontal}))


def _delta(step: str) -> np.timedelta64:
    return np.timedelta64(int(step[:-1]), step[-1]).astype("timedelta64[ns]")
