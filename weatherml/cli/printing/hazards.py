"""Kinds of events on the terminal: what each is made of, and by which keys it is defined."""

import json
from dataclasses import asdict

from rich.markup import escape

from weatherml.cli.printing.tables import out
from weatherml.extremes.hazards.keys import Key, describe
from weatherml.extremes.hazards.registry import known


def print_hazards(as_json: bool) -> None:
    """Print which hazards there are, a line each."""
    told = [describe(name) for name in known()]
    if as_json:
        print(json.dumps({own.name: own.about for own in told}))
        return
    out.print("[dim]hazards; weatherml extremes --describe HAZARD tells the keys of one[/]", soft_wrap=True)
    for own in told:
        out.print(f"[bold]{own.name}[/]  {escape(own.about.split('. ')[0].rstrip('.:'))}", soft_wrap=True)


def print_hazard(name: str, as_json: bool) -> None:
    """Print what a hazard is made of, and every key of its definition.

    Raises:
        UserError: There is none of that name.
    """
    own = describe(name)
    if as_json:
        print(json.dumps(asdict(own)))
        return
    out.print(f"[bold]{own.name}[/]  {escape(own.about)}", soft_wrap=True)
    out.print(f"made of {', '.join(own.variables)}; a region's number is its {own.region_by}", soft_wrap=True)
    asked = f"{100 * own.least_share:g} % of the region is" if own.least_share else "any cell is"
    out.print(f"it happens where {asked} in it at one time; a case says another: least_share", soft_wrap=True)
    out.print(f"defaults: {escape(own.source)}", soft_wrap=True)
    needs = "needs" if own.climatology else "needs no"
    out.print(f"{needs} `climatology` in the case; keys of `definition`:", soft_wrap=True)
    for key in own.keys:
        out.print(f"  [bold]{key.name}[/] {escape(_value(key))}  {escape(key.meaning)}", soft_wrap=True)


def _value(key: Key) -> str:
    return f"= {written(key.default)} {key.units if key.units != '1' else ''}".strip() + ":"


def written(value: object) -> str:
    """Write a default as YAML has it."""
    return "null" if value is None else f"{value:.10g}" if isinstance(value, float) else str(value)
