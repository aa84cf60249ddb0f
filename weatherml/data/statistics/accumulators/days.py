"""Sums for each hour and day of the year: what a climatology by window is made of."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from weatherml.errors import UserError
from weatherml.state import StateSpec

N_DAYS = 366


@dataclass(frozen=True)
class ByDay:
    """Asks for the sums by hour and day of the year.

    Attributes:
        scratch: Folder for a file of sums that are too large for memory.
    """

    scratch: Path
    may_lie_on_disk: ClassVar = True
    remedy: ClassVar = ""  # it never takes more than half

    def cell_bytes(self, times: np.ndarray) -> int:
        """Return what the sums take for one cell of a channel."""
        return 4 * N_DAYS * len(hours_of(times))

    def start(self, spec: StateSpec, times: np.ndarray, origin: np.ndarray, in_memory: bool) -> "DaySums":
        """Return sums of nothing yet.

        Args:
            spec: Channels.
            times: Of the period, `datetime64[ns]` [time].
            origin: Values at the first time, float32 `[channel, lat, lon]`.
            in_memory: Whether they fit.
        """
        return DaySums(spec, hours_of(times), origin, None if in_memory else self.scratch)


class DaySums:
    """Sums of the departures from the first time, `[hour, day, channel, lat, lon]`, and how many times they are of.

    They are kept in float32: a day has a value a year, and windows take the mean of 61 days of those.
    """

    def __init__(self, spec: StateSpec, hours: np.ndarray, origin: np.ndarray, scratch: Path | None) -> None:
        self.spec, self.hours, self.origin = spec, hours, origin
        shape = (len(hours), N_DAYS, *spec.shape)
        self.sums = np.zeros(shape, np.float32) if scratch is None else _on_disk(shape, scratch)
        self.counts = np.zeros(shape[:2])

    def add(self, times: np.ndarray, array: np.ndarray) -> None:
        """Take in float32 `[time, channel, lat, lon]`; the last day of a common year counts as day 366, too."""
        for time, field in zip(times, array, strict=True):
            hour = int(np.searchsorted(self.hours, hours_of(np.array([time]))[0]))
            for day in _days_of(time):
                self.sums[hour, day] += field - self.origin
                self.counts[hour, day] += 1

    def merge(self, other: "DaySums") -> None:
        """Take in what other sums have seen."""
        self.sums += other.sums
        self.counts += other.counts

    def windowed(self, weights: np.ndarray, channel: int, rows: slice) -> np.ndarray:
        """Return means over windows of days around each, float32 `[hour, day, row, lon]`, SI units.

        Args:
            weights: Of the days of a window, an odd number of them, the middle one that of the day itself.
            channel: Which channel.
            rows: Which rows.

        Every window holds a time, as `require_windows` requires.
        """
        circle, sums = _circle(weights), self.sums[:, :, channel, rows].astype(np.float64)
        counts = self.counts @ circle.T
        means = (circle @ sums.reshape(*counts.shape, -1)).reshape(sums.shape) / counts[:, :, None, None]
        values: np.ndarray = (means + self.origin[channel, rows]).astype(np.float32)
        return values


def require_windows(times: np.ndarray, weights: np.ndarray) -> None:
    """Require that each window of days around a day of the year holds a time of each hour that occurs.

    Args:
        times: Of the period, `datetime64[ns]` [time].
        weights: Of the days of a window, as in `DaySums.windowed`.

    Raises:
        UserError: One holds none.
    """
    hours, half = hours_of(times), len(weights) // 2
    is_there = np.zeros((len(hours), N_DAYS))
    is_there[np.searchsorted(hours, _hour_of(times)), day_of_year(times)] = 1
    is_last = day_of_year(times + np.timedelta64(1, "D")) == 0
    is_there[np.searchsorted(hours, _hour_of(times[is_last])), -1] = 1
    lacking = np.argwhere(is_there @ _circle(weights).T == 0)
    if len(lacking):
        hour, day = lacking[0]
        raise UserError(
            f"no time at {hours[hour]:g} UTC lies within {half} days of day {day + 1} of the year; choose a longer"
            " period, or a wider window"
        )


def _circle(weights: np.ndarray) -> np.ndarray:
    """Return the weight of each day in the window around each day, `[day, day]`."""
    half, days, circle = len(weights) // 2, np.arange(N_DAYS), np.zeros((N_DAYS, N_DAYS))
    for shift, weight in zip(range(-half, half + 1), weights, strict=True):
        circle[days, (days + shift) % N_DAYS] += weight
    return circle


def hours_of(times: np.ndarray) -> np.ndarray:
    """Return the hours of the day that occur, rising, float64 `[hour]`."""
    return np.unique(_hour_of(times))


def _hour_of(times: np.ndarray) -> np.ndarray:
    hours: np.ndarray = (times - times.astype("datetime64[D]")) / np.timedelta64(1, "h")
    return hours


def day_of_year(times: np.ndarray) -> np.ndarray:
    """Return the day of the year, from 0, of the shape of `times`."""
    first = times.astype("datetime64[Y]").astype("datetime64[D]")
    days: np.ndarray = (times.astype("datetime64[D]") - first).astype(int)
    return days


def _days_of(time: np.datetime64) -> list[int]:
    day = int(day_of_year(np.array([time]))[0])
    is_last = (time + np.timedelta64(1, "D")).astype("datetime64[Y]") != time.astype("datetime64[Y]")
    return [day, N_DAYS - 1] if is_last and day == N_DAYS - 2 else [day]


def _on_disk(shape: tuple[int, ...], folder: Path) -> np.ndarray:
    """Return zeros in a file that has no name, and goes when they do."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        return np.memmap(file, np.float32, "w+", shape=shape)
