"""What all systems of a case are judged on: the region's cells, the truth, thresholds; and a member seen through it."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
import xarray as xr

from weatherml.durations import format_duration, parse_duration
from weatherml.errors import UserError
from weatherml.errors.wording import listed
from weatherml.extremes.cases.before import Before, analyses_before
from weatherml.extremes.cases.config import Case
from weatherml.extremes.cases.region import cut, require_cells
from weatherml.extremes.hazards import registry as hazards
from weatherml.extremes.hazards.registry import Hazard
from weatherml.extremes.tracks import table
from weatherml.grid import LatLonGrid
from weatherml.references import Reference
from weatherml.state import on_grid
from weatherml.times import is_within, parse_period, show_periods

_logger = logging.getLogger(__name__)
_DAY = np.timedelta64(24 * 3600 * 10**9, "ns")

CARRIER = "sea_ice_cover"
"""A variable between 0 and 1, whose name an event has where verification judges it, as that knows no others."""


@dataclass(frozen=True, eq=False)
class Seen:
    """One member, or the truth, in the region of a case.

    Attributes:
        times: Valid times, `datetime64[ns]` `[time]`.
        event: Bool `[time, lat, lon]`, false outside the region.
        index: Float `[time, lat, lon]`, NaN outside.
        tracks: Of its storms, wherever they are; None where the hazard has none.
        name: Of the variable that the index is of.
        units: Of the index.
    """

    times: np.ndarray
    event: np.ndarray
    index: np.ndarray
    tracks: xr.Dataset | None
    name: str = ""
    units: str = ""

    def only(self, chosen: np.ndarray) -> "Seen":
        """Keep some times, bool `[time]`."""
        return replace(self, times=self.times[chosen], event=self.event[chosen], index=self.index[chosen])


@dataclass(frozen=True, eq=False)
class _Remembered:
    """Thresholds of a region, which each member asks for anew."""

    reference: Reference
    known: dict[bytes, xr.Dataset] = field(default_factory=dict)

    def at(self, times: np.ndarray) -> xr.Dataset:
        """Return the fields at `times` `[time]`, read."""
        asked = np.asarray(times, "datetime64[ns]").tobytes()
        if asked not in self.known:
            self.known[asked] = self.reference.at(times).compute()
        return self.known[asked]


@dataclass(frozen=True, eq=False)
class Stage:
    """Where a case plays.

    Attributes:
        case: What is judged.
        hazard: Its kind.
        definition: What counts as the event.
        truth: Analyses with the hazard's variables, dims (time, [level,] latitude, longitude).
        held: Which cells of the truth's grid the region holds, bool `[lat, lon]`.
        threshold: What is extreme at each place and date, where the hazard needs it.
        masked: Cells of what is seen of which the truth knows nothing, bool `[lat, lon]`: land, of fields of the sea.
    """

    case: Case
    hazard: Hazard
    definition: Any
    truth: xr.Dataset
    held: np.ndarray
    threshold: Reference | None
    masked: np.ndarray | None = None
    _before: dict[tuple[np.datetime64, bytes], list[xr.Dataset]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls, case: Case, truth: xr.Dataset, usual: xr.Dataset | None = None, valid: np.ndarray | None = None
    ) -> Self:
        """Set the stage.

        Args:
            case: What is judged.
            truth: Analyses with every valid time.
            usual: Analyses that thresholds are taken from; the truth in the climatology's period when None.
            valid: Valid times of forecasts, `datetime64[ns]`, of which thresholds are asked, too.

        Raises:
            UserError: A variable is missing, the region is empty, or no analysis lies in the period.
        """
        hazard = hazards.find(case.hazard)
        truth = of_variables(truth, hazard, "the truth")
        require_times(truth["time"].values, case)
        held = require_cells(case.region, LatLonGrid.from_dataset(truth))
        definition = hazard.define(case.definition)
        times = truth["time"].values[is_within(truth["time"].values, case.period)]
        stage = cls(case, hazard, definition, truth, held, None)
        if hazard.threshold is not None and hazard.asks(definition):
            threshold = stage._threshold(truth if usual is None else usual, times if valid is None else valid)
            stage = cls(case, hazard, definition, truth, held, threshold)
        if not len(stage.true.times):
            raise UserError(
                f"no whole day lies in {show_periods(case.period)}, of which {hazard.one} is; a day is called by its"
                " 00 UTC: give a period from then on, to the end of a day"
            )
        return stage._without_masked()

    @cached_property
    def times(self) -> np.ndarray:
        """Times of the truth in the period, `datetime64[ns]` `[time]`; of events of days, these."""
        return self.true.times

    @cached_property
    def inside(self) -> np.ndarray:
        """Which cells of what is seen the region holds, bool `[lat, lon]`."""
        rows, columns = (np.flatnonzero(self.held.any(axis=axis)) for axis in (1, 0))
        inside: np.ndarray = self.held[np.ix_(rows, columns)]
        return inside if self.masked is None else inside & ~self.masked

    @cached_property
    def whole_grid(self) -> LatLonGrid:
        """The grid of the truth."""
        return LatLonGrid.from_dataset(self.truth)

    @cached_property
    def grid(self) -> LatLonGrid:
        """The grid of what is seen."""
        return LatLonGrid.from_dataset(cut(self.truth, self.held))

    @cached_property
    def weights(self) -> np.ndarray:
        """Area of each cell that is seen, as a share of the region; 0 outside, `[lat, lon]`."""
        areas = self.inside * self.grid.cell_areas()[:, None]
        return np.asarray(areas / areas.sum())

    @cached_property
    def true(self) -> Seen:
        """The truth, in the period."""
        return self.around.only(is_within(self.around.times, self.case.period))

    @cached_property
    def around(self) -> Seen:
        """The truth in the period, and for as long as `history` before it and after."""
        first, last = parse_period(self.case.period)
        all_times = self.truth["time"].values
        near = (all_times >= first - self.history) & (all_times <= last + self.history)
        wide = self.truth.isel(time=np.flatnonzero(near))
        return self._seen(self._read(wide))

    @cached_property
    def step(self) -> np.timedelta64:
        """Between the times of events, `timedelta64[ns]`: of events of days a day."""
        steps = np.diff(self.true.times)
        return np.timedelta64(1, "D") if not len(steps) else np.timedelta64(steps.min(), "ns")

    @property
    def history(self) -> np.timedelta64:
        """How far what is before a time counts: as the case says, or for as many days as must be in a row."""
        return max(parse_duration(self.case.history), getattr(self.definition, "minimum_days", 0) * _DAY)

    def begins(self, init_times: Any) -> Any:
        """Return since when leads of events count, `datetime64[ns]` of the shape of initial times.

        The initial time itself; of events of days, whose time is their midnight, that of the day on which it lies.
        """
        return init_times - (init_times - self.true.times[0]) % self.step

    def before(self, times: np.ndarray, init_time: np.datetime64) -> Before:
        """Look for analyses before a forecast of times `[time]`, as far back as `history`."""
        return analyses_before(self.truth["time"].values, times, init_time, self.history, self.is_of_days)

    @property
    def is_of_days(self) -> bool:
        """Whether events are of days, called by their midnight."""
        midnight = self.times == self.times.astype("datetime64[D]")
        return bool(midnight.all() and self.step == np.timedelta64(1, "D"))

    def kept(self, fields: xr.Dataset) -> xr.Dataset:
        """Return what of a forecast is looked at, unread: the hazard's variables, and of fields what `extent` says.

        Raises:
            UserError: A variable is missing, or it lies on another grid.
        """
        own = on_grid(of_variables(fields, self.hazard, "the forecast"), self.whole_grid)
        self._require_grid(own, "the forecast")
        return cut(own, self.held) if self.hazard.extent == "region" else own

    def usual(self, analyses: xr.Dataset) -> xr.Dataset:
        """Return what of analyses tells what is usual, unread.

        Raises:
            UserError: A variable is missing, or they lie on another grid.
        """
        own = on_grid(of_variables(analyses, self.hazard, "the climatology"), self.whole_grid)
        self._require_grid(own, "the climatology")
        return own

    def see(self, fields: xr.Dataset, init_time: np.datetime64) -> Seen:
        """Look at a member: what is `kept` of it along `time`, after what was known when it began."""
        read = fields.compute()
        asked = init_time, read["time"].values.tobytes()
        if asked not in self._before:  # the same for all members of a forecast
            self._before.clear()
            self._before[asked] = self._known(read["time"].values, init_time)
        seen = self._seen(xr.concat([*self._before[asked], read], "time", data_vars="minimal"))
        return seen.only(seen.times > fields["time"].values[0] - self.step)

    def near(self, tracks: xr.Dataset, **columns: Any) -> xr.Dataset:
        """Return the tracks that come into the region in the period, all of each.

        Args:
            tracks: A table.
            **columns: Values that all of its records have, such as `number`.
        """
        latitude, longitude = tracks["latitude"].values, tracks["longitude"].values
        inside = np.isin(tracks["time"].values, self.times) & self.case.region.contains(latitude, longitude)
        ids = tracks["track_id"].values
        own = tracks.isel({table.RECORD: np.flatnonzero(np.isin(ids, np.unique(ids[inside])))})
        added = {name: np.full(own.sizes[table.RECORD], value) for name, value in columns.items()}
        return table.make({name: own[name].values for name in table.columns_of(own)} | added)

    def index_of(self, fields: xr.Dataset) -> np.ndarray:
        """Return the hazard's index of analyses in the region, `[time, lat, lon]`, NaN outside."""
        index = self.hazard.index(cut(fields, self.held).compute(), self.definition, self.threshold)
        return np.where(self.inside, index.transpose("time", "latitude", "longitude").values, np.nan)

    def sent(self, init_times: np.ndarray) -> Self:
        """Return what sees the members of forecasts alike, with no other analyses than those of before they began."""
        times = self.truth["time"].values
        near = (times >= init_times.min() - self.history) & (times < init_times.max() + np.timedelta64(1, "D"))
        own = replace(self, truth=self.truth.isel(time=np.flatnonzero(near)), _before={})
        known = {name: getattr(self, name) for name in ("true", "times", "inside", "whole_grid", "grid", "weights")}
        vars(own).update(known)
        return own

    def as_field(self, values: np.ndarray, coords: Mapping[str, Any]) -> xr.DataArray:
        """Return values `[*coords, lat, lon]` at the cells that are seen, NaN outside the region."""
        return self.as_dataset(np.where(self.inside, values, np.nan), coords)[CARRIER]

    def as_dataset(self, values: np.ndarray, coords: Mapping[str, Any]) -> xr.Dataset:
        """Return values `[*coords, lat, lon]` at the cells that are seen, by the name `CARRIER`."""
        horizontal = {"latitude": np.array(self.grid.latitude), "longitude": np.array(self.grid.longitude)}
        own = ((*coords, *horizontal), values, {"units": "1"})
        return xr.Dataset({CARRIER: own}, {**coords, **horizontal})

    def _without_masked(self) -> Self:
        """Leave cells out of the region that never have a value of the truth, or lack a threshold, unless all do."""
        never = self.inside & np.isnan(self.true.index).all(axis=0)
        masked = never | self.inside & self._without_threshold()
        if not masked.any() or (masked == self.inside).all():
            return self
        for own, told in (
            (never, "the truth has no value at any time of the period"),
            (masked & ~never, "the climatology misses values, so that there is no threshold"),
        ):
            if own.any():
                _logger.warning(
                    "%s at %d of %d cells of the region: they are left out", told, own.sum(), self.inside.sum()
                )
        return replace(self, masked=masked, _before={})

    def _without_threshold(self) -> np.ndarray:
        """Return where a threshold is missing at some time of the period, above which nothing would ever be."""
        if self.threshold is None:
            return np.zeros(self.inside.shape, bool)
        fields = self.threshold.at(self.times)
        missing = (fields if self.hazard.extent == "region" else cut(fields, self.held)).isnull().to_array()
        found = missing.any([dim for dim in missing.dims if dim not in ("latitude", "longitude")])
        if (found.values | ~self.inside).all():
            raise UserError(
                "the climatology misses values everywhere in the region, so that there is no threshold; give a period"
                " of whole fields: climatology: {period: [first, last]}"
            )
        return np.asarray(found.transpose("latitude", "longitude").values)

    def _known(self, times: np.ndarray, init_time: np.datetime64) -> list[xr.Dataset]:
        """Return analyses before a forecast, spaced as it is."""
        own = self.before(times, init_time)
        if not len(own.places):
            return []
        return [self._read(self.truth.isel(time=own.places)).assign_coords(time=own.times)]

    def _read(self, fields: xr.Dataset) -> xr.Dataset:
        own: xr.Dataset = cut(fields, self.held) if self.hazard.extent == "region" else fields
        return own.compute()

    def _seen(self, fields: xr.Dataset) -> Seen:
        made = self.hazard.make(fields, self.definition, self.threshold)
        whole = self.hazard.extent == "everything"
        event, index = (cut(own, self.held) if whole else own for own in (made.event, made.index))
        values = [own.transpose("time", "latitude", "longitude").values for own in (event, index)]
        return Seen(
            event["time"].values.astype("datetime64[ns]"),
            (values[0] == 1) & self.inside,  # NaN where it is not known, which `require_values` refuses
            np.where(self.inside, values[1], np.nan).astype(np.float64),
            made.tracks,
            str(made.index.name or self.case.hazard),
            str(made.index.attrs.get("units", "")),
        )

    def _threshold(self, usual: xr.Dataset, valid: np.ndarray) -> Reference:
        climatology = self.case.climatology
        if climatology is None or self.hazard.threshold is None:
            raise UserError(
                f"{self.hazard.one} is told from what is usual; say of which period: climatology: {{period: [first,"
                " last]}"
            )
        own = self.usual(usual)
        chosen = own.isel(time=np.flatnonzero(is_within(own["time"].values, climatology.period)))
        if not chosen.sizes["time"]:
            raise UserError(f"the climatology has no time in {show_periods(climatology.period)}; choose another period")
        first, last = parse_period(self.case.period)
        at, all_times = np.array([first, last, valid.min(), valid.max()]), self.truth["time"].values
        until = max(last + self.history, valid.max())
        there = all_times[(all_times >= at.min() - self.history) & (all_times <= until)]
        days = np.arange(at.min().astype("datetime64[D]"), at.max().astype("datetime64[D]") + np.timedelta64(1, "D"))
        asked = np.union1d(there, days.astype("datetime64[ns]"))  # of which forecasts have each
        fields = cut(chosen, self.held) if self.hazard.extent == "region" else chosen
        try:
            return _Remembered(self.hazard.threshold(fields, self.definition, asked))
        except UserError as error:
            span = f"{asked.min():.10} .. {asked.max():.10} of the event, the forecasts and history={self.case.history}"
            raise error.within(f"climatology.period {' .. '.join(climatology.period)}, for {span}: ") from None

    def _require_grid(self, fields: xr.Dataset, owner: str) -> None:
        own, wanted = LatLonGrid.from_dataset(fields), self.whole_grid
        if not own.is_same(wanted):
            raise UserError(
                f"{owner} lies on {own.n_lat} x {own.n_lon} points and the truth on {wanted.n_lat} x"
                f" {wanted.n_lon}; bring both to one grid with weatherml convert --grid"
            )


