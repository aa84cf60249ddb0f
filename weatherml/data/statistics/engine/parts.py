"""Sums of some times of a period in a file: made by any process, merged in any order, kept for what comes later."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np

from weatherml.data.statistics.accumulators.changes import Borders
from weatherml.data.statistics.accumulators.harmonics import Harmonics
from weatherml.data.statistics.accumulators.sums import Sums
from weatherml.errors import UserError
from weatherml.state import StateSpec
from weatherml.storage.files import netcdf_in_place

_FIELD = ("channel", "latitude", "longitude")
_DIMS = {
    "right": ("term", *_FIELD),
    "squares": _FIELD,
    "origin": _FIELD,
    "changes": ("step", "moment", "channel"),
    "alone": ("step", "term", *_FIELD),
    "border": ("border", *_FIELD),
    "distribution": ("value", "channel"),
}
_TIMES = 2**12
"""Of a chunk of checksums."""
_CHANNEL_AXES = {name: dims.index("channel") for name, dims in _DIMS.items()}


@dataclass(frozen=True)
class Provenance:
    """What a part was made of.

    Attributes:
        store: Digest of the store.
        n_times: How many times of the period were cut into parts.
        share: What the part is called in messages, such as `3/16`.
        first: First time of the period, whose fields are the origin of the sums, ISO 8601.
    """

    store: str
    n_times: int
    share: str
    first: str


def write_part(
    path: Path,
    spec: StateSpec,
    groups: Iterator[tuple[slice, Sums]],
    provenance: Provenance,
    versions: np.ndarray,
) -> None:
    """Write the sums of one group of channels after the other; the file appears once all are there.

    Args:
        path: Of the file.
        spec: All channels.
        groups: Positions of channels, and their sums; beside them the checksums of their fields.
        provenance: What they were made of.
        versions: Of the files that each time was read from, int64 `[time]`.
    """
    with netcdf_in_place(path) as file:
        for channels, sums in groups:
            arrays, record = _arrays(sums)
            if "spec" not in file.ncattrs():
                _declare(file, spec, arrays)
                file["time"][:], file["border_time"][:] = (_as_int(t) for t in (sums.times, sums.borders.times))
                file["border_run"][:], file["version"][:] = _as_int(sums.borders.runs), versions
                told = {**vars(provenance), **vars(sums.harmonics), "steps": [int(_as_int(s)) for s in sums.steps]}
                file.setncatts({"part": json.dumps({**told, "sketch": record}), "spec": spec.to_json()})
            for name, array in arrays.items():
                file[name][_channels(name, channels)] = array
            (checksums,) = sums.others
            file["checksum"][:, channels] = checksums.values


class Part:
    """A file of sums, of which nothing but the times is read at first.

    Attributes:
        path: Of the file.
        spec: Channels.
        harmonics: Terms of the climatology.
        steps: Over which changes are taken.
        times: Which times were summed, `datetime64[ns]` [time].
        versions: Of the files that they were read from, int64 [time]; 0 where that is not known.
        provenance: What they were made of.

    Raises:
        UserError: The file is damaged, or holds something else.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with _reading(path) as file:
            try:
                told = json.loads(file.getncattr("part"))
                self.spec = StateSpec.from_json(file.getncattr("spec"))
                self.times, self.versions = _as_times(file["time"][:]), np.asarray(file["version"][:])
                runs, border_times = file["border_run"][:], file["border_time"][:]
                self.provenance = Provenance(told["store"], told["n_times"], told["share"], told["first"])
            except (AttributeError, IndexError, KeyError):
                raise UserError(f"{path} holds no sums; delete it, and make the part again") from None
        self.harmonics = Harmonics(told["n_annual"], told["n_diurnal"])
        self.steps = tuple(np.timedelta64(step, "ns") for step in told["steps"])
        self._sketch, self._runs, self._border_times = told["sketch"], _as_times(runs), _as_times(border_times)

    def sums(self, channels: slice) -> Sums:
        """Read the sums of some channels.

        Raises:
            UserError: The file is damaged.
        """
        with _reading(self.path) as file:
            arrays = {
                name: np.asarray(file[name][_channels(name, channels)]) for name in _DIMS if name in file.variables
            }
        spec = StateSpec(self.spec.channels[channels], self.spec.grid)
        borders = Borders(self._border_times, arrays["border"], self._runs)
        sums = Sums(spec, self.harmonics, self.steps, arrays["origin"])
        alone = list(arrays["alone"]) if "alone" in arrays else [None for _ in self.steps]
        sums.restore(self.times, arrays["right"], arrays["squares"], arrays["changes"], alone, borders)
        sums.distribution.restore(arrays["distribution"], self._sketch)
        return sums

    def checksums(self) -> np.ndarray:
        """Read those of the fields that were summed, int64 `[time, channel]`.

        Raises:
            UserError: The file is damaged.
        """
        with _reading(self.path) as file:
            return np.asarray(file["checksum"][:])

    def origin(self, channel: int) -> np.ndarray:
        """Read the field of a channel at the first time of the period, float32 `[lat, lon]`, SI units.

        Raises:
            UserError: The file is damaged.
        """
        with _reading(self.path) as file:
            return np.asarray(file["origin"][channel])


