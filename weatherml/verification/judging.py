"""Judge forecasts against truth, per channel and lead time, with intervals over init times."""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import TypedDict, Unpack, get_args

import numpy as np
import xarray as xr

from weatherml.errors import Option, UserError, require_kind
from weatherml.errors.wording import listed
from weatherml.grid import OPEN_FIRST, LatLonGrid
from weatherml.references import Reference, warn_of_knowing
from weatherml.state import on_grid
from weatherml.times import require_told
from weatherml.verification.aggregation.adding import NOTHING
from weatherml.verification.aggregation.gathering import Progress
from weatherml.verification.aggregation.grouping import By, require_groups
from weatherml.verification.aggregation.judgement import Judgement
from weatherml.verification.aggregation.regions import Region
from weatherml.verification.aggregation.sums import StatisticSums
from weatherml.verification.campaign.online import OnlineForecast
from weatherml.verification.campaign.running import Campaign
from weatherml.verification.metrics import scoring
from weatherml.verification.metrics.base import Metric
from weatherml.verification.metrics.registry import judged, metrics_named
from weatherml.verification.metrics.units import with_units
from weatherml.verification.pairing.axes import told
from weatherml.verification.pairing.control import N_MEMBERS, Control, described, ensemble
from weatherml.verification.pairing.domain import Domain
from weatherml.verification.pairing.matched import Matched, Missing
from weatherml.verification.pairing.notes import as_attribute
from weatherml.verification.pairing.plausible import warn_of_values
from weatherml.verification.significance.method import Method
from weatherml.verification.significance.methods import method_named
from weatherml.verification.statistics.base import Statistic

_AS_NUMBER = {"threshold": "threshold", "probability": "base_rate"}
"""Parameters that stand for a reference, where it is the same number everywhere."""

Metrics = str | Sequence[str] | Mapping[str, Metric]
"""One or more names in `verification.metrics.registry`, or metrics by names of one's own."""


class How(TypedDict, total=False):
    """How forecasts are judged, as all functions that judge them take it.

    Attributes:
        regions: Over which parts of the globe, by name or with their bounds; all that is covered where none are given.
        missing: "refuse", or "count": valid times without truth are left out, points count wherever all is finite, and
            `share_judged` tells how much of the area of the region that is.
        references: Other fields that metrics compare with, by name.
        control: Whether number 0 is one of the ensemble ("in"), or left out of all scores ("out").
    """

    regions: Sequence[str] | Mapping[str, Region] | None
    missing: Missing
    references: Mapping[str, xr.Dataset | Reference] | None
    control: Control


def evaluate(
    forecast: xr.Dataset | OnlineForecast,
    truth: xr.Dataset,
    metrics: Metrics = ("rmse", "mae", "bias"),
    climatology: xr.Dataset | Reference | None = None,
    progress: Progress | None = None,
    *,
    by: By | None = None,
    interval: str | Method = "circular",
    campaign: Campaign | None = None,
    **how: Unpack[How],
) -> xr.Dataset:
    """Score a forecast.

    Every statistic is first averaged over the area, weighted with exact cell areas, and over init times; the metric's
    function (a root, a ratio) comes last. One init time and some lead times are in memory at once, so either dataset
    may be larger than memory.

    Args:
        forecast: Dims (init_time, lead_time, number, level, latitude, longitude); no number where deterministic. The
            metrics of one field, such as rmse, are those of the mean over number. Or one that is judged as it is made.
        truth: Dims (time, level, latitude, longitude), with every valid time. Where it is NaN (a sea surface
            temperature over land) the point does not count; that mask must be the same at all times.
        metrics: What is wanted.
        climatology: For the metrics of anomalies, acc and activity: a `Climatology`, which is asked for the valid times
            of each block; a dataset that holds them; or one by hour and dayofyear, as WeatherBench 2's.
        progress: Called with the number of init times done and of all.
        by: Into which groups of times: `season`, `month`, `init_hour` or `valid_hour`.
        interval: How intervals are had, by a name in `significance.methods` or a method with parameters.
        campaign: By whom init times are judged, side by side, and where their sums are kept.
        **how: `regions`, `missing`, `references`, `control`: see `How`.

    Returns:
        One variable for each metric, dims (bound, [by,] channel, [region,] lead_time): estimate, and lower and upper
        bound of the 95 % interval over init times (NaN where these are too few); channels such as
        "geopotential_500". Attributes say of how many members, whether number 0 is in, and what of
        an ensemble each metric judges.

    Raises:
        UserError: A metric is unknown or lacks the climatology or ensemble it needs; a channel, a valid time or a
            value of the truth or forecast is missing; or the grids differ.
    """
    method_named(interval)
    require_groups(by)
    sums = accumulate(forecast, truth, metrics, climatology, progress, campaign=campaign, **how)
    return summarize(sums, metrics, by, interval)


