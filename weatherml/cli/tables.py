"""Results on the terminal: tables for people, JSON for programs."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import xarray as xr
from rich.console import Console
from rich.markup import escape

from weatherml.cli.progress import console
from weatherml.cli.text_table import blocks
from weatherml.data.quality.finding import Finding
from weatherml.data.statistics.channel_statistics import Statistics
from weatherml.durations import format_duration

_COLOURS = {"error": "bold red", "warning": "yellow", "note": "dim"}
_DAY = np.timedelta64(1, "D")
_DIMS = ("bound", "channel", "lead_time")
_HOUR = np.timedelta64(1, "h")
_MOST_LEADS = 8
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
    rows = [["channel", "units", "mean", "std", "std of one step", "valid cells"]]
    valid = statistics.valid.mean(axis=(1, 2))
    moments = zip(
        statistics.spec.channels, statistics.mean, statistics.std, statistics.difference_std, valid, strict=True
    )
    for channel, mean, std, difference, share in moments:
        rows.append([str(channel), channel.units, f"{mean:.5g}", f"{std:.4g}", f"{difference:.4g}", f"{share:.0%}"])
    _print_blocks(rows)


def print_scores(scores: xr.Dataset, as_json: bool) -> None:
    """Print every metric by channel and lead time, with its interval."""
    if as_json:
        print(json.dumps(_plain(scores)))
        return
    every = -(-scores.sizes["lead_time"] // _MOST_LEADS)
    shown = scores.isel(lead_time=slice(None, None, every))
    for metric in map(str, shown.data_vars):
        _out.print(f"[bold]{escape(metric)}[/]")
        field = shown[metric]
        _print_blocks(
            [["channel", *map(_lead, shown["lead_time"].values)], *map(_row, field.transpose("channel", ...))]
        )
    if every > 1:
        n_shown, n_all = shown.sizes["lead_time"], scores.sizes["lead_time"]
        _out.print(f"{n_shown} of {n_all} lead times are shown; --json has them all", soft_wrap=True)


def _print_blocks(rows: list[list[str]]) -> None:
    for heading, *lines in blocks(rows, _out.width):
        _out.print(f"[dim]{escape(heading)}[/]", soft_wrap=True)
        for line in lines:
            _out.print(escape(line), soft_wrap=True)
        _out.print()


def _row(field: xr.DataArray) -> list[str]:
    return [str(field["channel"].values), *map(_interval, field.transpose("lead_time", ...))]


def _lead(lead: np.timedelta64) -> str:
    days = lead / _DAY
    return f"{days:g} d" if days * 4 == int(days * 4) else format_duration(lead)


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