@contextmanager
def _reading(path: Path) -> Iterator[Any]:
    """Yield a file that is open for reading; what the library says of a damaged one becomes one line."""
    try:
        with netCDF4.Dataset(path) as file:
            file.set_auto_mask(False)
            yield file
    except (OSError, RuntimeError):
        raise UserError(f"{path} is damaged; delete it, and make the part again") from None


def merged(parts: Sequence[Part], memory: int) -> Iterator[tuple[slice, Sums]]:
    """Yield the sums of all parts for one group of channels after the other.

    Args:
        parts: Of the same channels, terms and steps; in any order.
        memory: Bytes that may be held.

    Raises:
        UserError: A file is damaged, or parts share times.
    """
    spec = parts[0].spec
    cell_bytes = max(part.path.stat().st_size for part in parts) / np.prod(spec.shape)
    n_channels = max(1, int(memory / (2 * cell_bytes * np.prod(spec.grid.shape))))
    for start in range(0, spec.n_channels, n_channels):
        channels = slice(start, min(start + n_channels, spec.n_channels))
        sums = parts[0].sums(channels)
        for part in parts[1:]:
            sums.merge(part.sums(channels))
        yield channels, sums


def _arrays(sums: Sums) -> tuple[dict[str, np.ndarray], list[Any]]:
    """Return what is written of sums, by name, and the record of the sketch."""
    values, record = sums.distribution.state()
    arrays = {
        "right": sums.right,
        "squares": sums.squares,
        "origin": sums.origin,
        "changes": sums.changes,
        "border": sums.borders.fields,
        "distribution": values,
    }
    if any(alone is not None for alone in sums.alone):
        nothing = np.zeros_like(sums.right)
        arrays["alone"] = np.stack([nothing if alone is None else alone for alone in sums.alone])
    return arrays, record


def _declare(file: Any, spec: StateSpec, arrays: dict[str, np.ndarray]) -> None:
    """Make room for all channels; every chunk has a checksum."""
    sizes = {"channel": spec.n_channels}
    for name, array in arrays.items():
        sizes |= {dim: n for dim, n in zip(_DIMS[name], array.shape, strict=True) if dim != "channel"}
    sizes["time"] = 0  # without a limit
    for dim, size in {**sizes, "end": 2}.items():
        file.createDimension(dim, size or None)
    for name, array in arrays.items():
        dims = _DIMS[name]
        chunk = [sizes[dim] if dim in ("latitude", "longitude", "value") else 1 for dim in dims]
        file.createVariable(name, array.dtype, dims, chunksizes=chunk, fletcher32=True, fill_value=False)
    file.createVariable(
        "checksum", "i8", ("time", "channel"), chunksizes=(_TIMES, 1), fletcher32=True, fill_value=False
    )
    for name, dims in {
        "time": ("time",),
        "version": ("time",),
        "border_time": ("border",),
        "border_run": ("border", "end"),
    }.items():
        file.createVariable(name, "i8", dims, fletcher32=True, fill_value=False)


def _channels(name: str, channels: slice) -> tuple[slice, ...]:
    return (*(slice(None) for _ in range(_CHANNEL_AXES[name])), channels)


def _as_int(times: Any) -> Any:
    return np.asarray(times).astype(np.int64)


def _as_times(numbers: Any) -> np.ndarray:
    times: np.ndarray = np.asarray(numbers).astype("datetime64[ns]")
    return times
