"""How probable a forecast says that a heat wave is: by place and date, and for a region the earlier the better."""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from weatherml.errors import UserError
from weatherml.extremes.hazards.heat.definition import Spell
from weatherml.extremes.hazards.heat.waves import Stretch, along_days
from weatherml.extremes.thresholds.climates import Thresholds
from weatherml.extremes.tracks.members import each_member
from weatherml.grid import LatLonGrid
from weatherml.times import TimeLike, parse_time
from weatherml.verification.aggregation.regions import Region
from weatherml.verification.baselines.lazy_forecast import lazy_forecast


def members_in_spell(
    forecast: xr.Dataset,
    definition: Spell,
    threshold: Thresholds,
    before: xr.Dataset | None = None,
) -> xr.Dataset:
    """Return where each member is in a heat wave, or cold spell: 1 or 0, computed as it is read; NaN where not known.

    It holds the days of which that is known, whatever comes after the last day: of three days in a row the last two
    are left out, and the first two as well without `before`. So all statistics of probabilities judge it fairly against
    `truth_in_spell`: `verification.evaluate(members, truth, ["brier(threshold=0.5)", "roc_area(threshold=0.5)"])`.

    Args:
        forecast: Dims (init_time, lead_time, number, latitude, longitude); no number where deterministic.
        definition: What a spell is.
        threshold: Of each date.
        before: Analyses, of the days just before each initial time.

    Returns:
        Dims (init_time, lead_time, number, latitude, longitude), leads to the beginning of each day. The variable is
        called as the temperature that it is taken of, by which verification knows it.

    Raises:
        UserError: The forecast begins at several hours of the day, or no day of it is known.
    """
    if "init_time" not in forecast.dims or "lead_time" not in forecast.dims:
        raise UserError("members in a spell are those of a forecast; pass one with dims init_time and lead_time")
    init_times = forecast["init_time"].values
    if len(np.unique(init_times - init_times.astype("datetime64[D]"))) > 1:
        raise UserError(
            "the forecasts begin at several hours of the day, so their days have other leads; choose those of one hour,"
            " by forecast.sel(init_time=forecast.init_time.dt.hour == 0)"
        )
    events = _Events(forecast, definition, threshold, before)
    leads = events.leads()
    first = events.at(definition.variable, init_times[:1], leads[:1]).to_dataset()
    return lazy_forecast(events.at, first, init_times, leads)


def truth_in_spell(analyses: xr.Dataset, definition: Spell, threshold: Thresholds) -> xr.Dataset:
    """Return where and when analyses are in a heat wave, or cold spell, for `members_in_spell`: 1 or 0, in memory.

    NaN where that hangs on values or days that are missing: `verification.evaluate` counts what is known alone where
    told `missing="count"`, or says that something is missing. The first and the last days are those that are there.
    """
    stretch = Stretch.of(analyses, definition, threshold)
    own = along_days(np.stack([told for _, told in stretch.told()]), stretch.days, definition.variable)
    return own.assign_attrs(_EVENT | stretch.days.told).to_dataset()


_EVENT = {"units": "1", "long_name": "whether it is in a spell"}


