"""How much of an anomaly is left one lead time later, in one pass over a period of any length."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from weatherml.durations import format_duration
from weatherml.errors import Option, UserError
from weatherml.errors.wording import counted
from weatherml.grid import LatLonGrid
from weatherml.references import Reference, as_reference, as_slice, narrowed, values_of
from weatherml.state import on_grid, spec_of

MEMORY = 2**29
"""Bytes of anomalies held while damping is fitted, unless one channel over 5/4 of the longest lead takes more."""

_READ_SHARE = 16  # of the memory, for the analyses being read, and as much for what is expected of them
_READ_BYTES = 2**23  # and never more: larger blocks are read no faster
_STRIPS = 4  # new times read at once, in longest leads: those before them are converted again with every strip
# Products of few values at once: they stay in a processor's cache, and OpenBLAS has threads wait for each other in sums
# of more than 10,000, which took twenty times as long on a busy machine.
_PRODUCT_VALUES = 2**13


LATER = Option("init_times", "FIRST..LAST", "to begin later", "forecast.sel(init_time=slice(FIRST, None))")


def fit_damping(
    truth: xr.Dataset, climatology: xr.Dataset | Reference, lead_times: np.ndarray, memory: int = MEMORY
) -> xr.Dataset:
    """Regress the anomaly one lead time later on the anomaly: one coefficient for each channel and lead time.

    It minimises the area-weighted squared error over all pairs of times in the dataset that lie one lead apart, so pass
    the training period alone. Every value is read once, block by block: what is held are the anomalies of the longest
    lead and of as much again, of as many levels of a variable as `memory` allows.

    Args:
        truth: Analyses with rising `time`; points that are NaN at the first time do not count, nor do times that
            lack others.
        climatology: Is asked for every time of the truth.
        lead_times: `timedelta64 [lead]`.
        memory: Bytes for anomalies.

    Returns:
        One variable for each of the truth's, dims (lead_time, level), without units.

    Raises:
        UserError: The climatology lacks a time, or no two times lie one lead apart.
    """
    lags = [_Lag.of(truth, lead) for lead in lead_times]
    walk = _Walk.over(truth["time"].values, np.max(lead_times))
    reference, grid = as_reference(climatology), LatLonGrid.from_dataset(truth)
    n_read = min(_READ_BYTES, memory // _READ_SHARE)
    fitted: dict[str, xr.DataArray] = {}
    for name, levels in spec_of(truth).variables.items():
        groups = _groups(levels, walk.longest, grid, memory)
        slopes = [_fit(_Anomalies(truth[name], reference, group, grid, n_read), walk, lags, memory) for group in groups]
        fitted[name] = _labelled(np.concatenate(slopes, axis=1), truth[name])
    return xr.Dataset(fitted).assign_coords(lead_time=lead_times)


@dataclass(frozen=True)
class _Lag:
    """Positions of the times that have another one lead later, and of those later times, both rising."""

    first: np.ndarray
    later: np.ndarray

    @classmethod
    def of(cls, dataset: xr.Dataset, lead: np.timedelta64) -> "_Lag":
        times = dataset.indexes["time"]
        later = times.get_indexer(times + lead)
        known = np.flatnonzero(later >= 0)
        if not known.size:
            raise UserError(
                f"of {counted(len(times), 'time')} that damping is fitted on no two lie {format_duration(lead)} apart",
                "give a longer truth, or leads that are multiples of its time step",
                LATER,
            )
        return cls(known, later[known])

    def within(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the pairs whose later time lies at these positions."""
        own = slice(*np.searchsorted(self.later, [start, stop]))
        return self.first[own], self.later[own]


@dataclass(frozen=True)
class _Walk:
    """Times in order, and how far back each is paired.

    Attributes:
        begin: Position of the earliest time within the longest lead before each, `[time]`.
        longest: Most times that are needed at once.
    """

    begin: np.ndarray
    longest: int

    @classmethod
    def over(cls, times: np.ndarray, longest_lead: np.timedelta64) -> "_Walk":
        begin = np.searchsorted(times, times - longest_lead)
        return cls(begin, int((np.arange(len(times)) - begin).max()) + 1)

    def strips(self, room: int) -> Iterator[tuple[int, int, int]]:
        """Yield strips of new times, from `start` to `stop`, and where what is held with them begins."""
        start, n_times = 0, len(self.begin)
        while start < n_times:
            begin = int(self.begin[start])
            stop = min(n_times, begin + room)
            yield begin, start, stop
            start = stop


