"""The plan of a forecast on the terminal: which model is called when."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.tree import Tree

from weatherml.durations import format_duration

if TYPE_CHECKING:
    from weatherml.forecast import Suite
    from weatherml.forecast.plan.lead_plan import LeadPlan

_MOST_BRANCHES = 48
_out = Console(highlight=False)


def print_lead_plan(plan: "LeadPlan", suite: "Suite", checkpoints: Sequence[Path]) -> None:
    """Print how often each model is called, how much must be kept, and what starts from what.

    Args:
        plan: Of a suite of models.
        suite: The models.
        checkpoints: Where they were read, in their order.
    """
    longest = max(plan.depths[lead] for lead in plan.leads)
    for step, n_calls in plan.n_calls.items():
        position = suite.models.index(suite.model_of(step * plan.unit))
        network = suite.models[position].provenance.config.get("model", {}).get("name", "network")
        words = f"{n_calls} calls of {network} in steps of {format_duration(step * plan.unit)}: {checkpoints[position]}"
        _out.print(escape(words), soft_wrap=True)
    _out.print(
        f"{len(plan.leads)} leads, {len(plan.calls)} calls, at most {longest} on the way to a lead;"
        f" at most {plan.peak_states} states of a member exist at once"
    )
    _out.print(_tree(plan))


def _tree(plan: "LeadPlan") -> Tree:
    """Draw the first states of a plan: what is wanted in bold."""
    root = Tree("analysis")
    branches = {0: root}
    for call in plan.calls[:_MOST_BRANCHES]:
        name = format_duration(call.end * plan.unit)
        label = f"[bold]{name}[/]" if call.end in plan.leads else name
        branches[call.end] = branches[call.start].add(f"{label} [dim]by {format_duration(call.step * plan.unit)}[/]")
    if len(plan.calls) > _MOST_BRANCHES:
        root.add(f"[dim]... and {len(plan.calls) - _MOST_BRANCHES} more[/]")
    return root
