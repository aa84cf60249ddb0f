"""The plan of a training on the terminal."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.console import Console
from rich.table import Table

from weatherml.errors.wording import counted, listed, size_of

if TYPE_CHECKING:
    from weatherml.plan.planning import Plan, StagePlan
    from weatherml.plan.proposal import Candidate, Proposal

_out = Console(highlight=False)

UNPACKED = {"compressed": 1.4e9, "uncompressed": 5.8e9}
"""Bytes of float32 that one processor delivers a second, from files in the cache (benchmarks/loading.md)."""


def print_plan(plan: "Plan", proposal: "Proposal | None", as_json: bool) -> None:
    """Print what a training takes, and what would be better."""
    if as_json:
        print(json.dumps(plan.to_json() | _proposal_json(proposal)))
        return
    _print_heading(plan)
    _print_memory(plan)
    _print_time(plan)
    if proposal is not None:
        _print_proposal(plan, proposal)


def _print_heading(plan: "Plan") -> None:
    parameters = ", ".join(f"{part} {_short(number)}" for part, number in plan.parameters.items())
    rows, columns = plan.grid
    print(f"{_short(sum(plan.parameters.values()))} parameters: {parameters}")
    print(f"{plan.n_channels} channels of {rows} x {columns} points, known from the {plan.known_from.lstrip('-')}")
    meshes = "; ".join(f"{_named(own)}mesh {_mesh(own.stage.mesh)}" for own in _by_mesh(plan))
    print(f"{plan.devices}, {plan.title}; {meshes}\n")


def _mesh(sizes: Mapping[str, int]) -> str:
    return " x ".join(f"{axis} {size}" for axis, size in sizes.items() if size > 1) or "of one device"


class _OfMesh(NamedTuple):
    """What is told of all stages of a mesh: their name, empty where there is no other mesh, and one of them."""

    name: str
    stage: "StagePlan"


def _by_mesh(plan: "Plan") -> list[_OfMesh]:
    numbers: dict[tuple[int, ...], list[int]] = {}
    for number, stage in enumerate(plan.stages, 1):
        numbers.setdefault(tuple(stage.mesh.values()), []).append(number)
    names = [f"stage{'s' * (len(own) > 1)} {listed(own)}" if len(numbers) > 1 else "" for own in numbers.values()]
    return [_OfMesh(name, plan.stages[own[0] - 1]) for name, own in zip(names, numbers.values(), strict=True)]


def _named(own: _OfMesh) -> str:
    return f"{own.name}: " if own.name else ""


def _print_memory(plan: "Plan") -> None:
    meshes = _by_mesh(plan)
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("memory of a device")
    for own in meshes:
        for heading in (own.name, "share"):
            table.add_column(heading, justify="right")
    for part in dict.fromkeys(part for own in meshes for part in own.stage.memory):
        table.add_row(part, *(cell for own in meshes for cell in _share(own.stage.memory.get(part, 0), plan.room)))
    table.add_row("all", *(cell for own in meshes for cell in _share(own.stage.needed, plan.room)), style="bold")
    _out.print(table)
    verdict = "it fits" if plan.fits else "[bold red]it does not fit[/]"
    _out.print(f"{verdict}: programs may take {_memory(plan.room)} of a device{_fraction(plan)}\n")


def _share(n_bytes: int, room: int) -> tuple[str, str]:
    return _memory(n_bytes), f"{n_bytes / room:.1%}"


def _fraction(plan: "Plan") -> str:
    is_here = plan.devices.kind == "cpu"
    return "" if is_here or plan.needed < 0.8 * plan.room else " with XLA_PYTHON_CLIENT_MEM_FRACTION=0.92"


def _print_time(plan: "Plan") -> None:
    parts = [part for part in plan.stages[0].seconds if any(stage.seconds[part] > 0 for stage in plan.stages)]
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("an optimiser step")
    for index, stage in enumerate(plan.stages, 1):
        table.add_column(f"stage {index}, {counted(stage.rollout, 'step')}", justify="right")
    if len(_by_mesh(plan)) > 1:
        _row(table, plan, "mesh", lambda stage: _mesh(stage.mesh))
    _row(table, plan, "operations of products", lambda stage: f"{stage.flops:.3g}")
    for part in parts:
        _row(table, plan, part, lambda stage, part=part: _seconds(stage.seconds[part]))
    _row(table, plan, "all", lambda stage: _seconds(stage.step_seconds))
    _row(table, plan, "samples", lambda stage: f"{stage.batch_size}")
    _row(table, plan, "samples/s", lambda stage: f"{stage.batch_size / stage.step_seconds:.3g}")
    _row(table, plan, "optimiser steps", lambda stage: f"{stage.n_steps:,}")
    _out.print(table)
    print(f"{plan.share_of_peak:.1%} of the peak of matrix products")
    for laid in _by_mesh(plan):
        for what, n_bytes in laid.stage.exchanged.items():
            print(f"{_named(laid)}a device sends {size_of(n_bytes)} a step by {what}")
    cores = {kind: plan.loading / rate for kind, rate in UNPACKED.items()}
    print(
        f"the loader must give {size_of(plan.loading)}/s: {cores['compressed']:.1f} processors that unpack a compressed"
        f" store, {cores['uncompressed']:.1f} of an uncompressed one, over all hosts"
    )
    own, share = plan.validation, plan.validation.all_seconds / max(86_400 * plan.days, 1e-9)
    print(
        f"{counted(own.n_times, 'validation')} of {counted(own.n_batches, 'batch', 'batches')} of"
        f" {counted(own.rollout, 'step')}: {_seconds(own.seconds)} a batch, {share:.1%} of the time"
    )
    _out.print(f"[bold]{_days(plan.days)}[/] for all stages and validations\n")


def _row(table: Table, plan: "Plan", name: str, told: Any) -> None:
    table.add_row(name, *(told(stage) for stage in plan.stages), style="bold" if name == "all" else None)


def _print_proposal(asked: "Plan", proposal: "Proposal") -> None:
    better = proposal.plan
    if better is not None:
        _out.print("[bold]better[/]" if asked.fits else "[bold]what fits[/]")
        print(f"  {' '.join(better.changes)}")
        step = better.stages[0]
        print(f"  {_memory(better.needed)} of a device, {_seconds(step.step_seconds)} a step, {_days(better.days)}")
    elif not asked.fits:
        _print_what_would_fit(asked, proposal)
    else:
        print("no mesh of these devices is reckoned to be faster")


def _print_what_would_fit(asked: "Plan", proposal: "Proposal") -> None:
    part, n_bytes = max(asked.memory.items(), key=lambda one: one[1])
    print(f"nothing fits {asked.devices}, of whose {_memory(asked.room)} {part} would take {_memory(n_bytes)}")
    ways: list[tuple[str, Candidate]] = []
    if proposal.in_less is not None:
        ways.append((f"with batches of {proposal.in_less[0]}", proposal.in_less[1]))
    if proposal.on_more is not None:
        ways.append((f"on {proposal.on_more[0]}", proposal.on_more[1]))
    for where, candidate in ways:
        print(f"{where} this should, {_memory(candidate.needed)} of a device:\n  {' '.join(candidate.changes)}")
    if not ways:
        print("nor smaller batches, nor 64 times as many devices; a smaller model or grid would")


def _proposal_json(proposal: "Proposal | None") -> dict[str, Any]:
    if proposal is None:
        return {}
    more, less = proposal.on_more, proposal.in_less
    return {
        "proposal": None if proposal.plan is None else proposal.plan.to_json(),
        "on_more": None if more is None else {"devices": str(more[0]), "changes": list(more[1].changes)},
        "in_less": None if less is None else {"batch_size": less[0], "changes": list(less[1].changes)},
    }


def _memory(n_bytes: float) -> str:
    return f"{n_bytes / 2**30:.3g} GiB" if n_bytes >= 2**29 else f"{n_bytes / 2**20:.3g} MiB"


def _seconds(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds >= 1 else f"{1e3 * seconds:.3g} ms"


def _days(days: float) -> str:
    if days >= 2:
        return f"{days:.3g} days"
    return f"{24 * days:.3g} hours" if 24 * days >= 2 else f"{24 * 60 * days:.3g} minutes"


def _short(number: float) -> str:
    """Write `74.7 M`."""
    for unit in ("", " k", " M", " G"):
        if number < 1000:
            return f"{number:.3g}{unit}"
        number /= 1000
    return f"{number:.3g} T"
