"""Events of forecasts that are not stored: what a forecaster makes is looked at on the way, and let go.

A forecaster gives pieces, some leads of some members (`Forecaster.iterate`). What is asked of the members of a lead
together, such as an extreme forecast index, waits for the last of them; what is asked of a member through time, such as
its storms, waits for its last lead, and no more of it waits than is kept.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from weatherml.durations import format_duration
from weatherml.errors import UserError
from weatherml.errors.wording import listed, size_of
from weatherml.extremes.tracks.members import Member, each_member
from weatherml.process.memory import GIB
from weatherml.verification.campaign.online import OnlineForecast

Keep = Callable[[xr.Dataset], xr.Dataset]
"""Cuts a piece down to what is asked for: some variables, a region."""

AT_ONCE = 2**28
"""Bytes of all members of one initial time that are read together: who computes them does so once."""


@dataclass(eq=False)
class MembersInTime:
    """Puts pieces together into members with all their leads.

    Attributes:
        lead_times: All leads, `timedelta64` `[lead]`.
        keep: What of a piece waits.
        memory: Bytes that may.
    """

    lead_times: np.ndarray
    keep: Keep = lambda piece: piece
    memory: int = 4 * GIB
    _waiting: dict[tuple[np.datetime64, int | None], list[xr.Dataset]] = field(default_factory=dict, init=False)

    def take(self, piece: xr.Dataset) -> Iterator[Member]:
        """Take a piece; give the members that are whole with it, read.

        Raises:
            UserError: A lead comes twice, is none of the leads, or what waits takes more than `memory`.
        """
        own = self.keep(piece).compute()
        numbers = own["number"].values if "number" in own.dims else [None]
        for init_time in own["init_time"].values:
            for number in numbers:
                chosen = own.sel({"init_time": [init_time]} | ({} if number is None else {"number": [number]}))
                yield from self._take_one(chosen, (init_time, None if number is None else int(number)))
        self._require_room()

    def finish(self) -> None:
        """Require that no member waits for leads.

        Raises:
            UserError: One does.
        """
        for (init_time, number), parts in self._waiting.items():
            there = np.concatenate([own["lead_time"].values for own in parts])
            missing = [format_duration(own) for own in self.lead_times if own not in there]
            member = "" if number is None else f", number {number},"
            raise UserError(
                f"the forecast from {np.datetime_as_string(init_time, 'm')}{member} ended without lead"
                f" {listed(missing)}; make all leads of all members"
            )

    def _take_one(self, part: xr.Dataset, whose: tuple[np.datetime64, int | None]) -> Iterator[Member]:
        parts = self._waiting.setdefault(whose, [])
        known = [lead for own in parts for lead in own["lead_time"].values]
        for lead in part["lead_time"].values:
            if lead in known or lead not in self.lead_times:
                wrong = "twice" if lead in known else "which is none of lead_times"
                raise UserError(
                    f"the forecast from {np.datetime_as_string(whose[0], 'm')} brought lead {format_duration(lead)}"
                    f" {wrong}; make each of its leads once"
                )
        parts.append(part)
        if len(known) + part.sizes["lead_time"] == len(self.lead_times):
            whole = xr.concat(self._waiting.pop(whose), "lead_time", data_vars="minimal").sortby("lead_time")
            yield from each_member(whole)

    def _require_room(self) -> None:
        held = sum(own.nbytes for parts in self._waiting.values() for own in parts)
        if held > self.memory:
            raise UserError(
                f"members that wait for their last lead take more than {size_of(self.memory)}; keep less of them, such"
                f" as a region or fewer variables, or let them: memory={2 * self.memory}"
            )


def members_of(forecast: xr.Dataset | OnlineForecast, keep: Keep = lambda piece: piece) -> Iterator[Member]:
    """Give each member of each initial time, of a forecast that is there or of one that is made meanwhile."""
    if not isinstance(forecast, OnlineForecast):
        kept = keep(forecast)
        for place in range(kept.sizes["init_time"]):
            own = kept.isel(init_time=[place])
            yield from each_member(own.compute() if own.nbytes <= AT_ONCE else own)
        return
    gathering = MembersInTime(forecast.lead_times.astype("timedelta64[ns]"), keep, forecast.memory)
    for piece in forecast.make(forecast.init_times):
        yield from gathering.take(piece)
    gathering.finish()


@dataclass(eq=False)
class Watch:
    """Looks at a forecast while something else uses it, such as `verification.accumulate`.

    Attributes:
        forecast: What is made.
        of_leads: By name, what is asked of some leads of one initial time with all members: an index of extremes,
            quantiles, probabilities. It returns a dataset without `number`.
        of_members: By name, what is asked of a member through time: tracks, tables of objects, a plume.
        keep: What of a piece waits for the last lead of its member.
    """

    forecast: OnlineForecast
    of_leads: Mapping[str, Callable[[xr.Dataset], xr.Dataset]] = field(default_factory=dict)
    of_members: Mapping[str, Callable[[Member], Any]] = field(default_factory=dict)
    keep: Keep = lambda piece: piece
    _leads: dict[str, list[xr.Dataset]] = field(default_factory=dict, init=False)
    _members: dict[str, dict[tuple[Any, Any], Any]] = field(default_factory=dict, init=False)

    def watched(self) -> OnlineForecast:
        """Return the same forecast, which is looked at as it is made: judge it in the place of the first."""
        own = self.forecast
        return OnlineForecast(self._make, own.init_times, own.lead_times, own.n_members, own.memory, own.name)

    def run(self) -> "Watch":
        """Make the forecast for nothing but what is asked of it."""
        for _ in self._make(self.forecast.init_times):
            pass
        return self

    def leads(self, name: str) -> xr.Dataset:
        """Return what was asked of leads, dims (init_time, lead_time, ...) in rising order.

        Raises:
            UserError: Nothing has been made yet.
        """
        if not self._leads.get(name):
            raise UserError(f"nothing is known of {name!r} yet; judge watched(), or call run(), first")
        by_init: dict[Any, list[xr.Dataset]] = {}
        for own in self._leads[name]:
            by_init.setdefault(own["init_time"].values[0], []).append(own)
        rows = [xr.concat(by_init[init], "lead_time").sortby("lead_time") for init in sorted(by_init)]
        return xr.concat(rows, "init_time")

    def members(self, name: str) -> list[Any]:
        """Return what was asked of members, in the order of initial times and numbers, which `whose` tells.

        Raises:
            UserError: Nothing has been made yet.
        """
        found = self._members.get(name, {})
        if not found:
            raise UserError(f"nothing is known of {name!r} yet; judge watched(), or call run(), first")
        return [found[whose] for whose in sorted(found)]

    def whose(self, name: str) -> list[tuple[np.datetime64, int]]:
        """Return of which initial time and number each of `members(name)` is; 0 where members have no number.

        Raises:
            UserError: Nothing has been made yet.
        """
        self.members(name)
        return sorted(self._members[name])

    def _make(self, init_times: np.ndarray) -> Iterator[xr.Dataset]:
        leads = self.forecast.lead_times.astype("timedelta64[ns]")
        gathering = MembersInTime(leads, self.keep, self.forecast.memory)
        pieces = self._through_members(self.forecast.make(init_times), gathering)
        if not self.of_leads:
            yield from pieces
            return
        own = self.forecast
        whole = OnlineForecast(lambda _: pieces, init_times, own.lead_times, own.n_members, own.memory)
        for block in whole.blocks(init_times):
            for name, ask in self.of_leads.items():
                self._leads.setdefault(name, []).append(ask(block).compute())
            yield block

    def _through_members(self, pieces: Iterable[xr.Dataset], gathering: MembersInTime) -> Iterator[xr.Dataset]:
        for piece in pieces:
            for member in gathering.take(piece) if self.of_members else ():
                for name, ask in self.of_members.items():
                    self._members.setdefault(name, {})[member.init_time, member.number or 0] = ask(member)
            yield piece
        gathering.finish()
