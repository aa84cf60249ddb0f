"""The plan of a forecast on the terminal: which model is called when."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.tree import Tree

from weatherml.durations import format_duration

if TYPE_CHECKING:
    from weatherml.forecast.plan.lead_plan import Itinerary

_MOST_BRANCHES = 48
_out = Console(highlight=False)


def print_itinerary(itinerary: "Itinerary", checkpoints: Sequence[Path]) -> None:
    """Print how often each model is called, how much must be kept, and what starts from what.

    Args:
        itinerary: The plan.
        checkpoints: Where its models were read, in their order.
    """
    plan, unit = itinerary.plan, itinerary.unit
    longest = max(plan.depths[lead] for lead in plan.leads)
    for step, n_calls in plan.n_calls.items():
        position = next(i for i, model in enumerate(itinerary.models) if model.time_step == step * unit)
        network = itinerary.models[position].provenance.config.get("model", {}).get("name", "network")
        words = f"{n_calls} calls of {network} in steps of {format_duration(step * unit)}: {checkpoints[position]}"
        _out.print(escape(words), soft_wrap=True)
    _out.print(
        f"{len(plan.leads)} leads, {len(plan.calls)} calls, at most {longest} on the way to a lead;"
        f" at most {plan.peak_states} states of a member exist at once"
    )
    _out.print(_tree(itinerary))


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