def accumulate(
    forecast: xr.Dataset | OnlineForecast,
    truth: xr.Dataset,
    metrics: Metrics,
    climatology: xr.Dataset | Reference | None = None,
    progress: Progress | None = None,
    domain: Domain | None = None,
    *,
    campaign: Campaign | None = None,
    **how: Unpack[How],
) -> StatisticSums:
    """Take what the metrics need of each init time; parts add up in any order.

    Arguments are as in `evaluate`. For parts of one forecast, `domain` is what all of it is judged on
    (`Matched.domain`); a part would take it from its own first valid time. A `campaign` says by whom init times are
    judged, side by side, and where their sums are kept.
    """

    if isinstance(forecast, OnlineForecast):
        used = _used(metrics_named(metrics), climatology, how.get("references"))
        _warn_of_knowing(used, forecast.init_times, forecast.lead_times)

        def ask(part: xr.Dataset, known: Domain | None) -> Judgement:
            own = _judgement(part, truth, metrics, climatology, known, **how)
            if known is None:
                warn_of_values(own.matched)
            return own

        return (campaign or Campaign()).accumulate_online(forecast, ask, progress)
    asked = judgement(forecast, truth, metrics, climatology, domain, **how)
    sums = asked.sums(progress) if campaign is None else campaign.accumulate(asked, progress)
    if not sums.weights.any():
        _require_whole_members(asked.matched.forecast)
    return sums


def judgement(
    forecast: xr.Dataset,
    truth: xr.Dataset,
    metrics: Metrics,
    climatology: xr.Dataset | Reference | None = None,
    domain: Domain | None = None,
    **how: Unpack[How],
) -> Judgement:
    """Return what is to be judged, checked; arguments are as in `accumulate`.

    What knows it already, and what is in other units, is warned of.
    """
    asked = _judgement(forecast, truth, metrics, climatology, domain, **how)
    _warn_of_knowing(asked.matched.references, forecast["init_time"].values, forecast["lead_time"].values)
    if domain is None and asked.matched.shape[0]:
        warn_of_values(asked.matched)
    return asked


def _judgement(
    forecast: xr.Dataset,
    truth: xr.Dataset,
    metrics: Metrics,
    climatology: xr.Dataset | Reference | None = None,
    domain: Domain | None = None,
    *,
    regions: Sequence[str] | Mapping[str, Region] | None = None,
    missing: Missing = "refuse",
    references: Mapping[str, xr.Dataset | Reference] | None = None,
    control: Control = "in",
) -> Judgement:
    """Return what is to be judged of a forecast or a part of it."""
    for name, given in (("forecast", forecast), ("truth", truth), ("climatology", climatology)):
        if name != "climatology" or not (given is None or isinstance(given, Reference)):
            require_kind(given, xr.Dataset, name, OPEN_FIRST)
    if missing not in get_args(Missing):
        raise UserError(f"missing must be 'refuse' or 'count', got {missing!r}; leave it out to refuse")
    require_told(forecast, "the forecast")
    _require_members(forecast)
    forecast = ensemble(forecast, control)
    chosen = metrics_named(metrics)
    known = _known(climatology, references)
    for name, metric in chosen.items():
        _require_inputs(name, metric, forecast, known)
    statistics = [own for metric in chosen.values() for own in metric.statistics]
    used = _used(chosen, climatology, references)
    own_truth = on_grid(truth, LatLonGrid.from_dataset(forecast))
    matched = Matched(forecast, own_truth, used, domain, missing, _compared(statistics))
    for name, metric in chosen.items():
        _require_channels(name, metric, matched)
        _require_circles(name, metric, matched.grid)
    attributes = described(forecast, control) | as_attribute(told(forecast, truth, matched.left_out))
    return Judgement(matched, statistics, regions, attributes)


def summarize(
    sums: StatisticSums, metrics: Metrics, by: By | None = None, interval: str | Method = "circular"
) -> xr.Dataset:
    """Score what `accumulate` has kept; arguments and result are as of `evaluate`."""
    sums.require_counted()  # here, as there may be no metric left that asks for sums, which say so, too
    scores = scoring.summarize(sums, metrics_named(metrics), by, interval)
    n_members = int(scores.attrs.get(N_MEMBERS, 1))
    for name, words in ((str(name), judged(str(name), n_members)) for name in scores.data_vars):
        scores[name].attrs.update({"judged": words} if words else {})
    return with_units(scores, [metrics] if isinstance(metrics, str) else metrics)


