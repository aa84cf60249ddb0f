"""A case run: each system looked at member by member, and judged beside the truth."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import xarray as xr

from weatherml.durations import format_duration
from weatherml.errors import UserError
from weatherml.errors.wording import listed
from weatherml.extremes.cases.calibrated import calibrate, held_out
from weatherml.extremes.cases.config import Baseline, Case
from weatherml.extremes.cases.limits import other_hours, require_leads
from weatherml.extremes.cases.stage import Stage, require_times
from weatherml.extremes.cases.told import Cut, Told, cut_of, require_values, tell
from weatherml.extremes.cases.unusual import LocalClimate, local_climate
from weatherml.extremes.cases.watching import Forecast, SystemOutcome, Watching, n_members_of
from weatherml.process.workers import HERE, Workers
from weatherml.times import parse_period, show_periods
from weatherml.verification.campaign.online import OnlineForecast
from weatherml.verification.pairing.plausible import warn_of_fields

_logger = logging.getLogger(__name__)

Progress: TypeAlias = Callable[[int, int, str], None]
"""Told how many members of all systems are done, of how many, and whose the last one is."""

_MOST_MAPS = 3


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of a case.

    Attributes:
        stage: On what it was judged.
        truth: What happened.
        systems: By name.
        left_out: Systems of which no forecast reaches over the whole period.
        climate: What the index is around the date of the peak, where the case has a climatology.
        remarks: What a reader has to know before all else: values that cannot be, analyses that are not there.
    """

    stage: Stage
    truth: Told
    systems: Mapping[str, SystemOutcome]
    left_out: Sequence[str] = ()
    climate: LocalClimate | None = None
    remarks: Sequence[str] = ()

    @property
    def cut(self) -> Cut:
        """Whether the period cuts the event."""
        return cut_of(self.truth, self.stage)

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
    workers: Workers = HERE,
) -> Outcome:
    """Judge one event.

    Each member is read, looked at and let go; what stays of it is a number for each lead.

    Args:
        case: What is judged.
        forecasts: By the name of the system, in the order of the page; or what is made meanwhile.
        truth: Analyses with all times of the period. Of events of days the first forecast of each day is judged.
        usual: Analyses that thresholds are taken from; the truth when None.
        progress: Called after each member.
        workers: Who looks at members: this process, or `weatherml.process.workers.Dask(...)`.

    Raises:
        UserError: Something is missing: a variable, a time, a cell in the region; the systems share no initial time, or
            no forecast reaches over the period.
    """
    return _Run(case, forecasts, truth, usual, workers, progress).outcome()


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
class _Run:
    """A case on its way."""

    case: Case
    forecasts: Mapping[str, Forecast]
    truth: xr.Dataset
    usual: xr.Dataset | None
    workers: Workers
    progress: Progress | None
    _n_done: int = 0
    _n_all: int = 0

    def outcome(self) -> Outcome:
        """Judge all systems."""
        shared = _shared(self.forecasts)
        require_times(self.truth["time"].values, self.case)
        inits = _reaching(shared, self.forecasts, self.case)
        stage = self._stage(self.case, inits)
        inits = _first_of_days(stage, inits)
        for name, forecast in self.forecasts.items():
            require_leads(name, _leads(forecast), stage.times[-1] + stage.history - inits[0])
        then, inits_then = self._then()
        n_members = {name: n_members_of(own) for name, own in self.forecasts.items()}
        self._n_all = len(inits) * sum(n_members.values())
        self._n_all += len(inits_then) * sum(n_members[name] for name in self._calibrated_names())
        require_values(stage.true, stage, "the truth")
        remarks = [
            warn_of_fields("the truth", stage.truth.isel(time=[0])),
            *_without_history(stage, self.forecasts, inits),
            *self._of_other_hours(stage, inits),
        ]
        _warn_of_knowing(self.case, inits, self.forecasts)
        told = tell(stage.true, stage)
        if told.happened and not (inits < told.onset).any():
            _logger.warning(
                "no forecast begins before the onset, %.16s: how early it was seen is not known", told.onset
            )
        climate = local_climate(stage, self.truth if self.usual is None else self.usual, told.peak_time)
        calibrated = self._calibrated_names()
        systems = {}
        for name, forecast in self.forecasts.items():
            reaching = inits[inits + _longest(forecast) >= stage.times[-1]]
            drawn = _drawn(reaching if len(reaching) else inits, told.onset if told.happened else stage.times[0])
            peak = None if climate is None else told.peak_time
            own = Watching(name, stage, inits, drawn, peak, self._telling(name), self.workers)
            systems[name] = own.outcome(_only(forecast, inits))
            if then is not None and name in calibrated:
                systems[name] = self._calibrated(name, systems[name], then, inits_then)
        short = _too_short(systems, self.case)
        kept = {name: own for name, own in systems.items() if name not in short}
        remarks += [own.remark for own in kept.values()]
        return Outcome(stage, told, kept, short, climate, [own for own in remarks if own])

    def _stage(self, case: Case, init_times: np.ndarray) -> Stage:
        return Stage.of(case, self.truth, self.usual, _valid_times(self.forecasts, init_times))

    def _of_other_hours(self, stage: Stage, init_times: np.ndarray) -> Iterator[str]:
        """Yield, and say, of which systems the days are of other hours than those of the truth."""
        for name, forecast in self.forecasts.items():
            told = other_hours(name, init_times[0] + _leads(forecast), stage)
            if told:
                _logger.warning(told)
                yield told

    def _then(self) -> tuple[Stage | None, np.ndarray]:
        """Return the stage of the period that probabilities are calibrated in, and the initial times that lie in it.

        Raises:
            UserError: None does, or a forecast of the event reaches into it.
        """
        asked = self.case.calibration
        if asked is None:
            return None, np.empty(0, "datetime64[ns]")
        first, last = parse_period(asked.period)
        own = {name: self.forecasts[name] for name in self._calibrated_names()}
        shared, longest = _shared(own), max(map(_longest, own.values()))
        inside = shared[(shared >= first) & (shared + longest <= last)]
        if not len(inside):
            raise UserError(
                f"no forecast begins and ends in {show_periods(asked.period)}, the period of the calibration; leads"
                f" reach {format_duration(longest)}: give a longer period, or forecasts of then"
            )
        then = self._stage(self.case.model_copy(update={"period": asked.period}), inside)
        return then, _first_of_days(then, inside)

    def _calibrated_names(self) -> list[str]:
        """Return which systems are calibrated: those that the case names, or all ensembles."""
        asked = self.case.calibration
        if asked is None:
            return []
        named = asked.systems or self.forecasts
        found = [name for name in named if n_members_of(self.forecasts[name]) > 1]
        alone = [name for name in named if name not in found]
        if not found or (alone and asked.systems):
            raise UserError(
                f"{listed(alone)} {'is one forecast' if len(alone) == 1 else 'are single forecasts'}, of which no"
                " share of members is known; name ensembles: calibration.systems, or leave calibration out"
            )
        return found

    def _calibrated(self, name: str, own: SystemOutcome, then: Stage, init_times: np.ndarray) -> SystemOutcome:
        asked = self.case.calibration
        assert asked is not None
        watching = Watching(name, then, init_times, progress=self._telling(name), workers=self.workers)
        sums = watching.outcome(_only(self.forecasts[name], init_times)).sums
        try:
            known = calibrate(sums, own.sums, held_out(asked.period, self.case.period), asked.risk)
        except UserError as error:
            raise error.within(f"calibration of {name}: ") from None
        return replace(own, calibrated=known)

    def _telling(self, name: str) -> Callable[[], None]:
        def told() -> None:
            self._n_done += 1
            if self.progress is not None:
                self.progress(self._n_done, self._n_all, name)

        return told


