"""The plan of a forecast on the terminal: which model is called when."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from weatherml.cli.printing.text_table import paragraph
from weatherml.durations import format_duration
from weatherml.errors.wording import counted

if TYPE_CHECKING:
    from weatherml.cli.printing.ways import Run
    from weatherml.forecast import Suite
    from weatherml.forecast.plan.lead_plan import LeadPlan

_out = Console(highlight=False)


def print_lead_plan(plan: "LeadPlan", suite: "Suite", checkpoints: Sequence[Path]) -> None:
    """Print how often each model is called, how much must be kept, and by which calls every lead is reached.

    Args:
        plan: Of a suite of models.
        suite: The models.
        checkpoints: Where they were read, in their order.
    """
    for step, n_calls in plan.n_calls.items():
        position = suite.models.index(suite.model_of(step * plan.unit))
        network = suite.models[position].provenance.config.get("model", {}).get("name", "network")
        steps = format_duration(step * plan.unit)
        print(f"{counted(n_calls, 'call')} of {network} in steps of {steps}: {checkpoints[position]}")
    longest = max(plan.depths[lead] for lead in plan.leads)
    leads, calls = counted(len(plan.leads), "lead"), counted(len(plan.calls), "call")
    print(f"{leads}, {calls} in all, at most {longest} on the way to a lead")
    print(f"at most {counted(plan.peak_states, 'state')} of a member at once")
    ways = _ways(plan)
    indent = max(map(len, ways)) + 2
    for name, told in ways.items():
        print(paragraph(name, told, indent, _out.width))


def _ways(plan: "LeadPlan") -> dict[str, str]:
    """Return by which calls leads are reached, all leads among them."""
    from weatherml.cli.printing.ways import ways_of

    def duration(count: int) -> str:
        return format_duration(count * plan.unit)

    told = {}
    for way in ways_of(plan):
        leads = " to ".join(duration(lead) for lead in dict.fromkeys((way.leads[0], way.leads[-1])))
        calls = ", ".join(f"{duration(run.step)} x {_counts(run)}" for run in way.runs)
        told[leads] = calls + f" ({counted(len(way.leads), 'lead')})" * (len(way.leads) > 1)
    return told


def _counts(run: "Run") -> str:
    if run.least == run.most:
        return str(run.least)
    return f"{run.least} to {run.most}" + f" by {run.every}" * (run.every > 1)
