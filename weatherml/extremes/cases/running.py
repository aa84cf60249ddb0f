"""A case run: each system looked at member by member, and judged beside the truth."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import chain
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import xarray as xr

from weatherml.errors import UserError
from weatherml.errors.wording import listed
from weatherml.extremes.cases.config import Case
from weatherml.extremes.cases.stage import CARRIER, Seen, Stage, regional
from weatherml.extremes.cases.told import Told, completed, require_values, shares, tell
from weatherml.extremes.online import members_of
from weatherml.extremes.tracks import table
from weatherml.extremes.tracks.members import Member
from weatherml.verification.aggregation.sums import StatisticSums
from weatherml.verification.campaign.online import OnlineForecast
from weatherml.verification.judging import accumulate
from weatherml.verification.metrics.registry import find
from weatherml.verification.pairing.plausible import warn_of_fields

_logger = logging.getLogger(__name__)

Forecast: TypeAlias = xr.Dataset | OnlineForecast
Progress: TypeAlias = Callable[[int, int, str], None]
"""Told how many members of all systems are done, of how many, and whose the last one is."""

METRICS = {name: find(f"{name}(threshold=0.5)") for name in ("brier", "brier_fair", "roc_area")}
"""What the event, 0 or 1 at each cell and time, is judged by."""

_MOST_MAPS = 3


@dataclass(frozen=True, eq=False)
class SystemOutcome:
    """What came of one system.

    Attributes:
        series: The region's index (`index`, its units) and the share of the region in the event (`share`), dims
            (init_time, number, lead_time); what lies outside the period is there, too.
        members: What each member told, a row each: init_time, number and the fields of `Told`; of forecasts that do not
            reach the end of the period none.
        probability: Share of members in the event at some time of the period, dims (init_time, latitude, longitude), of
            a few initial times.
        sums: Of the event at each cell and time.
        tracks: Of storms that came into the region in the period, in members of these few initial times.
    """

    series: xr.Dataset
    members: pd.DataFrame
    probability: xr.DataArray
    sums: StatisticSums
    tracks: xr.Dataset | None

    @property
    def n_members(self) -> int:
        """How many there are."""
        return self.series.sizes["number"]

    @property
    def probability_of_happening(self) -> pd.Series:
        """Share of members in which the event happens, by initial time."""
        own: pd.Series = self.members.groupby("init_time")["happened"].mean()
        return own


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of a case.

    Attributes:
        stage: On what it was judged.
        truth: What happened.
        systems: By name.
        left_out: Systems of which no forecast reaches over the whole period.
    """

    stage: Stage
    truth: Told
    systems: Mapping[str, SystemOutcome]
    left_out: Sequence[str] = ()

    @property
    def case(self) -> Case:
        """What was judged."""
        return self.stage.case


def run(
    case: Case,
    forecasts: Mapping[str, Forecast],
    truth: xr.Dataset,
    usual: xr.Dataset | None = None,
    progress: Progress | None = None,
) -> Outcome:
    """Judge one event.

    Each member is read, looked at and let go; what stays of it is a number for each lead.

    Args:
        case: What is judged.
        forecasts: By the name of the system, in the order of the page; or what is made meanwhile.
        truth: Analyses with all times of the period. Of events of days the first forecast of each day is judged.
        usual: Analyses that thresholds are taken from; the truth when None.
        progress: Called after each member.

    Raises:
        UserError: Something is missing: a variable, a time, a cell in the region; the systems share no initial time, or
            no forecast reaches over the period.
    """
    shared = _shared(forecasts)
    stage = Stage.of(case, truth, usual, _valid_times(forecasts, shared))
    _, first = np.unique(stage.begins(shared), return_index=True)
    shared = shared[first]  # of several on one day, where events are of days, that which all of the day is ahead of
    require_values(stage.true, stage, "the truth")
    warn_of_fields("the truth", stage.truth.isel(time=[0]))
    told = tell(stage.true, stage)
    n_all = sum(len(shared) * _n_members(own) for own in forecasts.values())
    systems, n_done = {}, 0
    for name, forecast in forecasts.items():
        watching = _Watching(name, stage, told, shared, _telling(progress, name, n_done, n_all))
        systems[name] = watching.outcome(_only(forecast, shared))
        n_done += len(shared) * _n_members(forecast)
    short = _too_short(systems, case)
    return Outcome(stage, told, {name: own for name, own in systems.items() if name not in short}, short)