def require_times(times: np.ndarray, case: Case) -> None:
    """Require analyses to be of each time once, and of all times of the period that they are spaced by.

    Raises:
        UserError: One comes twice, or is missing, or none lies in the period.
    """
    known, counts = np.unique(times, return_counts=True)
    for time in known[counts > 1][:1]:
        raise UserError(f"the truth has {time:.16} twice; keep one of each time")
    own = known[is_within(known, case.period)]
    if not len(own):
        covers = f"; it covers {known[0]:.16} .. {known[-1]:.16}: choose a period inside" if len(known) else ", nor any"
        raise UserError(f"the truth has no time in {show_periods(case.period)}{covers}")
    steps = np.diff(own)
    for place in np.flatnonzero(steps > steps.min(initial=np.timedelta64(2**62, "ns")))[:1]:
        raise UserError(
            f"the truth lacks {own[place] + steps.min():.16}, of the period {' .. '.join(case.period)}; give analyses"
            f" of every {format_duration(steps.min())}"
        )


def of_variables(dataset: xr.Dataset, hazard: Hazard, owner: str) -> xr.Dataset:
    """Keep what a hazard is made of.

    Raises:
        UserError: Something of it is missing.
    """
    lacking = [name for name in hazard.variables if name not in dataset.data_vars]
    if lacking:
        raise UserError(
            f"{owner} has no {listed(lacking)}, of which {hazard.one} is made, only {listed(dataset.data_vars)};"
            " give data that have it"
        )
    return dataset[list(hazard.variables)]


def regional(field: np.ndarray, stage: Stage) -> np.ndarray:
    """Return the one number of the region at each time `[time]`, of a field `[time, lat, lon]`."""
    inside: Mapping[str, Any] = {"where": stage.inside, "axis": (1, 2)}
    if stage.hazard.summary == "mean":
        return np.asarray((np.where(stage.inside, field, 0) * stage.weights).sum(axis=(1, 2)))
    if stage.hazard.summary == "maximum":
        return np.asarray(field.max(initial=-np.inf, **inside))
    return np.asarray(field.min(initial=np.inf, **inside))
