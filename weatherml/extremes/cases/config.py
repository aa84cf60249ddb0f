"""A case as a file has it: what happened where and when, who forecast it, and what counts as the event."""

from pathlib import Path
from typing import Annotated, Any, Self

import numpy as np
from pydantic import BeforeValidator, Field, model_validator

from weatherml.config import Config, apply_overrides, from_mapping, read_mapping
from weatherml.durations import DurationText, parse_duration
from weatherml.errors import UserError
from weatherml.extremes.cases.catalogue import ListedCase, listed_in
from weatherml.extremes.cases.made_forecasts import BASELINES
from weatherml.extremes.cases.region import Place, as_place, shown
from weatherml.extremes.hazards import registry as hazards
from weatherml.extremes.hazards.registry import OF_OBJECTS
from weatherml.times import Period, PeriodText, is_within, parse_period, parse_time
from weatherml.verification.significance.methods import method_named

_LONGEST_HISTORY = np.timedelta64(366, "D")


class InitTimes(Config):
    """When baselines begin.

    Attributes:
        first: The first initial time.
        last: The last one.
        every: Between them.
    """

    first: str
    last: str
    every: DurationText = "1d"

    @model_validator(mode="after")
    def _require_order(self) -> Self:
        parse_period((self.first, self.last), "init_times")
        return self

    @property
    def values(self) -> np.ndarray:
        """`datetime64[ns]` `[init]`."""
        first, last = (parse_time(own, "init_times") for own in (self.first, self.last))
        return np.arange(first, last + np.timedelta64(1, "ns"), parse_duration(self.every))


