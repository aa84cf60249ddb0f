"""The model and the baselines before the same judge."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr

from weatherml.experiment.climate import Climate
from weatherml.experiment.config import ExtremesConfig
from weatherml.extremes import local_quantile, verdict
from weatherml.references import Reference, as_reference, as_slice, narrowed, time_index
from weatherml.state import spec_of
from weatherml.times import Periods
from weatherml.verification import StatisticSums, accumulate, baselines, scorecards, skill, summarize
from weatherml.verification.cards import Pairs, with_cards
from weatherml.verification.pairing.domain import Domain
from weatherml.verification.pairing.matched import Matched

CONTROL = "forecast"
"""The deterministic forecast: number 0, wherever it stands; there is none where it was not asked for or has stopped."""
ENSEMBLE = "ensemble"
"""All members; metrics of one field are those of their mean."""
CLIMATE = "climatological ensemble"
"""Analyses of the training period around the date of each valid time."""

MEMORY = 2**28
"""Bytes of analyses, climatology and baselines that are held at once, beside the block of forecasts that is scored
(`pairing.matched.BLOCK_BYTES`), unless one lead time of one variable takes more."""

_COPIES = 6  # of one time: of truth and climatology, those between that are read with them, and a baseline being made
_ONE_FIELD = ("rmse", "mae", "bias", "acc", "activity")
_ENSEMBLE = ("rmse", "mae", "bias", "acc", "activity", "crps_fair", "spread", "spread_skill")
_NO_ANOMALY = ("rmse", "mae", "bias")
_CLIMATE = (*_NO_ANOMALY, "crps_fair", "spread", "spread_skill")
_IN_PAIRS = ("rmse", "mae", "bias", "acc", "crps_fair")
_SKILLS = ("crps_fair",)  # of the ensemble against that of the climate

Progress = Callable[..., None]
Levels = Mapping[str, tuple[int, ...]]
"""Of each variable, in hPa; none where it has one height."""


def judge_skill(
    forecast: xr.Dataset,
    truth: xr.Dataset,
    training: xr.Dataset,
    climatology: xr.Dataset | Reference,
    progress: Progress,
    memory: int = MEMORY,
    climate: Climate | None = None,
) -> xr.Dataset:
    """Score the control, the ensemble and the baselines on the same initial times.

    Some initial and lead times are read at once, for all systems, and their scores added up; damped persistence is
    fitted in one pass. No period is ever held.

    Args:
        forecast: With `number`; no member has stopped.
        truth: Analyses of the test period.
        training: Analyses of the training period; damped persistence is fitted on them.
        climatology: Of the training period.
        progress: Told how far the judge is.
        memory: Bytes of fields to hold.
        climate: Which ensemble of analyses is judged, too; none when None.

    Returns:
        `(system, bound, channel, lead_time)`; a metric that a system does not have is NaN. With a climate, what the
        ensemble gains over it is `crps_fair_skill`. Beside them scorecards of the forecasts, in pairs with each other
        and with each baseline (`verification.cards.cards_in`).
    """
    whole, reference = Matched(forecast, truth), as_reference(climatology)
    spec_of(training, whole.channels)  # refuses a channel that damped persistence would have no data of
    blocks = list(_blocks(forecast, whole.domain, memory))
    has_leads = bool(forecast["lead_time"].values.any())
    damping = (
        _fit_damping(training, reference, whole.levels, forecast["lead_time"].values, memory) if has_leads else None
    )
    progress(1, 1 + len(blocks))
    systems = _systems(forecast, damping) | _climate_of(climate, forecast, training, whole.levels)
    parts: dict[str, list[StatisticSums]] = {name: [] for name in systems}
    for n_done, block in enumerate(blocks, 2):
        held = block.hold(truth, reference)
        for name, system in systems.items():
            judged = accumulate(system.build(held), held.truth, system.metrics, held.normal, domain=block.domain)
            parts[name].append(judged)
        progress(n_done, 1 + len(blocks))
    order = {"channel": list(whole.channels), "lead_time": forecast["lead_time"]}
    totals = {name: StatisticSums.total(own) for name, own in parts.items()}
    scores = [summarize(totals[name], system.metrics).sel(order) for name, system in systems.items()]
    if {ENSEMBLE, CLIMATE} <= set(totals):
        gained = {f"{name}_skill": skill(totals[ENSEMBLE], totals[CLIMATE], name).sel(order) for name in _SKILLS}
        scores[list(systems).index(ENSEMBLE)] = scores[list(systems).index(ENSEMBLE)].assign(gained)
    joined = xr.concat(scores, xr.Variable("system", list(systems)), data_vars="all", join="exact")
    return with_cards(joined, {pair: card.sel(order) for pair, card in _in_pairs(totals).items()})


def judge_event(
    forecast: xr.Dataset, truth: xr.Dataset, config: ExtremesConfig, training: Periods, progress: Progress
) -> xr.Dataset:
    """Judge the forecast probability that a field exceeds its local quantile of the training period."""
    levels = spec_of(forecast, [config.channel]).variables
    forecast, truth = _only(forecast, levels), _only(truth, levels)
    threshold = local_quantile(truth, config.quantile, training)
    return verdict(forecast, truth, threshold, progress=progress).assign_attrs(quantile=config.quantile)


def _in_pairs(totals: Mapping[str, StatisticSums]) -> Pairs:
    """Compare the control with the ensemble, and both with all baselines."""
    forecasts = {name: own for name, own in totals.items() if name in (CONTROL, ENSEMBLE)}
    return scorecards(forecasts, {name: own for name, own in totals.items() if name != CONTROL}, _IN_PAIRS)


@dataclass(frozen=True, eq=False)
class _Held:
    """A part of a forecast, lazy, and what it is compared with, in memory."""

    forecast: xr.Dataset
    truth: xr.Dataset
    normal: xr.Dataset

    @property
    def times(self) -> tuple[np.ndarray, np.ndarray]:
        """Init and lead times."""
        return self.forecast["init_time"].values, self.forecast["lead_time"].values


@dataclass(frozen=True, eq=False)
class _Block:
    """A part of a forecast and the channels of it that are judged."""

    forecast: xr.Dataset
    domain: Domain

    def hold(self, truth: xr.Dataset, reference: Reference) -> _Held:
        """Read all times that the forecast and its baselines are about, once."""
        times = np.union1d(self.forecast["init_time"].values, self.forecast["valid_time"].values.ravel())
        normal = narrowed(reference, self.domain.levels).at(times)
        return _Held(self.forecast, _load(_at(truth, times), self.domain.levels), _load(normal, self.domain.levels))


@dataclass(frozen=True)
class _System:
    """Something that forecasts: how its forecast of a block is had, and what it is judged by."""

    build: Callable[[_Held], xr.Dataset]
    metrics: tuple[str, ...]


def _systems(forecast: xr.Dataset, damping: xr.Dataset | None) -> dict[str, _System]:
    """Return what is judged: of a forecast, and the baselines; at lead 0 alone persistence would be the truth."""
    systems: dict[str, _System] = {}
    if 0 in forecast["number"].values:
        systems[CONTROL] = _System(lambda held: held.forecast.sel(number=0, drop=True), _ONE_FIELD)
    if forecast.sizes["number"] > 1:
        systems[ENSEMBLE] = _System(lambda held: held.forecast, _ENSEMBLE)
    systems = systems or {ENSEMBLE: _System(lambda held: held.forecast, _ONE_FIELD)}
    climate = {"climatology": _System(lambda held: baselines.climatology(held.normal, *held.times), _NO_ANOMALY)}
    if damping is None:
        return systems | climate
    persistent = {
        "persistence": _System(lambda held: baselines.persistence(held.truth, *held.times), _ONE_FIELD),
        "damped persistence": _System(
            lambda held: baselines.damped_persistence(held.truth, held.normal, damping, *held.times), _ONE_FIELD
        ),
    }
    return systems | persistent | climate


def _climate_of(
    climate: Climate | None, forecast: xr.Dataset, training: xr.Dataset, levels: Levels
) -> dict[str, _System]:
    """Return the ensemble of analyses, the same members for all parts that are judged."""
    if climate is None:
        return {}
    times = forecast["init_time"].values, forecast["lead_time"].values
    own = _as_ragged(_only(training, levels), levels)
    ensemble = baselines.climatological_ensemble(own, *times, climate.period, climate.window_days, climate.members)

    def build(held: _Held) -> xr.Dataset:
        init_time, lead_time = held.times
        return ensemble[list(held.forecast.data_vars)].sel(init_time=init_time, lead_time=lead_time)

    return {CLIMATE: _System(build, _CLIMATE)}


def _fit_damping(
    training: xr.Dataset, reference: Reference, levels: Levels, lead_times: np.ndarray, memory: int
) -> xr.Dataset:
    """Fit each variable at its own levels; NaN at those of others."""
    fitted = [
        baselines.fit_damping(_only(training, {name: own}), reference, lead_times, memory)
        for name, own in levels.items()
    ]
    return xr.merge(fitted, join="outer", compat="no_conflicts")


def _blocks(forecast: xr.Dataset, domain: Domain, memory: int) -> Iterator[_Block]:
    """Yield parts of a forecast whose analyses and baselines fit in memory: initial times, lead times, variables."""
    n_init, n_leads = forecast.sizes["init_time"], forecast.sizes["lead_time"]
    for names in _groups(forecast, domain, memory // (2 * _COPIES)):
        own = domain.only(names)
        n_fields = memory // (_COPIES * sum(_bytes_of(forecast, own, name) for name in names))
        n_leads_held = min(n_leads, max(1, n_fields - 1))
        n_init_held = max(1, n_fields // (n_leads_held + 1))
        for init in range(0, n_init, n_init_held):
            for lead in range(0, n_leads, n_leads_held):
                places = {"init_time": slice(init, init + n_init_held), "lead_time": slice(lead, lead + n_leads_held)}
                yield _Block(_only(forecast, own.levels).isel(places), own)


def _groups(forecast: xr.Dataset, domain: Domain, n_bytes: int) -> Iterator[list[str]]:
    """Yield as many variables as fit, one at least."""
    group: list[str] = []
    for name in domain.levels:
        if group and sum(_bytes_of(forecast, domain, own) for own in [*group, name]) > n_bytes:
            yield group
            group = []
        group.append(name)
    yield group


def _bytes_of(forecast: xr.Dataset, domain: Domain, name: str) -> int:
    """Return the size of a variable at one time, with the levels that it lacks and others have."""
    n_levels = len(_union(domain.levels)) if domain.levels[name] else 1
    return 4 * n_levels * forecast.sizes["latitude"] * forecast.sizes["longitude"]


def _at(dataset: xr.Dataset, times: np.ndarray) -> xr.Dataset:
    """Choose rising times, and those between where these are not many more: stores read a slice many times as fast."""
    index = time_index(dataset, times, "the truth")
    first, last = int(index.min()), int(index.max()) + 1
    return dataset.isel(time=slice(first, last) if last - first < 2 * len(index) else index)


def _only(dataset: xr.Dataset, levels: Levels) -> xr.Dataset:
    """Keep these variables, and the levels that any of them has."""
    wanted, kept = _union(levels), dataset[list(levels)]
    return kept.isel(level=as_slice(kept.indexes["level"].get_indexer(wanted))) if wanted else kept


def _union(levels: Levels) -> list[int]:
    return sorted({level for own in levels.values() for level in own})


def _load(dataset: xr.Dataset, levels: Levels) -> xr.Dataset:
    """Read what every system is compared with."""
    return _as_ragged(_only(dataset, levels).load(), levels)


def _as_ragged(dataset: xr.Dataset, levels: Levels) -> xr.Dataset:
    """Make missing the levels that a variable of the forecast does not have (ragged sets): no system is judged on them.

    They are not read.
    """
    ragged = {name: own for name, own in levels.items() if own and len(own) < dataset.sizes["level"]}
    made = {name: dataset[name].sel(level=list(own)).reindex(level=dataset["level"]) for name, own in ragged.items()}
    return dataset.assign(made)
