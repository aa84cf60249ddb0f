"""Forecasts judged while they are made: of each lead until all members are there, and then let go."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import xarray as xr

from weatherml.errors import Option, UserError
from weatherml.memory import GIB
from weatherml.verification.aggregation.gathering import Progress
from weatherml.verification.aggregation.judgement import Judgement
from weatherml.verification.aggregation.sums import StatisticSums
from weatherml.verification.campaign.asked import digest_of_forecast
from weatherml.verification.campaign.kept import KeptSums
from weatherml.verification.pairing.domain import Domain
from weatherml.wording import counted, size_of

Make = Callable[[np.ndarray], Iterable[xr.Dataset]]
"""Makes forecasts from initial times `datetime64` [init_time]: pieces of one of them, some leads of some members."""
Ask = Callable[[xr.Dataset, Domain | None], Judgement]
"""Returns what is asked of a part of a forecast, on the points that all of it is judged on where these are known."""


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
    """

    make: Make
    init_times: np.ndarray
    lead_times: np.ndarray
    n_members: int
    memory: int = 4 * GIB

    def blocks(self, init_times: np.ndarray) -> Iterator[xr.Dataset]:
        """Yield some leads of one initial time with all members, as they become whole.

        Raises:
            UserError: Members that wait take more than `memory`, or some never come.
        """
        waiting: dict[tuple[bytes, bytes], list[xr.Dataset]] = {}
        for piece in self.make(init_times):
            place = (piece["init_time"].values.tobytes(), piece["lead_time"].values.tobytes())
            own = waiting.setdefault(place, [])
            own.append(piece)
            if sum(part.sizes["number"] for part in own) == self.n_members:
                yield _joined(waiting.pop(place))
            else:
                self._require_room(waiting)
        for parts in waiting.values():
            there = counted(sum(part.sizes["number"] for part in parts), "member")
            init_time = np.datetime_as_string(parts[0]["init_time"].values[0], "m")
            raise UserError(f"the forecast from {init_time} ended with {there} of {self.n_members}; make all of them")

    def _require_room(self, waiting: dict[tuple[bytes, bytes], list[xr.Dataset]]) -> None:
        if sum(piece.nbytes for own in waiting.values() for piece in own) > self.memory:
            at_once = max(piece.sizes["number"] for own in waiting.values() for piece in own)
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
    _digest: dict[np.datetime64, str] = field(default_factory=dict, init=False)

    def sums(self, init_times: np.ndarray) -> StatisticSums:
        """Judge initial times, those whose sums are kept excepted.

        Raises:
            UserError: As `OnlineForecast.blocks` and `Judgement.sums` say.
        """
        kept = self.kept
        missing = init_times if kept is None else kept.missing(init_times)
        whole: list[StatisticSums] = []
        for init_time, sums in self._whole(missing) if len(missing) else ():
            if kept is None:
                whole.append(sums)
            else:
                kept.keep(init_time, partial(_as_made, sums, self._digest[init_time]))
            missing = missing[missing != init_time]
            if self.progress:
                self.progress(len(init_times) - len(missing), len(init_times))
        return StatisticSums.total(whole) if kept is None else kept.total(init_times)

    def _whole(self, init_times: np.ndarray) -> Iterator[tuple[np.datetime64, StatisticSums]]:
        """Yield the sums of each initial time once all its leads are judged."""
        parts: dict[np.datetime64, list[StatisticSums]] = {}
        for block in self.forecast.blocks(init_times):
            init_time = block["init_time"].values[0]
            own = parts.setdefault(init_time, [])
            own.append(self._judged(block))
            if sum(part.dataset.sizes["lead_time"] for part in own) == len(self.forecast.lead_times):
                yield init_time, StatisticSums.total(parts.pop(init_time))
        for init_time in parts:
            raise UserError(
                f"the forecast from {np.datetime_as_string(init_time, 'm')} ended before its last lead; make all of"
                f" {counted(len(self.forecast.lead_times), 'lead')}"
            )

    def _judged(self, block: xr.Dataset) -> StatisticSums:
        asked = self.ask(block, self._domain)
        if self._domain is None:
            asked = asked if self.kept is None else self.kept.begin(asked, self.forecast.lead_times)
            self._domain = asked.matched.domain
        self._digest.setdefault(
            block["init_time"].values[0], digest_of_forecast(asked.matched.forecast, next(iter(asked.matched.levels)))
        )
        return asked.sums()


def _as_made(sums: StatisticSums, digest: str) -> tuple[StatisticSums, str]:
    return sums, digest


def _joined(pieces: list[xr.Dataset]) -> xr.Dataset:
    return pieces[0] if len(pieces) == 1 else xr.concat(pieces, "number").sortby("number")
