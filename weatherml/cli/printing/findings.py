"""What a check found, on the terminal or as JSON, and what its rules find."""

import json
from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape

from weatherml.data.quality.finding import Finding
from weatherml.data.quality.rules.registry import described_rules

_COLOURS = {"error": "bold red", "warning": "yellow", "note": "dim"}
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


def print_rules(as_json: bool) -> None:
    """Print what each rule finds."""
    rules = described_rules()
    if as_json:
        print(json.dumps(rules, indent=1))
        return
    for name, finds in rules.items():
        _out.print(f"{name:<{max(map(len, rules))}}  {escape(finds)}", soft_wrap=True)
