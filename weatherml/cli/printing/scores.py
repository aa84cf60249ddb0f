"""Scores on the terminal: tables for people, JSON for programs."""

import json
from typing import Any

import numpy as np
import xarray as xr
from rich.markup import escape

from weatherml.cli.printing.tables import out, print_blocks
from weatherml.durations import format_duration
from weatherml.errors.wording import counted
from weatherml.verification.cards import Pairs
from weatherml.verification.metrics.registry import find, judged
from weatherml.verification.metrics.units import units_of
from weatherml.verification.pairing.notes import as_attribute, sentences

_DAY, _HOUR = np.timedelta64(1, "D"), np.timedelta64(1, "h")
_DIMS = ("bound", "channel", "lead_time")
_MOST_LEADS = 8
_NOTHING = "\N{EN DASH}"
_SHARE = "share_judged"
_TOLD = ("n_init_times", "init_times", "left_out", "interval", "confidence")


def print_scores(scores: xr.Dataset, compared: Pairs, as_json: bool) -> None:
    """Print every metric by lead time and channel, of each system, region and group of times, and what it judges.

    Args:
        scores: As `evaluate_systems` returns.
        compared: Scorecards, by who is compared with whom.
        as_json: For programs.
    """
    shown = scores.isel(system=0) if scores.sizes["system"] == 1 else scores
    if as_json:
        print(json.dumps(_plain(shown, compared)))
        return
    n_leads = shown.sizes["lead_time"]
    few = shown.isel(lead_time=_evenly(n_leads, _MOST_LEADS))
    for metric in (str(name) for name in few.data_vars if name != _SHARE):
        out.print(f"[bold]{escape(metric)}[/] {escape(_judged(metric, few))}".rstrip(), soft_wrap=True)
        _print_metric(few[metric])
    for (first, second), card in compared.items():
        out.print(f"[bold]{escape(f'{first} against {second}')}[/]", soft_wrap=True)
        print_blocks([["metric", "comparisons", "better", "worse"], *_tallies(card)])
    if _SHARE in scores:
        missing = 100 * (1 - float(scores[_SHARE].min()))
        out.print(f"up to {missing:.3g} % of the area are missing and do not count", soft_wrap=True)
    for clause in [*_on_times(scores), *sentences(scores)]:
        out.print(escape(clause), soft_wrap=True)
    if few.sizes["lead_time"] < n_leads:
        out.print(f"{few.sizes['lead_time']} of {n_leads} lead times are shown; --json has them all", soft_wrap=True)


def _on_times(scores: xr.Dataset) -> list[str]:
    """Say which initial times were judged, which were not, and how intervals are had."""
    said = scores.attrs
    if "n_init_times" not in said:
        return []
    between = f", {said['init_times'].replace(' to ', ' .. ')}" if "init_times" in said else ""
    told = f"{counted(int(said['n_init_times']), 'initial time')} that all have{between}"
    method = said.get("interval", "")
    fields = [own for name, own in scores.data_vars.items() if name != _SHARE]
    if method and any(np.isfinite(own.sel(bound="lower")).any() for own in fields):
        told += f"; intervals: {method}"
    elif method and method != "none":
        told += f"; no intervals: too few initial times for {method}"
    return [told, *([f"left out: {said['left_out']}"] if said.get("left_out") else [])]


def _judged(metric: str, scores: xr.Dataset) -> str:
    """Return what of the forecasts a metric judges: that of each system where they differ."""
    if "system" not in scores.dims:
        return judged(metric, int(scores["n_members"]))
    there = scores[metric].notnull().any([dim for dim in scores[metric].dims if dim != "system"]).values
    systems = zip(scores["system"].values[there], scores["n_members"].values[there], strict=True)
    told = {str(name): judged(metric, int(n_members)) for name, n_members in systems}
    return ", ".join(f"{name}: {words}" for name, words in told.items() if words)