def _without_history(stage: Stage, forecasts: Mapping[str, Forecast], init_times: np.ndarray) -> Iterator[str]:
    """Yield, and say, of which systems no analysis lies before forecasts though some are asked for."""
    first = init_times[0]
    lacking = []
    for name, forecast in forecasts.items():
        own = stage.before(first + _leads(forecast), first)
        if len(own.wanted) and not own.found.any():
            lacking.append((name, own.wanted[-1]))
    if lacking:
        names, (_, time) = listed([name for name, _ in lacking]), lacking[0]
        told = (
            f"no analysis lies before forecasts of {names}: the truth has none of {time:.16} nor of the"
            f" {stage.case.history} before, so that what had begun does not go on; give a truth of"
            " these hours, from earlier on"
        )
        _logger.warning(told)
        yield told


def _warn_of_knowing(case: Case, init_times: np.ndarray, forecasts: Mapping[str, Forecast]) -> None:
    """Say where what is usual, or what members are drawn from, is of times that are forecast, calibrated or judged."""
    met_by: list[tuple[str, np.datetime64, np.datetime64]] = [
        ("the event", *parse_period(case.period)),
        ("valid times of the forecasts", *_valid_times(forecasts, init_times)),
    ]
    if case.calibration is not None:
        met_by.append(("the calibration", *parse_period(case.calibration.period)))
    periods = {} if case.climatology is None else {"the climatology": case.climatology.period}
    made = {name: own for name, own in case.systems.items() if isinstance(own, Baseline) and own.period is not None}
    periods |= {f"what {name} is drawn from": own.period for name, own in made.items() if own.period is not None}
    for whose, period in periods.items():
        first, last = parse_period(period)
        met = [what for what, begin, end in met_by if begin <= last and end >= first]
        if met:
            _logger.warning(
                "%s, %s, shares times with %s: it knows some of what it is to be surprised by; take another period",
                whose,
                show_periods(period),
                listed(met),
            )


