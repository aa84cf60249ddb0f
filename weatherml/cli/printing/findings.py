"""What a check found, on the terminal or as JSON, and what its rules find."""

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from weatherml.data.quality.finding import Finding
from weatherml.data.quality.rules.registry import described_rules

if TYPE_CHECKING:
    from weatherml.plan.readiness import Checked

_COLOURS = {"error": "bold red", "warning": "yellow", "note": "dim"}
_OUTCOMES = {"ok": "green", "failed": "bold red", "not tried": "dim"}
_out = Console(highlight=False)


def print_findings(findings: Sequence[Finding], as_json: bool) -> None:
    """Print what a check found."""
    if as_json:
        print(json.dumps([finding.as_dict() for finding in findings], indent=1))
        return
    for finding in findings:
        _, _, words = str(finding).partition(": ")
        _out.print(f"[{_COLOURS[finding.severity]}]{finding.severity:<8}[/] {escape(words)}", soft_wrap=True)
    if not findings:
        _out.print("nothing to report")


def print_checked(checked: "Iterable[Checked]", as_json: bool) -> bool:
    """Print what came of each thing as soon as it is known; return whether all is well."""
    told = []
    for one in checked:
        told.append(one._asdict())
        if not as_json:
            _out.print(
                f"[{_OUTCOMES[one.outcome]}]{one.outcome:<10}[/]{one.name:<20}{escape(one.words)}", soft_wrap=True
            )
    if as_json:
        print(json.dumps(told, indent=1))
    return all(one["outcome"] == "ok" for one in told)


def print_rules(as_json: bool) -> None:
    """Print what each rule finds."""
    rules = described_rules()
    if as_json:
        print(json.dumps(rules, indent=1))
        return
    for name, finds in rules.items():
        _out.print(f"{name:<{max(map(len, rules))}}  {escape(finds)}", soft_wrap=True)