def _known(
    climatology: xr.Dataset | Reference | None, references: Mapping[str, xr.Dataset | Reference] | None
) -> dict[str, xr.Dataset | Reference]:
    return dict(references or {}) | ({} if climatology is None else {"climatology": climatology})


def _used(
    metrics: Mapping[str, Metric],
    climatology: xr.Dataset | Reference | None,
    references: Mapping[str, xr.Dataset | Reference] | None,
) -> dict[str, xr.Dataset | Reference]:
    """Return what is given of what metrics compare with."""
    wanted = {name for metric in metrics.values() for name in metric.references}
    return {name: own for name, own in _known(climatology, references).items() if name in wanted}


def _warn_of_knowing(
    references: Mapping[str, xr.Dataset | Reference], init_times: np.ndarray, lead_times: np.ndarray
) -> None:
    for own in (own for own in references.values() if isinstance(own, Reference)):
        warn_of_knowing(own, init_times[:, None] + lead_times)


def _compared(statistics: Sequence[Statistic]) -> dict[str, set[str]]:
    """Return the variables that each reference is asked for, where those it is compared with are of some alone."""
    of_some: dict[str, set[str]] = {}
    for own in (own for own in statistics if own.inputs):
        for name in own.references:
            of_some.setdefault(name, set()).update(chain.from_iterable(own.inputs.values()))
    of_all = {name for own in statistics if not own.inputs for name in own.references}
    return {name: variables for name, variables in of_some.items() if name not in of_all}


def _require_whole_members(forecast: xr.Dataset) -> None:
    """Refuse members that are NaN throughout where others are not, by which nothing counts of an ensemble."""
    if "number" not in forecast.dims or not forecast.sizes["init_time"]:
        return
    first = forecast.isel(init_time=0)
    there = [own.notnull().any([dim for dim in own.dims if dim != "number"]).values for own in first.data_vars.values()]
    absent = forecast["number"].values[~np.any(there, axis=0)].tolist()
    if 0 < len(absent) < forecast.sizes["number"]:
        kept = np.setdiff1d(forecast["number"].values, absent).tolist()
        raise UserError(
            f"{NOTHING}, as number {listed(absent)} of the forecast is NaN throughout and a point counts where all"
            " members are told",
            Option(
                "drop_stopped", purpose="to leave out the members that stopped", python=f"forecast.sel(number={kept})"
            ),
        )


def _require_members(forecast: xr.Dataset) -> None:
    counts = [name for name in forecast.data_vars if str(name).endswith("_count")]
    if counts:
        raise UserError(
            f"the forecast holds statistics of members ({counts[0]}), which are not scored; make a forecast"
            " without statistics"
        )


def _require_inputs(
    name: str, metric: Metric, forecast: xr.Dataset, known: Mapping[str, xr.Dataset | Reference]
) -> None:
    for missing in sorted(metric.references - set(known)):
        if missing == "climatology":
            remedy = Option("climatology", "RUN/climatology.nc", python="climatology=Climatology.load(PATH)")
            raise UserError(f"metric {name!r} needs a climatology, got none", remedy, f"leave {name!r} out")
        number = [f"give {_AS_NUMBER[missing]}= in its brackets"] if missing in _AS_NUMBER else []
        python = f"references={{{missing!r}: DATASET}}"
        given = Option("field", {missing: "FILE"}, python=python, told_for_python=True)
        what = missing if missing in _AS_NUMBER else f"reference {missing!r}"
        raise UserError(f"metric {name!r} needs a {what}", *number, given, "leave it out")
    if metric.needs_members and forecast.sizes.get("number", 1) < 2:
        raise UserError(f"metric {name!r} needs an ensemble of two members or more, got one; leave {name!r} out")


def _require_channels(name: str, metric: Metric, matched: Matched) -> None:
    for own in metric.statistics:
        if not own.outputs(matched.levels):
            sets = " or ".join(" and ".join(inputs) for inputs in own.inputs.values())
            raise UserError(
                f"metric {name!r} needs {sets}, at a level that they share; the forecast has"
                f" {listed(matched.channels)}: leave it out"
            )


def _require_circles(name: str, metric: Metric, grid: LatLonGrid) -> None:
    if any(own.needs_circles for own in metric.statistics) and not grid.is_cyclic:
        west, east = grid.west_east
        raise UserError(
            f"metric {name!r} is of whole circles of latitude, the forecast reaches from {west:g} to {east:g} E;"
            f" leave {name!r} out, or judge a forecast of the globe"
        )
