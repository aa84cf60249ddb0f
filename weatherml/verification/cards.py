"""Scorecards: two systems over many metrics, channels, regions and lead times at once, with control of chance finds."""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from weatherml.errors import UserError
from weatherml.errors.wording import listed
from weatherml.verification.aggregation.grouping import By
from weatherml.verification.aggregation.sums import StatisticSums
from weatherml.verification.comparing import Paired, difference, pair_up, who_is_better
from weatherml.verification.judging import Metrics
from weatherml.verification.metrics.base import Metric
from weatherml.verification.metrics.registry import metrics_named
from weatherml.verification.significance.discovery import discoveries
from weatherml.verification.significance.method import Method

Pairs = Mapping[tuple[str, str], xr.Dataset]
"""Scorecards by who is compared with whom."""

FALSE_DISCOVERY = 0.05
_CARD, _INTERVAL = "card_", "interval"  # in names of what is written beside scores
_FIRST, _SECOND = f"{_CARD}system", f"{_CARD}against"  # coordinates: who is compared with whom
_NOTHING = {"significant": False, "better": np.int8(0)}  # of what there is no comparison


def scorecard(
    first: StatisticSums,
    second: StatisticSums,
    metrics: Metrics,
    *,
    by: By | None = None,
    interval: str | Method = "ar2",
    false_discovery: float = FALSE_DISCOVERY,
) -> xr.Dataset:
    """Compare two systems in all that both were judged by, at the init times that both have.

    Args:
        first: What `accumulate` kept of the first system.
        second: The same of the second system.
        metrics: Of which a card is made; those that are no single number, or that a system lacks, are left out.
        by: Into which groups of times.
        interval: How intervals are had, by a name in `significance.methods` or a method with parameters.
        false_discovery: The share of what is called significant that is expected not to be there. With 10,000 cells
            and 5 % each, 500 would be called so by chance.

    Returns:
        Dims (metric, [by,] channel, region, lead_time): what `compare` returns, but `better` is 1 or -1 only where
        `significant`, which is where Benjamini and Hochberg's procedure over the whole card finds a difference.
        Attributes: `n_init_times`, `left_out`, `interval`, `false_discovery`.

    Raises:
        UserError: The systems share no init time, lead time, channel, region or metric.
    """
    pairs = {("", ""): (first, second)}
    return _cards(pairs, metrics, by, interval, false_discovery)["", ""]


def scorecards(
    systems: Mapping[str, StatisticSums],
    against: Mapping[str, StatisticSums],
    metrics: Metrics,
    *,
    by: By | None = None,
    interval: str | Method = "ar2",
    false_discovery: float = FALSE_DISCOVERY,
) -> Pairs:
    """Compare each system with each that it is held against, as `scorecard`; chance finds are controlled over all."""
    pairs = {
        (name, other): (own, reference)
        for name, own in systems.items()
        for other, reference in against.items()
        if name != other
    }
    if not pairs:
        raise UserError(
            f"there is nothing to compare: of {listed(systems) or 'no system'} against {listed(against) or 'none'};"
            " give two systems that differ"
        )
    return _cards(pairs, metrics, by, interval, false_discovery)


def with_cards(scores: xr.Dataset, cards: Pairs) -> xr.Dataset:
    """Return scores with scorecards beside them: variables `card_difference` .., dims (compared, metric, ...), and
    coordinates `card_system` and `card_against`, dims (compared)."""
    if not cards:
        return scores
    missing = {name: _NOTHING.get(str(name), np.nan) for card in cards.values() for name in card.data_vars}
    joined = xr.concat(list(cards.values()), "compared", join="outer", data_vars="all", fill_value=missing)
    joined = joined.rename({name: f"{_CARD}{name}" for name in joined.data_vars})
    first, second = zip(*cards, strict=True)
    joined = joined.assign_coords({_FIRST: ("compared", list(first)), _SECOND: ("compared", list(second))})
    if _INTERVAL in joined.attrs:  # scores have one of their own
        joined.attrs[f"{_CARD}{_INTERVAL}"] = joined.attrs.pop(_INTERVAL)
    beside = {f"{_CARD}{name}": own for name, own in missing.items()}
    return xr.merge([scores, joined], join="outer", fill_value=beside, combine_attrs="drop_conflicts")


def cards_in(scores: xr.Dataset) -> Pairs:
    """Return the scorecards beside scores."""
    names = {name: str(name).removeprefix(_CARD) for name in scores.data_vars if str(name).startswith(_CARD)}
    if not names:
        return {}
    cards = scores[list(names)].rename(names)
    cards = cards.assign_attrs({_INTERVAL: scores.attrs.get(f"{_CARD}{_INTERVAL}", scores.attrs.get(_INTERVAL))})
    pairs = zip(*(map(str, scores[name].values) for name in (_FIRST, _SECOND)), strict=True)
    each = (cards.isel(compared=place).drop_vars([_FIRST, _SECOND]) for place in range(cards.sizes["compared"]))
    own = (card.dropna("metric", subset=["difference"], how="all") for card in each)
    return dict(zip(pairs, own, strict=True))


def without_cards(scores: xr.Dataset) -> xr.Dataset:
    """Return the scores alone."""
    return scores[[name for name in scores.data_vars if not str(name).startswith(_CARD)]]


def _cards(
    pairs: Mapping[tuple[str, str], tuple[StatisticSums, StatisticSums]],
    metrics: Metrics,
    by: By | None,
    interval: str | Method,
    false_discovery: float,
) -> Pairs:
    chosen = metrics_named(metrics)
    cards = {names: _card(pair_up(*pair), chosen, by, interval) for names, pair in pairs.items()}
    p_values = [card["p_value"].values.ravel() for card in cards.values()]
    found = discoveries(np.concatenate(p_values), false_discovery)
    parts = np.split(found, np.cumsum([len(own) for own in p_values])[:-1])
    return {
        names: _told(card, part, chosen).assign_attrs(false_discovery=false_discovery)
        for (names, card), part in zip(cards.items(), parts, strict=True)
    }


def _card(pair: Paired, metrics: Mapping[str, Metric], by: By | None, interval: str | Method) -> xr.Dataset:
    """Return a card on which nothing is called significant yet."""
    there = set(pair.first.dataset.data_vars) & set(pair.second.dataset.data_vars)
    kept = {
        name: own
        for name, own in metrics.items()
        if not own.axes and {statistic.name for statistic in own.statistics} <= there
    }
    if not kept:
        raise UserError(f"a scorecard of {listed(metrics)} is empty: both systems must have one of them, as one number")
    pairs = {name: pair.of(own) for name, own in kept.items()}
    compared = [difference(pairs[name], own, by, interval) for name, own in kept.items()]
    card = xr.concat(compared, xr.Variable("metric", list(kept)))
    lost = [name for name in metrics if name not in kept]
    said = list(dict.fromkeys(own.left_out for own in (pair, *pairs.values()) if own.left_out))
    left_out = ", ".join([*said[-1:], *(f"metric {name}" for name in lost)])
    method = interval if isinstance(interval, str) else repr(interval)
    return card.assign_attrs(pair.attributes | {"left_out": left_out, "interval": method})


def _told(card: xr.Dataset, found: np.ndarray, metrics: Mapping[str, Metric]) -> xr.Dataset:
    """Say what is significant, and who is better there."""
    significant = card["p_value"].copy(data=found.reshape(card["p_value"].shape))
    better = [
        who_is_better(card.sel(metric=name), metrics[str(name)].better, significant.sel(metric=name))
        for name in card["metric"].values
    ]
    return card.assign(significant=significant, better=xr.concat(better, card["metric"]))
