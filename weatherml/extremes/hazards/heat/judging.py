"""Heat waves of forecasts beside those that came: which is which, and how far onset, end, area and strength are off."""

from functools import partial

import numpy as np
import xarray as xr
from scipy.sparse import coo_array, csr_array

from weatherml.errors import UserError
from weatherml.extremes.hazards.daily import DAY
from weatherml.extremes.hazards.heat.definition import Spell
from weatherml.extremes.hazards.heat.waves import Stretch, Waves
from weatherml.extremes.objects import Interest, Weights, match, overlaps
from weatherml.extremes.thresholds.climates import Thresholds
from weatherml.extremes.tracks.members import Member, map_members
from weatherml.process.workers import HERE, Workers

WEIGHTS = Weights(
    centroid=Interest(1, 200, 2000),
    separation=Interest(0, 0, 400),
    angle=Interest(0, 30, 90),
    area=Interest(1, 0.8, 0),
    overlap=Interest(2, 0.5, 0),
    least=0.5,
)
"""Of pairs of heat waves: they are large, and are one where they cover the same places on the same days."""


def compare(
    forecast: xr.Dataset,
    analyses: xr.Dataset,
    definition: Spell,
    threshold: Thresholds,
    weights: Weights = WEIGHTS,
    workers: Workers = HERE,
) -> xr.Dataset:
    """Pair the heat waves of each member with those that came, and say by how much they are off.

    Both are looked for on the same days: those of the forecast, and of the analyses as many before it as a spell may
    have begun earlier. So what has begun before, or goes on after the last day, is cut in both alike; errors of an
    onset or an end that is cut in either are NaN. One member is read at a time, some days at once.

    Args:
        forecast: Dims (init_time, lead_time, number, latitude, longitude); no number where deterministic.
        analyses: Dims (time, latitude, longitude), with all valid times, and the days before, at the same hours.
        definition: What a heat wave, or cold spell, is.
        threshold: Of each date.
        weights: Which heat waves are one: by centroid, area and overlap in space and time.
        workers: Who looks through members.

    Returns:
        Dim `pair`, a forecast heat wave and the one that came (`onset`, `end`), with `init_time`, `number` where there
        are members, and their `interest`. Errors, forecast less truth: `onset_error`, `end_error` (too early below 0),
        `duration_error` days, `area_error` and `largest_area_error` km2, `maximum_exceedance_error` K and
        `cumulated_exceedance_error` K day; `centroid_distance` km and `overlap_ratio`. And dims (run), one forecast of
        one member: `hits`, `misses` and `false_alarms`, with coordinates `run_init_time` and `run_number`.

    Raises:
        UserError: As `waves.Stretch.of`; or the analyses lack a day of the forecast.
    """
    judge = partial(_of_member, analyses=analyses, definition=definition, threshold=threshold, weights=weights)
    results = list(map_members(judge, forecast, workers))
    pairs = xr.concat([own for own, _ in results], "pair")
    return pairs.merge(xr.concat([own for _, own in results], "run")).assign_attrs(results[0][0].attrs)


def _of_member(
    member: Member, analyses: xr.Dataset, definition: Spell, threshold: Thresholds, weights: Weights
) -> tuple[xr.Dataset, xr.Dataset]:
    own = Stretch.of(member.fields, definition, threshold, analyses, member.init_time)
    other = _same_days(own, analyses)
    waves, truth, together = Waves(own.grid, definition), Waves(own.grid, definition), _Together()
    for one, two in zip(own, other, strict=True):
        together.add(overlaps(waves.add(one), truth.add(two), own.grid))
    tables = waves.table(), truth.table()
    sums = together.joined(waves.final(), truth.final())
    found = match(_as_objects(tables[0]), _as_objects(tables[1]), sums, weights=weights)
    days = own.days.dates
    pairs = _errors(*tables, found, days[0], days[-1])
    counts = {"hits": "pair", "misses": "miss", "false_alarms": "false_alarm"}
    run = xr.Dataset({name: ("run", [found.sizes[dim]]) for name, dim in counts.items()})
    for name, value in member.columns.items():
        pairs[name] = ("pair", np.full(pairs.sizes["pair"], value))
        run = run.assign_coords({f"run_{name}": ("run", np.array([value]))})
    return pairs.assign_attrs(own.days.told | {"definition": str(definition)}), run


def _same_days(forecast: Stretch, analyses: xr.Dataset) -> Stretch:
    """Return the days of a forecast as they came."""
    days = forecast.definition.days(analyses).only(forecast.days.dates)
    forecast.days.require_alike(days, "the truth")
    for lacking in np.setdiff1d(forecast.days.dates, days.dates):
        raise UserError(
            f"the analyses have not all hours of {str(lacking)[:10]}, which the forecast has; pass longer ones, or"
            " leave leads out"
        )
    earlier = forecast.earlier and forecast.definition.days(analyses).only(forecast.earlier.dates)
    return Stretch(days, earlier, forecast.definition, forecast.threshold)


class _Together:
    """What pairs of provisional labels cover together, km2 day."""

    def __init__(self) -> None:
        self._days: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def add(self, overlap: csr_array) -> None:
        """Take in one day's `[forecast label - 1, truth label - 1]`."""
        own = overlap.tocoo()
        self._days.append((own.row + 1, own.col + 1, own.data))

    def joined(self, forecast: np.ndarray, truth: np.ndarray) -> csr_array:
        """Return `[forecast label - 1, truth label - 1]` of final labels, which are given for provisional ones."""
        own, other, areas = (np.concatenate(parts) for parts in zip(*self._days, strict=True))
        shape = forecast.max(initial=0), truth.max(initial=0)
        return coo_array((areas, (forecast[own] - 1, truth[other] - 1)), shape=shape).tocsr()


def _as_objects(table: xr.Dataset) -> xr.Dataset:
    return table.rename(mean_exceedance="mean")


def _errors(
    forecast: xr.Dataset, truth: xr.Dataset, found: xr.Dataset, first: np.datetime64, last: np.datetime64
) -> xr.Dataset:
    """Return the differences of the objects of pairs."""
    own, other = (
        table.isel(object=np.searchsorted(table["label"].values, found[name].values)).drop_vars("label")
        for name, table in (("forecast", forecast), ("truth", truth))
    )

    def days(name: str, border: np.datetime64, side: int) -> np.ndarray:
        pair = own[name].values, other[name].values
        is_cut = [(values <= border) if side < 0 else (values >= border) for values in pair]
        return np.where(is_cut[0] | is_cut[1], np.nan, (pair[0] - pair[1]) / DAY)

    errors = {"onset_error": days("onset", first, -1), "end_error": days("end", last, 1)}
    errors |= {f"{name}_error": own[name].values - other[name].values for name in _COMPARED}
    kept = {name: found[name].values for name in ("interest", "centroid_distance", "overlap_ratio")}
    pairs = xr.Dataset({name: ("pair", np.asarray(values, float)) for name, values in (kept | errors).items()})
    for name, units in _UNITS.items():
        pairs[name].attrs["units"] = units
    return pairs.assign(onset=("pair", other["onset"].values), end=("pair", other["end"].values))


_COMPARED = ("duration", "area", "largest_area", "maximum_exceedance", "cumulated_exceedance")
_UNITS = {
    "onset_error": "day",
    "end_error": "day",
    "duration_error": "day",
    "area_error": "km2",
    "largest_area_error": "km2",
    "maximum_exceedance_error": "K",
    "cumulated_exceedance_error": "K day",
    "centroid_distance": "km",
}