class LeadTimes(Config):
    """How far baselines reach.

    Attributes:
        last: The longest lead.
        every: The first lead, and between leads.
    """

    last: DurationText = "10d"
    every: DurationText = "1d"

    @model_validator(mode="after")
    def _require_one(self) -> Self:
        if parse_duration(self.last) < parse_duration(self.every):
            raise UserError(
                f"there is no lead up to {self.last}, the last, where the first is {self.every}, as every; give a"
                " longer last, or a shorter every"
            )
        return self

    @property
    def values(self) -> np.ndarray:
        """`timedelta64[ns]` `[lead]`."""
        step, last = parse_duration(self.every), parse_duration(self.last)
        return np.arange(1, last // step + 1) * step


class Baseline(Config):
    """A system that is made of the analyses: what a forecast must beat.

    Attributes:
        baseline: By its name.
        period: From which analyses an ensemble of other years or seasons is drawn; all but the years judged when None.
        members: How many; the baseline's own number when None.
        any_date: Whether a member may be of any date of the period: where there are too few years for a window.
        note: What the page says of it.
    """

    baseline: str
    period: PeriodText | None = None
    members: int | None = Field(default=None, ge=2)
    any_date: bool = False
    note: str = ""

    @model_validator(mode="after")
    def _require_known(self) -> Self:
        BASELINES[self.baseline]
        return self


class Stored(Config):
    """A system whose forecasts lie in a store or in files.

    Attributes:
        path: Where, or a URL.
        rename: Names by what the files call variables, as `read_forecast` takes them.
        note: What the page says of it.
    """

    path: str
    rename: dict[str, str] = Field(default_factory=dict)
    note: str = ""


class Climatology(Config):
    """What is usual.

    Attributes:
        period: Of analyses from which thresholds are taken; none of its times may be judged.
        path: Other analyses than the truth, if they are to be these.
        rename: Names by what these call variables.
    """

    period: PeriodText
    path: str | None = None
    rename: dict[str, str] = Field(default_factory=dict)


def _as_names(value: Any) -> Any:
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


class Analyses(Config):
    """What happened: gridded analyses, in files or a store.

    Attributes:
        path: Where, one or several.
        rename: Names by what the files call variables.
    """

    path: Annotated[tuple[str, ...], BeforeValidator(_as_names)] = Field(min_length=1)
    rename: dict[str, str] = Field(default_factory=dict)


def _as_analyses(value: Any) -> Any:
    return {"path": value} if isinstance(value, str | list | tuple) else value


class CalibrationPeriod(Config):
    """Another period, from whose forecasts it is learnt what shares of members mean.

    Attributes:
        period: First and last time: forecasts count that begin and end inside. It shares none with the event's, and
            no forecast of the event may reach into it.
        every: Between the initial times of baselines, from the hour of `init_times.first` on.
        risk: The share of the area of events that warnings may be expected to miss.
        systems: Which ones; all that are ensembles when none are named.
    """

    period: PeriodText
    every: DurationText = "1d"
    risk: float = Field(0.1, gt=0, lt=1)
    systems: Annotated[tuple[str, ...], BeforeValidator(_as_names)] = ()

    def init_times(self, first: np.datetime64, longest: np.timedelta64) -> np.ndarray:
        """Return when baselines begin, at the hours of `first`, so that leads up to the longest end inside."""
        begin, end = parse_period(self.period)
        begin = begin + (first - begin) % np.timedelta64(1, "D")
        return np.arange(begin, end - longest + np.timedelta64(1, "ns"), parse_duration(self.every))


def _as_system(value: Any) -> Any:
    if isinstance(value, str):
        return Baseline(baseline=value) if value in BASELINES else Stored(path=value)
    if isinstance(value, dict):
        return from_mapping(Baseline if "baseline" in value else Stored, value, "")
    if isinstance(value, Baseline | Stored):
        return value
    raise UserError(
        f"a system is a path, the name of a baseline, or keys such as {{path: forecast.zarr}}, got"
        f" {shown(value)}; give one"
    )


System = Annotated[Baseline | Stored, BeforeValidator(_as_system)]


class Case(Config):
    """One event.

    Attributes:
        name: Its heading.
        hazard: What kind of event it was, by its name in `hazards.registry`.
        period: In which it happened: first and last time that count, both included.
        region: Where: `south`, `north`, `west`, `east`; or `latitude`, `longitude` and `radius` in km; or a name.
        systems: Who forecast it: a path or the name of a baseline, by what the system is called.
        truth: Analyses: files or a store, or `path` and `rename`.
        climatology: Where thresholds come from, for hazards that need it.
        definition: What counts as the event where that is not the hazard's own.
        least_share: Of the region's area that must be in the event at one time at least, for it to have happened; what
            the hazard says when None, a tenth, and of storms any cell.
        history: How long before the initial time analyses are put before a forecast: a spell that has begun goes on.
            Values of days are matched by date.
        init_times: When baselines begin; those that all stored forecasts have when None.
        lead_times: How far baselines reach; as the stored forecasts that reach furthest when None.
        against: Systems that the others are compared with; the first one when none are named.
        interval: How intervals are had, as of `weatherml evaluate`.
        calibration: Another period, in which it is learnt what shares of members mean.
        about: What is told of the event, for the page.
    """

    name: str
    hazard: str
    period: PeriodText
    region: Annotated[Place, BeforeValidator(as_place)]
    systems: dict[str, System] = Field(min_length=1)
    truth: Annotated[Analyses, BeforeValidator(_as_analyses)]
    climatology: Climatology | None = None
    definition: dict[str, Any] = Field(default_factory=dict)
    least_share: float | None = Field(None, gt=0, le=1)
    history: DurationText = "3d"
    init_times: InitTimes | None = None
    lead_times: LeadTimes | None = None
    against: Annotated[tuple[str, ...], BeforeValidator(_as_names)] = ()
    interval: str = "ar2"
    calibration: CalibrationPeriod | None = None
    about: str = ""

    @property
    def share_asked(self) -> float:
        """Of the region's area that is in the event, for it to have happened; 0 is any cell."""
        return hazards.find(self.hazard).least_share if self.least_share is None else self.least_share

    @model_validator(mode="before")
    @classmethod
    def _require_given(cls, values: Any) -> Any:
        for key in ("name", "hazard", "period", "region", "systems", "truth"):
            if isinstance(values, dict) and key in values and values[key] in (None, ""):
                raise UserError(f"{key} is empty; give it a value")
        systems = values.get("systems") if isinstance(values, dict) else None
        if isinstance(systems, dict) and not all(str(name).strip() for name in systems):
            raise UserError("systems has one without a name; write what it is called before its colon")
        return values

    @model_validator(mode="after")
    def _require_sense(self) -> Self:
        hazard = hazards.find(self.hazard)
        hazard.define(self.definition)
        for key in (key for key in self.definition if key in OF_OBJECTS):
            raise UserError(
                f"{key} changes nothing of where a case has {hazard.one}; leave it out, and see weatherml extremes"
                f" --describe {self.hazard}"
            )
        if parse_duration(self.history) > _LONGEST_HISTORY:
            raise UserError(f"history {self.history} is longer than a year; what is before counts for days: write 3d")
        try:
            method_named(self.interval)
        except UserError as error:
            raise error.within("interval: ") from None
        asked = {"against": self.against, "calibration.systems": self.calibration.systems if self.calibration else ()}
        for key, name in ((key, name) for key, names in asked.items() for name in names if name not in self.systems):
            raise UserError(f"{key} names {name!r}, which is none of the systems {', '.join(self.systems)}")
        if self.climatology is not None and _overlap(self.climatology.period, self.period):
            raise UserError(
                f"the climatology of {' .. '.join(self.climatology.period)} knows the event of"
                f" {' .. '.join(self.period)}; take another period"
            )
        if self.calibration is not None and _overlap(self.calibration.period, self.period):
            raise UserError(
                f"the calibration of {' .. '.join(self.calibration.period)} knows the event of"
                f" {' .. '.join(self.period)}; take another period"
            )
        return self


def read_case(path: str | Path | None, overrides: tuple[str, ...] | list[str] = ()) -> Case:
    """Read a case from a file, or from words alone.

    `listed: 12`, or its title, with `list: events.yaml` takes it from a list of cases; what is said besides wins.

    Raises:
        UserError: The file is missing or wrong, or there is no such case in the list.
    """
    content = apply_overrides({}, list(overrides)) if path is None else read_mapping(path, overrides)
    asked, source = content.pop("listed", None), content.pop("list", None)
    if asked is None and source is not None:
        raise UserError(f"list names {source}, and no case of it; say which: listed=12, or its title")
    if asked is not None:
        content = _told_by(listed_in(source).case(asked), content) | content
    return from_mapping(Case, content, "the case" if path is None else str(path))


def _told_by(case: ListedCase, content: dict[str, Any]) -> dict[str, Any]:
    """Return what a list says of a case; its region where the case's own words have none."""
    period = [case.start_date, case.end_date]
    told = {"name": case.title, "hazard": case.event_type, "period": period}
    return told if "region" in content else told | {"region": case.place.model_dump()}


def _overlap(one: Period, other: Period) -> bool:
    ends = np.array([*parse_period(one)]), np.array([*parse_period(other)])
    return bool(is_within(ends[0], other).any() or is_within(ends[1], one).any())