def _print_metric(field: xr.DataArray) -> None:
    """Print a table by lead time, a row for all else; of a metric with axes of its own say where it is."""
    extra = [dim for dim in _others(field) if field[dim].dtype.kind not in "UO"]
    if extra:
        out.print(f"by {', '.join(extra)}: see --json, or --output\n", soft_wrap=True)
        return
    labels = ["channel", *_others(field)]
    rows = field.stack(row=labels).transpose("row", "lead_time", "bound")
    there = np.isfinite(rows.sel(bound="estimate").values).any(axis=1)
    if not there.any():
        out.print("has no value here\n", soft_wrap=True)
        return
    names = [_row_name(str(field.name), label) for label in rows["row"].values[there]]
    table = [[name, *map(_interval, own)] for name, own in zip(names, rows.values[there], strict=True)]
    print_blocks([[" / ".join(labels), *map(_lead, field["lead_time"].values)], *table])


def _row_name(metric: str, label: object) -> str:
    """Return the channel with the units of its score, and the place along what else there is."""
    channel, *others = map(str, np.atleast_1d(np.asarray(label, object)))
    units = units_of(metric, channel)
    return " / ".join([channel if units in ("", "1") else f"{channel} [{units}]", *others])


def _others(field: xr.DataArray) -> list[str]:
    """Return the dimensions that every score has not: system, group of times, region, and a metric's own."""
    return [str(dim) for dim in field.dims if dim not in _DIMS]


def _tallies(card: xr.Dataset) -> list[list[str]]:
    """Return how often the first system is significantly better and worse, by metric."""
    told = []
    for metric in (name for name in card["metric"].values if find(str(name)).better != "neither"):
        own = card.sel(metric=metric)
        n_all = int(own["p_value"].notnull().sum())
        shares = [f"{100 * int((own['better'] == sign).sum()) / max(n_all, 1):.0f} %" for sign in (1, -1)]
        if n_all:
            told.append([str(metric), str(n_all), *shares])
    return told


def _evenly(count: int, most: int) -> list[int]:
    """Return at most so many of `count` positions, the first and the last among them."""
    return sorted({round(float(place)) for place in np.linspace(0, count - 1, min(count, most))})


def _lead(lead: np.timedelta64) -> str:
    days = lead / _DAY
    return f"{days:g} d" if days * 4 == int(days * 4) else format_duration(lead)


def _plain(scores: xr.Dataset, compared: Pairs) -> dict[str, Any]:
    """Return JSON-able values: lead times in hours, None for what is not defined."""
    names = [str(name) for name in scores.data_vars if name != _SHARE]
    others = [_others(scores[name]) for name in names]
    dims = [dim for dim in others[0] if all(dim in own for own in others)] + list(_DIMS)
    members = scores["n_members"].values.tolist()
    told: dict[str, Any] = {
        "members": members,
        "judged": {name: _judged(name, scores) for name in names},
        "units": {name: [units_of(name, str(channel)) for channel in scores["channel"].values] for name in names},
        "dims": dims,
        "channel": scores["channel"].values.tolist(),
        "lead_time": (scores["lead_time"].values / _HOUR).tolist(),
    }
    told |= {dim: scores[dim].values.tolist() for dim in dims if dim not in told}
    told |= as_attribute(sentences(scores))
    axes = {dim: scores[dim].values.tolist() for own in others for dim in own if dim not in dims}
    told |= {"axes": axes} if axes else {}
    told |= {name: scores.attrs[name] for name in _TOLD if name in scores.attrs}
    told["scores"] = {name: _finite(scores[name].transpose(*dims, ...).values) for name in names}
    if _SHARE in scores:
        told[_SHARE] = _finite(scores[_SHARE].values)
    if compared:
        told["scorecards"] = [_plain_card(*pair, card) for pair, card in compared.items()]
    return told


def _plain_card(first: str, second: str, card: xr.Dataset) -> dict[str, Any]:
    dims = list(map(str, card["difference"].dims))
    values = {str(name): _finite(own.transpose(*dims).values.astype(float)) for name, own in card.data_vars.items()}
    coords = {dim: card[dim].values.tolist() for dim in dims if dim != "lead_time"}
    how = {name: card.attrs[name] for name in (*_TOLD, "false_discovery") if name in card.attrs}
    return {"system": first, "against": second, "dims": dims} | how | coords | values


def _finite(values: np.ndarray) -> Any:
    return np.where(np.isfinite(values), values.astype(object), np.array(None)).tolist()


def _interval(score: np.ndarray) -> str:
    estimate, lower, upper = score
    if np.isnan(estimate):
        return _NOTHING
    return f"{estimate:.4g}" if np.isnan(lower) else f"{estimate:.4g} ({lower:.4g} .. {upper:.4g})"
