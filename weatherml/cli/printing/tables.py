"""Results on the terminal: tables for people, JSON for programs."""

import json
from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Console
from rich.markup import escape

from weatherml.cli.printing.progress import console
from weatherml.cli.printing.text_table import blocks
from weatherml.data.statistics.channel_statistics import Statistics
from weatherml.errors.wording import counted
from weatherml.variables import VARIABLES

_MOST_STORIES = 3
out = Console(highlight=False)
"""Standard output."""


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
    print_blocks(rows)


def print_names(as_json: bool) -> None:
    """Print what each variable may be called, and its units."""
    if as_json:
        print(json.dumps([asdict(variable) for variable in VARIABLES.values()], indent=1))
        return
    rows = [
        [variable.name, " ".join(sorted(variable.short_names)), variable.units, variable.vertical]
        for variable in VARIABLES.values()
    ]
    print_blocks([["name", "or", "units", "lies on"], *rows])


def print_blocks(rows: list[list[str]]) -> None:
    """Print a table in as many pieces as the width of the terminal asks for."""
    for heading, *lines in blocks(rows, out.width):
        out.print(f"[dim]{escape(heading)}[/]", soft_wrap=True)
        for line in lines:
            out.print(escape(line), soft_wrap=True)
        out.print()
