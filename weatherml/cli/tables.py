"""Results on the terminal: tables for people, JSON for programs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table
from rich.tree import Tree

from weatherml.cli.progress import console
from weatherml.data.finding import Finding
from weatherml.data.statistics import Statistics
from weatherml.durations import format_duration

if TYPE_CHECKING:
    from weatherml.forecast.plan.lead_plan import Itinerary

_COLOURS = {"error": "bold red", "warning": "yellow", "note": "dim"}
_DAY = np.timedelta64(1, "D")
_DIMS = ("bound", "channel", "lead_time")
_HOUR = np.timedelta64(1, "h")
_MOST_LEADS = 8
_MOST_BRANCHES = 48
_MOST_STORIES = 3
_out = Console(highlight=False)


def print_findings(findings: Sequence[Finding], as_json: bool) -> None:
    """Print what a check found."""
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=1))
        return
    for finding in findings:
        words = escape(f"{finding.subject}: {finding.message}")
        _out.print(f"[{_COLOURS[finding.severity]}]{finding.severity:<8}[/] {words}", soft_wrap=True)
    if not findings:
        _out.print("nothing to report")


def print_description(description: Mapping[str, Any], as_json: bool) -> None:
    """Print what something is."""
    if as_json:
        print(json.dumps(description, indent=1, default=str))
        return
    for key, value in description.items():
        _out.print(f"[bold]{key:<12}[/] {escape(_words(value))}", soft_wrap=True)


def print_stopped(stories: Sequence[str]) -> None:
    """Say beside the results how many members of a forecast stopped, and when and by what the first ones did."""
    if stories:
        console.print(f"{len(stories)} members stopped and are missing from then on:")
    for story in stories[:_MOST_STORIES]:
        console.print(f"  {escape(story)}", soft_wrap=True)
    if len(stories) > _MOST_STORIES:
        console.print(f"  ... and {len(stories) - _MOST_STORIES} more, in the attribute `failed` of the forecast")


def print_statistics(statistics: Statistics) -> None:
    """Print mean, spread and one-step change of every channel."""
    table = Table(Column("channel", no_wrap=True), "units", "mean", "std", "std of one step", "valid cells")
    valid = statistics.valid.mean(axis=(1, 2))
    rows = zip(statistics.spec.channels, statistics.mean, statistics.std, statistics.difference_std, valid, strict=True)
    for channel, mean, std, difference, share in rows:
        table.add_row(str(channel), channel.units, f"{mean:.5g}", f"{std:.4g}", f"{difference:.4g}", f"{share:.0%}")
    _out.print(table)


def print_scores(scores: xr.Dataset, as_json: bool) -> None:
    """Print every metric by channel and lead time, with its interval."""
    if as_json:
        print(json.dumps(_plain(scores)))
        return
    leads = scores["lead_time"].values[:: -(-scores.sizes["lead_time"] // _MOST_LEADS)]
    for metric in map(str, scores.data_vars):
        table = Table("channel", *(f"{lead / _DAY:g} d" for lead in leads), title=metric)
        for channel in scores["channel"].values:
            table.add_row(str(channel), *(_interval(scores[metric].sel(channel=channel, lead_time=d)) for d in leads))
        _out.print(table)


def print_itinerary(itinerary: "Itinerary") -> None:
    """Print how often each model is called, how much must be kept, and what starts from what."""
    plan, unit = itinerary.plan, itinerary.unit
    longest = max(plan.depths[lead] for lead in plan.leads)
    table = Table("step", "calls", "network")
    for step, n_calls in plan.n_calls.items():
        table.add_row(format_duration(step * unit), str(n_calls), _network_of(itinerary, step))
    _out.print(table)
    _out.print(
        f"{len(plan.leads)} leads, {len(plan.calls)} calls, at most {longest} on the way to a lead;"
        f" at most {plan.peak_states} states of a member exist at once"
    )
    _out.print(_tree(itinerary))


def _network_of(itinerary: "Itinerary", step: int) -> str:
    model = next(model for model in itinerary.models if model.time_step == step * itinerary.unit)
    return str(model.provenance.config.get("model", {}).get("name", ""))


def _tree(itinerary: "Itinerary") -> Tree:
    """Draw the first states of a plan: what is wanted in bold."""
    plan, root = itinerary.plan, Tree("analysis")
    branches = {0: root}
    for call in plan.calls[:_MOST_BRANCHES]:
        name = format_duration(call.end * itinerary.unit)
        label = f"[bold]{name}[/]" if call.end in plan.leads else name
        branches[call.end] = branches[call.start].add(
            f"{label} [dim]by {format_duration(call.step * itinerary.unit)}[/]"
        )
    if len(plan.calls) > _MOST_BRANCHES:
        root.add(f"[dim]... and {len(plan.calls) - _MOST_BRANCHES} more[/]")
    return root


def _plain(scores: xr.Dataset) -> dict[str, Any]:
    """Return JSON-able values: lead times in hours, None for what is not defined."""
    return {
        "dims": list(_DIMS),
        "bound": scores["bound"].values.tolist(),
        "channel": scores["channel"].values.tolist(),
        "lead_time": (scores["lead_time"].values / _HOUR).tolist(),
        "scores": {str(name): _finite(field.transpose(*_DIMS).values) for name, field in scores.data_vars.items()},
    }


def _finite(values: np.ndarray) -> Any:
    return np.where(np.isfinite(values), values.astype(object), np.array(None)).tolist()


def _interval(score: xr.DataArray) -> str:
    estimate, lower, upper = (float(score.sel(bound=bound)) for bound in ("estimate", "lower", "upper"))
    return f"{estimate:.4g}" if np.isnan(lower) else f"{estimate:.4g} ({lower:.4g} .. {upper:.4g})"


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_words(part)}" for key, part in value.items())
    if isinstance(value, list):
        is_long = bool(value) and (isinstance(value[0], Mapping) or " " in str(value[0]))
        separator = "\n" + 13 * " " if is_long else " "
        return separator.join(map(_words, value))
    return str(value)