def _drawn(init_times: np.ndarray, onset: np.datetime64) -> Sequence[np.datetime64]:
    """Return the few initial times that maps are kept of: before the onset, the last of them among them."""
    before = init_times[init_times < onset]
    own = before if len(before) else init_times[:1]
    places = np.unique(np.linspace(0, len(own) - 1, _MOST_MAPS).round().astype(int))
    return list(own[places])


def _reaching(shared: np.ndarray, forecasts: Mapping[str, Forecast], case: Case) -> np.ndarray:
    """Return the initial times from which some forecast has a time of the period ahead.

    Raises:
        UserError: There are none.
    """
    first, last = parse_period(case.period)
    longest = max(map(_longest, forecasts.values()))
    reaching = shared[(shared <= last) & (shared + longest >= first)]
    if not len(reaching):
        raise UserError(
            f"no forecast reaches the period {' .. '.join(case.period)}: {listed(forecasts)} begin {shared[0]:.16} .."
            f" {shared[-1]:.16}, and leads end at {format_duration(longest)}; give forecasts of then"
        )
    return reaching


def _first_of_days(stage: Stage, init_times: np.ndarray) -> np.ndarray:
    """Return, where events are of days, the first of the initial times of each; else all."""
    _, first = np.unique(stage.begins(init_times), return_index=True)
    return init_times[first]


def _longest(forecast: Forecast) -> np.timedelta64:
    return np.timedelta64(np.max(_leads(forecast)))


def _leads(forecast: Forecast) -> np.ndarray:
    own = forecast.lead_times if isinstance(forecast, OnlineForecast) else forecast["lead_time"].values
    return np.asarray(own, "timedelta64[ns]")


def _valid_times(forecasts: Mapping[str, Forecast], init_times: np.ndarray) -> np.ndarray:
    """Return the first and the last valid time."""
    longest = max(map(_longest, forecasts.values()))
    return np.array([init_times[0], init_times[-1] + longest], "datetime64[ns]")


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


def _only(forecast: Forecast, init_times: np.ndarray) -> Forecast:
    if isinstance(forecast, OnlineForecast):
        return OnlineForecast(forecast.make, init_times, forecast.lead_times, forecast.n_members, forecast.memory)
    return forecast.sel(init_time=init_times)
