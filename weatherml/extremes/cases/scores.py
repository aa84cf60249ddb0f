"""How good systems were at one event, with intervals over the initial times, and how they differ."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product

import numpy as np
import pandas as pd
import xarray as xr

from weatherml.extremes.cases.running import Outcome
from weatherml.extremes.cases.stage import CARRIER, Stage, regional
from weatherml.extremes.cases.told import Told
from weatherml.extremes.cases.watching import METRICS, SystemOutcome
from weatherml.sphere.great_circles import distance
from weatherml.verification.cards import Pairs, scorecards
from weatherml.verification.formulas import crps_fair
from weatherml.verification.significance.method import Bounds
from weatherml.verification.significance.methods import method_named
from weatherml.verification.significance.sample import Sample
from weatherml.verification.systems import summarize_systems

BOUNDS = ("estimate", "lower", "upper")
_HOUR = np.timedelta64(1, "h")
_Z = 1.959963984540054  # of the normal distribution, 95 % between -z and z
_FEWEST = 5
"""Forecasts of which a lead's interval is told; of fewer it tells nothing."""


def event_scores(outcome: Outcome) -> xr.Dataset:
    """Return Brier scores and the area under the ROC curve of the event at each cell and time, by lead.

    Intervals are over initial times of one event, and told of leads that five of them at least have in the period.

    Dims (system, bound, channel, lead_time), as `verification.evaluate_systems`; of ensembles of one `brier` alone.
    """
    sums = {name: own.sums for name, own in outcome.systems.items()}
    scores = summarize_systems(sums, METRICS, interval=outcome.case.interval)
    scores = scores.assign_coords(channel=[_words(str(name), outcome) for name in scores["channel"].values])
    few = n_judged(outcome) < _FEWEST
    hidden = {
        name: own.where((own["bound"] == "estimate") | ~few) for name, own in scores.items() if "bound" in own.dims
    }
    return scores.assign(hidden)


def n_judged(outcome: Outcome) -> xr.DataArray:
    """Return how many forecasts are valid in the period, dims (lead_time), at each lead that any system has."""
    times = outcome.stage.times
    counts = [
        xr.DataArray(np.isin(_valid(own), times).sum(axis=0), {"lead_time": own.series["lead_time"].values})
        for own in outcome.systems.values()
    ]
    return xr.concat(counts, "system", join="outer", fill_value=0).max("system")


def event_differences(outcome: Outcome) -> Pairs:
    """Return where systems differ from those of `against` in the Brier score, by who is compared with whom.

    Whether a difference is more than chance is told of leads of which five forecasts at least lie in the period.
    """
    first, beaten = sides(outcome)
    if not first:
        return {}
    sums = {name: outcome.systems[name].sums for name in outcome.systems}
    compared = scorecards(
        {name: sums[name] for name in first},
        {name: sums[name] for name in beaten},
        {"brier": METRICS["brier"]},
        interval=outcome.case.interval,
    )
    few = n_judged(outcome) < _FEWEST
    return {
        names: _untold(own, few.sel(lead_time=own["lead_time"])).assign_coords(
            channel=[_words(str(name), outcome) for name in own["channel"].values]
        )
        for names, own in compared.items()
    }


def _untold(compared: xr.Dataset, few: xr.DataArray) -> xr.Dataset:
    """Leave the differences alone where there are too few forecasts to tell whether they are more than chance."""
    hidden = {name: compared[name].where(~few) for name in ("lower", "upper", "p_value")}
    decided = {name: compared[name].where(~few, 0).astype(compared[name].dtype) for name in ("significant", "better")}
    return compared.assign(hidden | decided)


def sides(outcome: Outcome) -> tuple[list[str], list[str]]:
    """Return which systems are compared, and with which: with the first one where none are named."""
    names = list(outcome.systems)
    beaten = [name for name in outcome.case.against if name in names] or names[:1]
    return [name for name in names if name not in beaten], beaten


def index_scores(outcome: Outcome) -> xr.DataArray:
    """Return the fair CRPS of the region's index, of one forecast its absolute error.

    Returns:
        Dims (system, bound, lead_time), units of the index; NaN at leads that never lie in the period.
    """
    made = [_bounded([own], outcome, lambda mean: mean) for own in outcome.systems.values()]
    return xr.concat(made, xr.Variable("system", list(outcome.systems)), join="outer").rename("crps_fair")


def index_differences(outcome: Outcome) -> dict[tuple[str, str], xr.DataArray]:
    """Return the CRPS of the first system less that of the second, dims (bound, lead_time), in pairs of forecasts."""
    first, beaten = sides(outcome)
    systems = outcome.systems
    return {
        (one, other): _bounded([systems[one], systems[other]], outcome, lambda own, its: own - its)
        for one, other in product(first, beaten)
        if np.array_equal(systems[one].series["lead_time"].values, systems[other].series["lead_time"].values)
    }


def errors(outcome: Outcome, lead: np.timedelta64 | None = None) -> pd.DataFrame:
    """Return a row a system and initial time: how its members that have the event err in when, how much and where.

    Columns: `system`, `init_time`, `lead` to the event's onset, `members`, `probability` that the event happens; and
    medians over the members in which it does: `onset_error` and `end_error` in hours (later is positive; NaN where
    the period cuts the event), `peak_error` in units of the index, of all members, and `place_error` in km.
    """
    rows = [row for name, own in outcome.systems.items() for row in _rows(name, own, outcome)]
    return pd.DataFrame(rows)