def _too_short(systems: Mapping[str, SystemOutcome], case: Case) -> list[str]:
    """Return the systems that nothing can be said of, and tell of them.

    Raises:
        UserError: All are.
    """
    short = [name for name, own in systems.items() if own.members.empty]
    told = f"no forecast of {listed(short)} reaches over the whole period {' .. '.join(case.period)}"
    remedy = "give longer leads, later initial times, or a shorter period"
    if len(short) == len(systems):
        raise UserError(f"{told}; {remedy}")
    if short:
        _logger.warning("%s, left out; %s", told, remedy)
    return short


@dataclass(eq=False)
class _Watching:
    """Looks at the members of one system as they pass, and keeps little of each."""

    name: str
    stage: Stage
    truth: Told
    init_times: np.ndarray
    progress: Callable[[], None]
    rows: list[dict[str, object]] = field(default_factory=list)
    series: dict[tuple[np.datetime64, int], np.ndarray] = field(default_factory=dict)
    counts: dict[np.datetime64, list[np.ndarray]] = field(default_factory=dict)
    tracks: list[xr.Dataset] = field(default_factory=list)
    leads: np.ndarray = field(default_factory=lambda: np.empty(0, "timedelta64[ns]"))

    def outcome(self, forecast: Forecast) -> SystemOutcome:
        n_members, pieces = _n_members(forecast), self._events(forecast)
        first = next(pieces)
        begins = self.stage.begins(self.init_times)
        events = OnlineForecast(lambda _: chain([first], pieces), begins, self.leads, n_members)
        metrics = METRICS if n_members > 1 else {"brier": METRICS["brier"]}
        sums = accumulate(events, self._truth(), metrics, missing="count")
        names = ["init_time", "number", *Told.__dataclass_fields__]
        return SystemOutcome(
            self._joined_series(),
            pd.DataFrame(self.rows, columns=names),
            self._probability(),
            sums,
            table.join(self.tracks) if self.tracks else None,
        )

    def _events(self, forecast: Forecast) -> Iterator[xr.Dataset]:
        """Yield the events of each member as a piece of a forecast."""
        for member in members_of(forecast, self.stage.kept):
            assert member.init_time is not None
            seen = self.stage.see(member.fields, member.init_time)
            leads = seen.times - self.stage.begins(member.init_time)
            if not len(self.leads):
                self.leads = leads
                warn_of_fields(f"the forecast {self.name}", member.fields.isel(time=[-1]))
            require_values(seen, self.stage, f"{self.name}, from {member.init_time:.16},")
            self._note(member, seen, leads)
            self.progress()
            yield self._piece(member, seen, leads)

    def _note(self, member: Member, seen: Seen, leads: np.ndarray) -> None:
        init_time, number = member.init_time, member.number or 0
        assert init_time is not None
        told = np.stack([regional(seen.index, self.stage), shares(seen, self.stage)])
        self.series[init_time, number] = self._at_leads(told, leads)
        whole = completed(seen, self.stage)
        if whole is None:
            return
        self.rows.append({"init_time": init_time, "number": number, **asdict(tell(whole, self.stage))})
        if init_time in self._drawn:
            self._add_to_maps(init_time, whole)
            if seen.tracks is not None:
                self.tracks.append(self.stage.near(seen.tracks, init_time=init_time, number=number))

    def _joined_series(self) -> xr.Dataset:
        numbers = sorted({number for _, number in self.series})
        values = np.stack([[self.series[init, number] for number in numbers] for init in self.init_times])
        dims = ("init_time", "number", "lead_time")
        valid = self.stage.begins(self.init_times)[:, None] + self.leads
        coords = {
            "init_time": self.init_times,
            "number": numbers,
            "lead_time": self.leads,
            "valid_time": (("init_time", "lead_time"), valid),
        }
        return xr.Dataset({name: (dims, values[:, :, n]) for n, name in enumerate(("index", "share"))}, coords)

    def _add_to_maps(self, init_time: np.datetime64, whole: Seen) -> None:
        own = self.counts.setdefault(init_time, [np.zeros(self.stage.grid.shape), np.zeros(1)])
        own[0] += whole.event.any(axis=0)
        own[1] += 1

    def _at_leads(self, values: np.ndarray, leads: np.ndarray) -> np.ndarray:
        """Return values `[row, lead]` at the leads of the first forecast, NaN at those that another lacks."""
        found = np.full((len(values), len(self.leads)), np.nan)
        there = np.isin(self.leads, leads)
        found[:, there] = values[:, np.isin(leads, self.leads)]
        return found

    def _piece(self, member: Member, seen: Seen, leads: np.ndarray) -> xr.Dataset:
        coords: dict[str, Any] = {
            "init_time": [self.stage.begins(member.init_time)],
            "lead_time": self.leads,
            **({} if member.number is None else {"number": [member.number]}),
        }
        shape = (*map(len, coords.values()), *self.stage.grid.shape)
        events = self._at_leads(seen.event.reshape(len(leads), -1).T.astype(np.float32), leads).T
        return self.stage.as_dataset(events.astype(np.float32).reshape(shape), coords)

    def _truth(self) -> xr.Dataset:
        """Return what happened at each cell and time, NaN outside the region."""
        true = self.stage.true
        values = np.where(self.stage.inside, true.event, np.nan).astype(np.float32)
        return self.stage.as_dataset(values, {"time": true.times})

    def _probability(self) -> xr.DataArray:
        times = sorted(self.counts)
        empty = np.empty((0, *self.stage.grid.shape))
        shown = [np.where(self.stage.inside, self.counts[own][0] / self.counts[own][1], np.nan) for own in times]
        coords = {"init_time": np.array(times, "datetime64[ns]")}
        field = self.stage.as_dataset(np.stack(shown) if shown else empty, coords)
        return field[CARRIER].rename(self.stage.case.hazard)

    @property
    def _drawn(self) -> Sequence[np.datetime64]:
        """The few initial times that maps are kept of: before the onset, the last of them among them."""
        onset = self.truth.onset if self.truth.happened else self.stage.times[0]
        before = self.init_times[self.init_times < onset]
        own = before if len(before) else self.init_times[:1]
        places = np.unique(np.linspace(0, len(own) - 1, _MOST_MAPS).round().astype(int))
        return list(own[places])