@dataclass(frozen=True, eq=False)
class _Events:
    """Computes where members are in a spell, for some initial times and leads."""

    forecast: xr.Dataset
    definition: Spell
    threshold: Thresholds
    before: xr.Dataset | None

    def leads(self) -> np.ndarray:
        init_time = self.forecast["init_time"].values[0]
        known = self._stretch(self.forecast.isel(init_time=[0]))[0].known
        if not len(known):
            raise UserError(
                f"no day of the forecast is known to be in a {self.definition.words} or not: it takes"
                f" {self.definition.minimum_days} whole days in a row; pass longer forecasts, and before="
            )
        leads: np.ndarray = known - init_time
        return leads

    def at(self, name: str, init_times: np.ndarray, leads: np.ndarray) -> xr.DataArray:
        """Return `(init_time, lead_time, number, latitude, longitude)`."""
        runs = [self._of_run(init_time, leads) for init_time in init_times]
        found = xr.concat(runs, "init_time").transpose("init_time", "lead_time", ...)
        return found.assign_coords(init_time=init_times).rename(name).assign_attrs(_EVENT)

    def _of_run(self, init_time: np.datetime64, leads: np.ndarray) -> xr.DataArray:
        members = []
        for stretch in self._stretch(self.forecast.sel(init_time=[init_time])):
            days = stretch.within(init_time + leads)
            own = {date: told for date, told in days.told() if (date - init_time) in leads}
            members.append(np.stack([own[init_time + lead] for lead in leads]))
        return self._labelled(members, leads)

    def _labelled(self, members: list[np.ndarray], leads: np.ndarray) -> xr.DataArray:
        places = {dim: self.forecast[dim] for dim in ("latitude", "longitude")}
        if "number" not in self.forecast.dims:
            return xr.DataArray(members[0], {"lead_time": leads} | places, ("lead_time", *places))
        coords = {"lead_time": leads, "number": self.forecast["number"]} | places
        return xr.DataArray(np.stack(members, axis=1), coords, tuple(coords))

    def _stretch(self, run: xr.Dataset) -> list[Stretch]:
        given = self.definition, self.threshold, self.before
        return [Stretch.of(own.fields, *given, own.init_time) for own in each_member(run)]


def early_signal(members: xr.Dataset, region: Region, date: TimeLike, least_share: float = 0.25) -> xr.Dataset:
    """Return how probable it was for a region to be in a heat wave on a date, forecast after forecast.

    Args:
        members: From `members_in_spell`; one initial time is read at once.
        region: Where.
        date: The day.
        least_share: Of the area of the region that has to be in a heat wave.

    Returns:
        Dims (init_time), of those forecasts that reach the day: `probability`, the share of members of which so much of
        the region is in a heat wave; `area_share`, the mean over members; `lead_time`, to the beginning of the day. NaN
        where a member misses values that it hangs on.

    Raises:
        UserError: No forecast reaches the day, or the region holds no cell.
    """
    day = parse_time(date).astype("datetime64[D]").astype("datetime64[ns]")
    grid = LatLonGrid.from_dataset(members)
    area = grid.cell_areas()[:, None] * region.holds(grid)
    if not area.any():
        raise UserError(f"{region} holds no cell of the grid; pass a wider one")
    leads = day - members["init_time"].values
    reached = np.flatnonzero(np.isin(leads, members["lead_time"].values))
    if not len(reached):
        raise UserError(
            f"no forecast says of {str(day)[:10]} whether it is in a heat wave; choose a day between the first and the"
            " last that members_in_spell knows"
        )
    (name,) = members.data_vars
    signals = []
    for place in reached:
        own = members[name].isel(init_time=place).sel(lead_time=leads[place])
        signals.append(_signal(own.values.reshape(-1, *grid.shape), area / area.sum(), least_share))
    values = dict(zip(("probability", "area_share"), np.transpose(signals), strict=True))
    coords = {"init_time": members["init_time"].values[reached], "lead_time": ("init_time", leads[reached])}
    signal = xr.Dataset({key: ("init_time", own) for key, own in values.items()}, coords)
    return signal.assign_attrs(date=str(day)[:10], least_share=least_share, region=str(region))


def _signal(members: np.ndarray, weights: np.ndarray, least: float) -> tuple[float, float]:
    """Return in which share of members `[number, lat, lon]` enough is in a spell, and how much is in their mean."""
    low, high = ((np.nan_to_num(members, nan=filled) * weights).sum(axis=(-2, -1)) for filled in (0.0, 1.0))
    is_known = ((low >= least) == (high >= least)).all()
    return float((low >= least).mean() if is_known else np.nan), float(low.mean() if (low == high).all() else np.nan)