@dataclass(frozen=True, eq=False)
class _Anomalies:
    """Some levels of a variable less what is expected, read where they are needed."""

    field: xr.DataArray
    reference: Reference
    levels: tuple[int, ...]
    grid: LatLonGrid
    read_bytes: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """[level, lat, lon]."""
        return (max(1, len(self.levels)), *self.grid.shape)

    def read(self, start: int, stop: int, into: np.ndarray) -> None:
        """Fill float32 `[time, level, lat, lon]` with the anomalies of consecutive times."""
        one_time = (
            4 * self.field.size // self.field.sizes["time"]
        )  # with levels that are not wanted: chunks may hold all
        length, name = max(1, self.read_bytes // one_time), str(self.field.name)
        expected = narrowed(self.reference, {name: self.levels})
        for begin in range(start, stop, length):
            block = self.field.isel(time=slice(begin, min(begin + length, stop)))
            normal = on_grid(expected.at(block["time"].values), self.grid)
            own = into[begin - start : begin - start + block.sizes["time"]]
            np.subtract(values_of(block, self.levels, "time"), values_of(normal[name], self.levels, "time"), out=own)


def _groups(levels: tuple[int, ...], longest: int, grid: LatLonGrid, memory: int) -> Iterator[tuple[int, ...]]:
    """Yield as many levels as fit in memory at twice the longest lead."""
    size = max(1, memory // (4 * 2 * longest * grid.n_lat * grid.n_lon))
    return (levels[start : start + size] for start in range(0, max(1, len(levels)), size))


def _fit(anomalies: _Anomalies, walk: _Walk, lags: Sequence[_Lag], memory: int) -> np.ndarray:
    """Return the slopes `[lead, level]` of a group of levels."""
    one_time = 4 * int(np.prod(anomalies.shape))
    room = min(
        len(walk.begin), (1 + _STRIPS) * walk.longest, max(walk.longest + walk.longest // 4 + 1, memory // one_time)
    )
    held = np.empty((room, *anomalies.shape), np.float32)
    sums: list[_Sums] = []
    last = 0
    for begin, start, stop in walk.strips(room):
        for position in range(start - begin):  # to the front, one by one: they overlap
            held[position] = held[begin - last + position]
        anomalies.read(start, stop, held[start - begin : stop - begin])
        sums = sums or [
            _Sums.of(field, anomalies.grid, len(walk.begin), len(lags)) for field in _first_there(held[:stop])
        ]
        for level, own in enumerate(sums):
            own.add(held[: stop - begin, level], begin, (start, stop), lags)
        last = begin
    return np.stack([own.slopes(lags) for own in sums], axis=1)


@dataclass(frozen=True, eq=False)
class _Sums:
    """Area-weighted sums over the cells of one channel.

    Attributes:
        cells: Positions of those that count, `[cell]`.
        weights: Their areas, `[cell]`.
        products: Of anomalies one lead apart, `[lead]`.
        squares: Of each time's anomalies, `[time]`.
        is_whole: Which times have all cells; others make no pairs, `[time]`.
    """

    cells: np.ndarray
    weights: np.ndarray
    products: np.ndarray
    squares: np.ndarray
    is_whole: np.ndarray

    @classmethod
    def of(cls, first: np.ndarray, grid: LatLonGrid, n_times: int, n_leads: int) -> "_Sums":
        """Return empty sums over the cells where the first anomaly `[lat, lon]` is defined."""
        cells = np.flatnonzero(np.isfinite(first))
        areas = np.broadcast_to(grid.cell_areas()[:, None], grid.shape).ravel()[cells]
        return cls(cells, areas, np.zeros(n_leads), np.zeros(n_times), np.ones(n_times, bool))

    def add(self, fields: np.ndarray, begin: int, new: tuple[int, int], lags: Sequence[_Lag]) -> None:
        """Add the pairs that `new` times make with those before them, among `fields` [time, lat, lon] from `begin`."""
        flat, (start, stop) = fields.reshape(len(fields), -1), new
        there = np.isfinite(flat[start - begin :, as_slice(self.cells)]).all(axis=1)
        self.is_whole[start:stop] = there
        fields[start - begin :][~there] = 0  # in what is held, so that later times make no pair with it either
        flat = fields.reshape(len(fields), -1)
        pairs = [[as_slice(own - begin) for own in lag.within(start, stop)] for lag in lags]
        length = max(1, _PRODUCT_VALUES // (stop - start))
        for first in range(0, len(self.weights), length):
            series = np.ascontiguousarray(flat[:, as_slice(self.cells[first : first + length])], np.float64)
            weighted = series * self.weights[first : first + length]
            self.squares[start:stop] += np.vecdot(series[start - begin :], weighted[start - begin :])
            self.products[:] += [np.vdot(weighted[earlier], series[later]) for earlier, later in pairs]

    def slopes(self, lags: Sequence[_Lag]) -> np.ndarray:
        with np.errstate(invalid="ignore"):  # a level that is missing throughout has no slope
            return np.asarray(self.products / [self.squares[lag.first[self.is_whole[lag.later]]].sum() for lag in lags])


def _first_there(anomalies: np.ndarray) -> np.ndarray:
    """Return the first fields `[level, lat, lon]` of some times that are not NaN throughout, or the first of all."""
    there = np.isfinite(anomalies).any(axis=(2, 3)).argmax(axis=0)
    first: np.ndarray = anomalies[there, np.arange(anomalies.shape[1])]
    return first


def _labelled(slopes: np.ndarray, field: xr.DataArray) -> xr.DataArray:
    """Return slopes `[lead, level]` as dims (lead_time, level), or (lead_time) where the field has one height."""
    if "level" in field.dims:
        return xr.DataArray(slopes, {"level": field["level"]}, ("lead_time", "level"))
    coords = {"level": field["level"]} if "level" in field.coords else {}
    return xr.DataArray(slopes[:, 0], coords, ("lead_time",))