def _valid_times(forecasts: Mapping[str, Forecast], init_times: np.ndarray) -> np.ndarray:
    """Return the first and the last valid time."""
    leads = [
        own.lead_times if isinstance(own, OnlineForecast) else own["lead_time"].values for own in forecasts.values()
    ]
    longest = max(np.max(own) for own in leads)
    return np.array([init_times[0], init_times[-1] + longest], "datetime64[ns]")


def _n_members(forecast: Forecast) -> int:
    return forecast.n_members if isinstance(forecast, OnlineForecast) else forecast.sizes.get("number", 1)


def _inits(forecast: Forecast) -> np.ndarray:
    own = forecast.init_times if isinstance(forecast, OnlineForecast) else forecast["init_time"].values
    return np.sort(np.asarray(own, "datetime64[ns]"))


def _shared(forecasts: Mapping[str, Forecast]) -> np.ndarray:
    """Return the initial times that all systems have.

    Raises:
        UserError: There are none.
    """
    times = {name: _inits(own) for name, own in forecasts.items()}
    shared = next(iter(times.values()))
    for own in times.values():
        shared = np.intersect1d(shared, own)
    if not len(shared):
        spans = [
            f"{name} has {own[0]:.16} .. {own[-1]:.16}" if len(own) else f"{name} has none"
            for name, own in times.items()
        ]
        raise UserError(f"the systems have no init time in common: {listed(spans)}; give forecasts started together")
    return shared


def _span(times: np.ndarray) -> str:
    return f"{times[0]:.16} .. {times[-1]:.16}" if len(times) else "none"


def _only(forecast: Forecast, init_times: np.ndarray) -> Forecast:
    if isinstance(forecast, OnlineForecast):
        return OnlineForecast(forecast.make, init_times, forecast.lead_times, forecast.n_members, forecast.memory)
    return forecast.sel(init_time=init_times)


def _telling(progress: Progress | None, name: str, n_before: int, n_all: int) -> Callable[[], None]:
    n_done = n_before

    def told() -> None:
        nonlocal n_done
        n_done += 1
        if progress is not None:
            progress(n_done, n_all, name)

    return told
