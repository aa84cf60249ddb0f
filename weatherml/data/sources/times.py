"""Some times of a source: periods of it, without holes, every so often."""

import hashlib
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Annotated, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import xarray as xr
from pydantic import BeforeValidator

from weatherml.data.source import Source, SourceAround, read_levels
from weatherml.durations import parse_duration
from weatherml.errors import UserError
from weatherml.times import PeriodText, Span, parse_period, parse_span, parse_times, write_period, write_time


def _write_hole(value: Any) -> tuple[str, str] | str:
    if isinstance(value, list | tuple):
        return write_period(tuple(value), "exclude")
    return write_time(value, "exclude")


HoleText = Annotated[tuple[str, str] | str, BeforeValidator(_write_hole)]
"""A time in a configuration with all that it covers ("2010-03" a month), or a period."""


class ChosenTimes(NamedTuple):
    """Which times of a source are meant.

    Attributes:
        periods: Where they lie; anywhere when None.
        exclude: Times and periods that are left out.
        every: Only whole multiples of this since 00 UTC of 1970-01-01; all when None.
    """

    periods: Sequence[PeriodText] | None = None
    exclude: Sequence[HoleText] = ()
    every: str | None = None

    def choose(self, times: npt.NDArray[np.datetime64], origin: str) -> npt.NDArray[np.int64]:
        """Return the positions of the chosen ones among rising `times`.

        Raises:
            UserError: A period has no time, or none is left.
        """
        inside = np.ones(times.shape, bool) if self.periods is None else self._within_periods(times, origin)
        kept = inside & ~_within(times, map(_span_of, self.exclude))
        if self.every is not None:
            kept &= times.astype("datetime64[ns]").astype(np.int64) % parse_duration(self.every).astype(np.int64) == 0
        if times.size and not kept.any():
            raise UserError(
                f"source.periods, source.exclude and source.every leave no time of the {origin}, which have"
                f" {_ends(times)}"
            )
        return np.flatnonzero(kept)

    def _within_periods(self, times: npt.NDArray[np.datetime64], origin: str) -> npt.NDArray[np.bool_]:
        spans = [parse_period(period) for period in self.periods or ()]
        empty = [f"{span.first:.16} .. {span.last:.16}" for span in spans if not _within(times, [span]).any()]
        if empty:
            raise UserError(f"source.periods: the {origin} have no time in {empty[0]}; they have {_ends(times)}")
        return _within(times, spans)


class SourceAtTimes(SourceAround):
    """A source that has only some of its times."""

    def __init__(self, source: Source, chosen: ChosenTimes) -> None:
        super().__init__(source)
        self.chosen = chosen
        self._starts: dict[str, npt.NDArray[np.int64]] = {}

    def digest(self) -> str:
        """Return a fingerprint of the source and of which of its times these are."""
        return hashlib.sha256(self.source.digest().encode() + self.times().tobytes()).hexdigest()

    def times(self) -> npt.NDArray[np.datetime64]:
        """Valid times, `datetime64[ns]` [time], strictly ascending."""
        return self._times

    def piece_starts(self, variable: str) -> npt.NDArray[np.int64]:
        """Return the positions in `times()` at which the source's own pieces of a variable begin."""
        if variable not in self._starts:  # an archive has a million, and every part of a store asks
            self._starts[variable] = super().piece_starts(variable)
        return self._starts[variable]

    def read(self, times: npt.NDArray[np.datetime64], variables: Sequence[str]) -> xr.Dataset:
        """Return the named variables at the named times, lazy where the source is.

        Raises:
            UserError: A variable or a time is not there, or a time was left out.
        """
        return self.source.read(self._require(times), variables)

    def read_levels(self, times: npt.NDArray[np.datetime64], variable: str, levels: slice) -> xr.DataArray:
        """Return a variable at some of its levels."""
        return read_levels(self.source, self._require(times), variable, levels)

    def _require(self, times: npt.NDArray[np.datetime64]) -> npt.NDArray[np.datetime64]:
        times = parse_times(times)
        absent = first_absent(times, self.times())
        if absent is not None:
            raise UserError(f"{self.name} has no time {absent:.16}, or source.periods or source.exclude leave it out")
        return times

    @cached_property
    def _times(self) -> npt.NDArray[np.datetime64]:
        times = self.source.times()
        return times[self.chosen.choose(times, f"{self.name} data")]


def first_absent(times: npt.NDArray[np.datetime64], known: npt.NDArray[np.datetime64]) -> np.datetime64 | None:
    """Return the first time that is not among known ones, which rise and may be a million; None where all are."""
    found = np.minimum(np.searchsorted(known, times), len(known) - 1) if len(known) else np.zeros(0, np.int64)
    absent = times[known[found] != times] if len(known) else times
    return absent[0] if absent.size else None


def _within(times: npt.NDArray[np.datetime64], spans: Iterable[Span]) -> npt.NDArray[np.bool_]:
    inside = np.zeros(times.shape, bool)
    for first, last in spans:
        inside |= (times >= first) & (times <= last)
    return inside


def _span_of(hole: HoleText) -> Span:
    return parse_span(hole) if isinstance(hole, str) else parse_period(hole)


def _ends(times: npt.NDArray[np.datetime64]) -> str:
    return f"{times[0]:.16} .. {times[-1]:.16}" if times.size else "no times"
