"""Forecasts judged while they are made: of each lead until all members are there, and then let go."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from weatherml.durations import format_duration
from weatherml.errors import Option, UserError
from weatherml.errors.wording import counted, listed, size_of
from weatherml.process.memory import GIB
from weatherml.times import parse_times
from weatherml.verification.aggregation.gathering import Progress
from weatherml.verification.aggregation.sums import StatisticSums
from weatherml.verification.campaign.asked import told_of
from weatherml.verification.campaign.kept import Ask, KeptSums
from weatherml.verification.campaign.promised import Promise
from weatherml.verification.pairing.domain import Domain

Make = Callable[[np.ndarray], Iterable[xr.Dataset]]
"""Makes forecasts from initial times `datetime64` [init_time]: pieces of one of them, some leads of some members."""


@dataclass(frozen=True, eq=False)
class OnlineForecast:
    """A forecast that is judged as it is made, such as `Forecaster.iterate` makes it, and not stored.

    Attributes:
        make: Makes it from initial times; it is asked for those that are not judged yet.
        init_times: `datetime64` [init_time].
        lead_times: All leads, `timedelta64` [lead].
        n_members: Of each initial time.
        memory: Bytes of members that may wait for the others of their leads. Where all members are computed at once
            (`batch`), none wait.
        name: Of the system: what is kept is not made again, and so cannot be compared; a folder of sums asks for it.
    """

    make: Make
    init_times: np.ndarray
    lead_times: np.ndarray
    n_members: int
    memory: int = 4 * GIB
    name: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "init_times", _each_once(parse_times(np.atleast_1d(self.init_times), "init_time")))
        object.__setattr__(self, "lead_times", np.atleast_1d(self.lead_times))

    def blocks(self, init_times: np.ndarray) -> Iterator[xr.Dataset]:
        """Yield some leads of one initial time with all members, as they become whole.

        Raises:
            UserError: Members that wait take more than `memory`, some never come, or one comes twice.
        """
        waiting: dict[tuple[bytes, bytes], list[xr.Dataset]] = {}
        known: list[int] = []
        for piece in self.make(init_times):
            place = (piece["init_time"].values.tobytes(), piece["lead_time"].values.tobytes())
            own = waiting.setdefault(place, [])
            _require_new("number", piece, {number for part in own for number in _numbers(part)})
            own.append(piece)
            if sum(map(len, map(_numbers, own))) == self.n_members:
                whole = _joined(waiting.pop(place))
                known = known or _numbers(whole)
                _require_numbers(whole, known)
                yield whole
            else:
                self._require_room(waiting)
        for parts in waiting.values():
            there = counted(sum(map(len, map(_numbers, parts))), "member")
            raise UserError(f"{_from(parts[0])} ended with {there} of {self.n_members}; make all of them")

    def _require_room(self, waiting: dict[tuple[bytes, bytes], list[xr.Dataset]]) -> None:
        if sum(piece.nbytes for own in waiting.values() for piece in own) > self.memory:
            at_once = max(len(_numbers(piece)) for own in waiting.values() for piece in own)
            raise UserError(
                f"{counted(at_once, 'member')} of {self.n_members} come at a time, and those that wait for the others"
                f" take more than {size_of(self.memory)}",
                Option("forecast.batch", self.n_members, "so that none wait"),
                Option("memory", 2 * self.memory, "to let them", python=f"memory={2 * self.memory}"),
            )


@dataclass(eq=False)
class OnlinePass:
    """Judges an online forecast block by block.

    Attributes:
        forecast: What is judged.
        ask: Says what is asked of a block.
        kept: Keeps the sums of initial times that are whole.
        progress: Called after each initial time.
    """

    forecast: OnlineForecast
    ask: Ask
    kept: KeptSums | None = None
    progress: Progress | None = None
    _domain: Domain | None = field(default=None, init=False)
    _told: dict[np.datetime64, dict[str, str]] = field(default_factory=dict, init=False)

    def sums(self, init_times: np.ndarray) -> StatisticSums:
        """Judge initial times, those whose sums are kept excepted.

        Raises:
            UserError: As `OnlineForecast.blocks` and `Judgement.sums` say.
        """
        kept = self.kept
        if kept is not None:
            own = self.forecast
            self._require_name(kept)
            kept.require_asked(Promise(init_times, own.lead_times, own.n_members, own.name), self.ask)
            kept.drop_damaged(init_times)
        missing = init_times if kept is None else kept.to_judge(init_times)
        whole: list[StatisticSums] = []
        for init_time, sums in self._whole(missing) if len(missing) else ():
            if kept is None:
                whole.append(sums)
            else:
                kept.keep(init_time, partial(_as_made, sums, self._told[init_time]))
            missing = missing[missing != init_time]
            if self.progress:
                self.progress(len(init_times) - len(missing), len(init_times))
        return StatisticSums.total(whole) if kept is None else kept.total(init_times)

    def _require_name(self, kept: KeptSums) -> None:
        """Require that the folder is that of the system.

        Raises:
            UserError: It is another's, or the system has no name.
        """
        if not self.forecast.name:
            raise UserError(
                f"sums in {kept.folder} are of one system, which a forecast that is judged as it is made does not tell;"
                " name it with OnlineForecast(..., name='NAME')"
            )
        kept.require_name(self.forecast.name)

    def _whole(self, init_times: np.ndarray) -> Iterator[tuple[np.datetime64, StatisticSums]]:
        """Yield the sums of each initial time once all its leads are judged."""
        parts: dict[np.datetime64, list[StatisticSums]] = {}
        judged: dict[np.datetime64, set[np.timedelta64]] = {time: set() for time in init_times.astype("datetime64[ns]")}
        leads = self.forecast.lead_times.astype("timedelta64[ns]")
        for block in self.forecast.blocks(init_times):
            self._require_asked(block, judged)
            init_time = block["init_time"].values[0]
            _require_new("lead_time", block, judged[init_time])
            judged[init_time] |= {*block["lead_time"].values}
            parts.setdefault(init_time, []).append(self._judged(block))
            if len(judged[init_time]) == len(leads):
                yield init_time, StatisticSums.total(parts.pop(init_time))
        for init_time in parts:
            missing = [format_duration(lead) for lead in leads if lead not in judged[init_time]]
            raise UserError(
                f"the forecast from {np.datetime_as_string(init_time, 'm')} ended without lead"
                f" {listed(missing)}; make all of {counted(len(leads), 'lead')}"
            )
        if absent := [time for time, own in judged.items() if not own]:
            raise UserError(
                f"make ended after {len(init_times) - len(absent)} of {counted(len(init_times), 'initial time')},"
                f" without {np.datetime_as_string(absent[0], 'm')}; make all that it is given"
            )

    def _require_asked(self, block: xr.Dataset, judged: Mapping[np.datetime64, set[np.timedelta64]]) -> None:
        """Require that a block is of initial times and leads that were to be made, and still are."""
        known = judged.get(block["init_time"].values[0])
        if known is not None and len(known) == len(self.forecast.lead_times):
            raise UserError(
                f"{_from(block)} came again when it was whole; make each initial time that is asked for once"
            )
        if known is None:
            raise UserError(f"{_from(block)} came and was not asked for; make the initial times that `make` is given")
        for lead in block["lead_time"].values[~np.isin(block["lead_time"].values, self.forecast.lead_times)]:
            raise UserError(
                f"{_from(block)} came with lead {format_duration(lead)}, which is none of lead_times; leave it out, or"
                " name it there"
            )

    def _judged(self, block: xr.Dataset) -> StatisticSums:
        asked = self.ask(block, self._domain)
        if self._domain is None:
            asked = asked if self.kept is None else self.kept.begin(asked, self.forecast.lead_times, self.forecast.name)
            self._domain = asked.matched.domain
        last = block["lead_time"].values == self.forecast.lead_times[-1]
        if last.any():
            own = asked.matched.forecast.isel(lead_time=last)
            self._told[block["init_time"].values[0]] = told_of(own, asked.matched)
        return asked.sums()


def _each_once(init_times: np.ndarray) -> np.ndarray:
    times, counts = np.unique(init_times, return_counts=True)
    for time in times[counts > 1]:
        raise UserError(f"init_times name {np.datetime_as_string(time, 'm')} more than once; name each once")
    return init_times


def _as_made(sums: StatisticSums, told: dict[str, str]) -> tuple[StatisticSums, dict[str, str]]:
    return sums, told


def _numbers(piece: xr.Dataset) -> list[int]:
    """Return the members of a piece; of a deterministic forecast, which has none, one."""
    return list(np.atleast_1d(piece["number"].values)) if "number" in piece.coords else [0]


def _require_new(dim: str, piece: xr.Dataset, known: set[Any]) -> None:
    """Require that what a piece brings was not there before, nor comes twice in it."""
    values: list[Any] = _numbers(piece) if dim == "number" else list(piece[dim].values)
    for place, value in enumerate(values):
        if value in known or value in values[:place]:
            what = f"number {value}" if dim == "number" else f"lead {format_duration(value)}"
            raise UserError(f"{_from(piece)} brought {what} twice; make each lead of each member once")


def _require_numbers(block: xr.Dataset, known: list[int]) -> None:
    if _numbers(block) != known:
        own, others = (listed(map(str, numbers)) for numbers in (_numbers(block), known))
        raise UserError(f"{_from(block)} brought number {own}, earlier ones {others}; give all the same numbers")


def _from(piece: xr.Dataset) -> str:
    return f"the forecast from {np.datetime_as_string(piece['init_time'].values[0], 'm')}"


def _joined(pieces: list[xr.Dataset]) -> xr.Dataset:
    return pieces[0] if len(pieces) == 1 else xr.concat(pieces, "number").sortby("number")
