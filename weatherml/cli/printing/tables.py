"""Results on the terminal: tables for people, JSON for programs."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import xarray as xr
from rich.console import Console
from rich.markup import escape

from weatherml.cli.printing.progress import console
from weatherml.cli.printing.text_table import blocks
from weatherml.data.statistics.channel_statistics import Statistics
from weatherml.durations import format_duration
from weatherml.variables import VARIABLES
from weatherml.verification.metrics.registry import judged
from weatherml.wording import counted

_DAY = np.timedelta64(1, "D")
_DIMS = ("bound", "channel", "lead_time")
_HOUR = np.timedelta64(1, "h")
_MOST_LEADS = 8
_MOST_STORIES = 3
_out = Console(highlight=False)


def print_stopped(stories: Sequence[str]) -> None:
    """Say beside the results how many members of a forecast stopped, and when and by what the first ones did."""
    if stories:
        are = "is" if len(stories) == 1 else "are"
        console.print(f"{counted(len(stories), 'member')} stopped and {are} missing from then on:")
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


def print_names(as_json: bool) -> None:
    """Print what each variable may be called, and its units."""
    if as_json:
        print(json.dumps([asdict(variable) for variable in VARIABLES.values()], indent=1))
        return
    rows = [
        [variable.name, " ".join(sorted(variable.short_names)), variable.units, variable.vertical]
        for variable in VARIABLES.values()
    ]
    _print_blocks([["name", "or", "units", "lies on"], *rows])


def print_scores(scores: xr.Dataset, n_members: int, as_json: bool) -> None:
    """Print every metric by channel and lead time, with its interval, and what of the forecast it judges."""
    if as_json:
        print(json.dumps(_plain(scores, n_members)))
        return
    n_leads = scores.sizes["lead_time"]
    shown = scores.isel(lead_time=_evenly(n_leads, _MOST_LEADS))
    for metric in map(str, shown.data_vars):
        _out.print(f"[bold]{escape(metric)}[/] {escape(judged(metric, n_members))}".rstrip(), soft_wrap=True)
        field = shown[metric]
        _print_blocks(
            [["channel", *map(_lead, shown["lead_time"].values)], *map(_row, field.transpose("channel", ...))]
        )
    if shown.sizes["lead_time"] < n_leads:
        _out.print(f"{shown.sizes['lead_time']} of {n_leads} lead times are shown; --json has them all", soft_wrap=True)


def _evenly(count: int, most: int) -> list[int]:
    """Return at most so many of `count` positions, the first and the last among them."""
    return sorted({round(float(place)) for place in np.linspace(0, count - 1, min(count, most))})


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


def _plain(scores: xr.Dataset, n_members: int) -> dict[str, Any]:
    """Return JSON-able values: lead times in hours, None for what is not defined."""
    return {
        "members": n_members,
        "judged": {str(name): judged(str(name), n_members) for name in scores.data_vars},
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