def first_signal(own: SystemOutcome, truth: Told, least: float = 0.5) -> np.timedelta64 | None:
    """Return how long before the onset the event was likely, at that initial time and at all later ones.

    None where it was not likely before the onset, or did not happen.
    """
    if not truth.happened:
        return None
    probability = own.probability_of_happening
    before = probability[probability.index < pd.Timestamp(truth.onset)]
    unlikely = before.index[before < least]
    after = before if not len(unlikely) else before[before.index > unlikely[-1]]
    return None if after.empty else truth.onset - after.index[0].to_datetime64()


def happening(own: SystemOutcome) -> xr.DataArray:
    """Return the probability that the event happens by initial time, and what it would be of infinitely many members.

    Returns:
        Dims (bound, init_time), 0 to 1: the share of members, and the bounds that hold with 95 % the probability of
        which so many members are a sample (Wilson 1927, doi:10.1080/01621459.1927.10502953); NaN of one forecast.
    """
    shares, n = own.probability_of_happening, own.n_members
    middle = (shares.values + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * np.sqrt(shares.values * (1 - shares.values) / n + _Z**2 / (4 * n**2))
    bounds = np.stack([middle - half, middle + half]) if n > 1 else np.full((2, len(shares)), np.nan)
    values = np.concatenate([shares.values[None], np.clip(bounds, 0, 1)])
    return xr.DataArray(values, {"bound": list(BOUNDS), "init_time": shares.index.values}, name="probability")


def _rows(name: str, own: SystemOutcome, outcome: Outcome) -> Iterator[dict[str, object]]:
    truth, cut = outcome.truth, outcome.cut
    for init_time, members in own.members.groupby("init_time"):
        have = members[members["happened"]]
        place = distance(have["latitude"], have["longitude"], truth.latitude, truth.longitude)
        yield {
            "system": name,
            "init_time": init_time,
            "members": len(members),
            "probability": float(members["happened"].mean()),
            "onset_error": np.nan if cut.onset else _median(_hours(have["onset"].values, truth.onset)),
            "end_error": np.nan if cut.end else _median(_hours(have["end"].values, truth.end)),
            "peak_error": _median(members["peak"].values - truth.peak),
            "place_error": _median(place),
        }


def _hours(times: np.ndarray, true: np.datetime64) -> np.ndarray:
    return np.asarray((times - true) / _HOUR) if not np.isnat(true) else np.full(len(times), np.nan)


def _median(values: np.ndarray) -> float:
    return float(np.median(values)) if len(values) else np.nan


def _bounded(systems: Sequence[SystemOutcome], outcome: Outcome, function: Callable[..., np.ndarray]) -> xr.DataArray:
    """Return a function of mean scores with its bounds, dims (bound, lead_time)."""
    scored = [_crps(own, outcome.stage) for own in systems]
    sample = Sample([own for own, _ in scored], [weight for _, weight in scored], function, _inits(systems[0]))
    bounds: Bounds = method_named(outcome.case.interval).judge(sample)
    values = np.stack([getattr(bounds, name) for name in BOUNDS])
    values[1:, scored[0][1].sum(axis=0) < _FEWEST] = np.nan
    leads = systems[0].series["lead_time"].values
    return xr.DataArray(values, {"bound": list(BOUNDS), "lead_time": leads}, name="crps_fair")


def _valid(own: SystemOutcome) -> np.ndarray:
    """Return `[init, lead]`."""
    return np.asarray(own.series["valid_time"].transpose("init_time", "lead_time").values)


def _inits(own: SystemOutcome) -> np.ndarray:
    return np.asarray(own.series["init_time"].values)


def _crps(own: SystemOutcome, stage: Stage) -> tuple[np.ndarray, np.ndarray]:
    """Return the score of each forecast and whether it counts, both `[init, lead]`."""
    valid = _valid(own)
    counts = np.isin(valid, stage.times)
    index = regional(stage.true.index, stage)
    truth = index[np.searchsorted(stage.times, np.where(counts, valid, stage.times[0]))]
    members = own.series["index"].transpose("number", "init_time", "lead_time").values
    return np.where(counts, crps_fair(members, truth), 0.0), counts.astype(float)


def _words(channel: str, outcome: Outcome) -> str:
    return outcome.stage.hazard.words.replace(" ", "_") if channel == CARRIER else channel


def summary(outcome: Outcome) -> Mapping[str, object]:
    """Return what came of a case in values that JSON has."""
    truth = outcome.truth
    return {
        "case": outcome.case.name,
        "hazard": outcome.case.hazard,
        "happened": truth.happened,
        "onset": _time(truth.onset),
        "end": _time(truth.end),
        "cut_by_period": {"onset": outcome.cut.onset, "end": outcome.cut.end},
        "peak": {"time": _time(truth.peak_time), "value": truth.peak},
        "largest_share": truth.largest_share,
        "share_asked": outcome.case.share_asked,
        "remarks": list(outcome.remarks),
        "systems": {name: _summary_of(own, outcome) for name, own in outcome.systems.items()},
        "errors": [{key: _plain(value) for key, value in row.items()} for row in errors(outcome).to_dict("records")],
    }


def write_asked(share: float) -> str:
    """Write which part of a region has to be in the event."""
    return f"{100 * share:g} %" if share else "any cell"


def _summary_of(own: SystemOutcome, outcome: Outcome) -> dict[str, object]:
    signal = first_signal(own, outcome.truth)
    by_init = {_time(init.to_datetime64()): float(share) for init, share in own.probability_of_happening.items()}
    hours = None if signal is None else float(signal / _HOUR)
    return {"members": own.n_members, "probability": by_init, "likely_hours_before_onset": hours}


def _plain(value: object) -> object:
    if isinstance(value, pd.Timestamp):
        return _time(value.to_datetime64())
    return None if isinstance(value, float) and np.isnan(value) else value


def _time(time: np.datetime64) -> str | None:
    return None if np.isnat(time) else str(np.datetime_as_string(time, "m"))
