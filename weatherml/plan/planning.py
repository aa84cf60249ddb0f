"""The plan of a training: what it takes on some devices, whether that fits, and what would be better."""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from math import prod
from typing import Any

from weatherml.config import apply_overrides, from_mapping
from weatherml.experiment.config import ExperimentConfig
from weatherml.parallel.hardware.accelerators import CPU, Devices, accelerators
from weatherml.plan.calibration import rates_of_this_machine
from weatherml.plan.compiling import Compiled, Exchange, compile_apart
from weatherml.plan.counting import TRANSCENDENTAL
from weatherml.plan.estimate import USABLE, Machine, flops_of, memory_by_part, share_of_peak
from weatherml.plan.problem import Part, Problem

_DAY = 86_400.0
_MOST_VIRTUAL = 64
"""Devices that a program is compiled for; of more, fewer parts of a batch: the program of a device is the same."""


_NOT_OFFLOADED = ("training.device_memory.offload=[]",)
"""Processors have no memory but the host's, and no program for another."""


@dataclass(frozen=True)
class StagePlan:
    """One stage of a training.

    Attributes:
        rollout: Model steps.
        batch_size: Samples of an optimiser step.
        n_steps: Optimiser steps.
        flops: Of matrix products in an optimiser step, over all devices.
        seconds: Of an optimiser step, by what takes them.
        mesh: Sizes of its axes.
        memory: Of a device by part, bytes: that of the heaviest stage of the same mesh.
        exchanged: Bytes that a device sends in a step of that, by kind and axes.
    """

    rollout: int
    batch_size: int
    n_steps: int
    flops: float
    seconds: Mapping[str, float]
    mesh: Mapping[str, int] = field(default_factory=dict)
    memory: Mapping[str, int] = field(default_factory=dict)
    exchanged: Mapping[str, float] = field(default_factory=dict)

    @property
    def step_seconds(self) -> float:
        """Of an optimiser step."""
        return sum(self.seconds.values())

    @property
    def needed(self) -> int:
        """Memory of a device, bytes."""
        return sum(self.memory.values())

    def to_json(self) -> dict[str, Any]:
        """Return all of it, plain values."""
        return {
            "rollout": self.rollout,
            "batch_size": self.batch_size,
            "n_steps": self.n_steps,
            "flops": self.flops,
            "seconds": dict(self.seconds),
            "step_seconds": self.step_seconds,
            "mesh": dict(self.mesh),
            "memory_bytes": dict(self.memory),
            "needed_bytes": self.needed,
            "sent_bytes": dict(self.exchanged),
        }


@dataclass(frozen=True)
class ValidationPlan:
    """The validations of a training.

    Attributes:
        rollout: Model steps.
        n_batches: Of each, if the period holds so many.
        n_times: How many there are.
        seconds: Of a batch; of the mean of them where meshes differ.
    """

    rollout: int
    n_batches: int
    n_times: int
    seconds: float

    @property
    def all_seconds(self) -> float:
        """Of all; of the first batch of each a forecast is looked at as well, which takes as long as another."""
        return self.n_times * (self.n_batches + 1) * self.seconds


@dataclass(frozen=True)
class Plan:
    """What a training takes.

    Attributes:
        devices: As they were asked for.
        title: What people call such a device.
        mesh: Sizes of its axes; where stages have meshes of their own, of that whose devices hold most.
        grid: Rows and columns.
        n_channels: Of the state.
        known_from: What told the grid.
        parameters: By part of the network.
        memory: Of a device by part, bytes; on that mesh.
        room: That programs may take of a device, bytes.
        exchanged: Bytes that a device sends in a step, by kind and axes; likewise.
        stages: In order.
        field_bytes: Of the state and the forcings of one sample at one time.
        share_of_peak: Of matrix products, in the first stage.
        validation: What is validated meanwhile.
        changes: Of the configuration, as a command has them, by which it differs from what was asked.
    """

    devices: Devices
    title: str
    mesh: Mapping[str, int]
    grid: tuple[int, int]
    n_channels: int
    known_from: str
    parameters: Mapping[str, int]
    memory: Mapping[str, int]
    room: int
    exchanged: Mapping[str, float]
    stages: tuple[StagePlan, ...]
    field_bytes: int
    share_of_peak: float
    validation: ValidationPlan
    changes: tuple[str, ...] = ()

    @property
    def needed(self) -> int:
        """Memory of a device, bytes."""
        return sum(self.memory.values())

    @property
    def fits(self) -> bool:
        """Whether a device has that much."""
        return self.needed <= self.room

    @property
    def days(self) -> float:
        """Of all stages and validations, without snapshots and checkpoints."""
        steps = sum(stage.n_steps * stage.step_seconds for stage in self.stages)
        return (steps + self.validation.all_seconds) / _DAY

    @property
    def loading(self) -> float:
        """Bytes a second that the loader must deliver, over all hosts, in the stage that asks for most."""
        return max(self.field_bytes * s.batch_size * (s.rollout + 1) / s.step_seconds for s in self.stages)

    def to_json(self) -> dict[str, Any]:
        """Return all of it, plain values."""
        return {
            "devices": str(self.devices),
            "title": self.title,
            "mesh": dict(self.mesh),
            "grid": list(self.grid),
            "channels": self.n_channels,
            "known_from": self.known_from,
            "parameters": dict(self.parameters),
            "memory_bytes": dict(self.memory),
            "needed_bytes": self.needed,
            "room_bytes": self.room,
            "fits": self.fits,
            "sent_bytes": dict(self.exchanged),
            "stages": [stage.to_json() for stage in self.stages],
            "share_of_peak": self.share_of_peak,
            "validation": asdict(self.validation),
            "loading_bytes_per_second": self.loading,
            "days": self.days,
            "changes": list(self.changes),
        }


def plan(problem: Problem, devices: Devices, changes: tuple[str, ...] = ()) -> Plan:
    """Return what a training takes on some devices; its step is compiled for that, for as many virtual ones.

    Args:
        problem: What is trained.
        devices: On what.
        changes: `key.path=value`, of the configuration.

    Raises:
        UserError: The configuration does not suit the data, the devices or the changes.
    """
    problem = problem.with_config(changed(problem.config, changes))
    parts = problem.by_mesh(devices.count)
    plans = [_planned(part.problem, devices, changes) for part in parts]
    return plans[0] if len(plans) == 1 else _joined(parts, plans, problem)


def _joined(parts: Sequence[Part], plans: Sequence[Plan], problem: Problem) -> Plan:
    """Return the plan of stages that were planned for each mesh by itself."""
    stages = {
        position: stage
        for part, own in zip(parts, plans, strict=True)
        for position, stage in zip(part.positions, own.stages, strict=True)
    }
    heaviest, training = max(plans, key=lambda own: own.needed), problem.config.training
    n_times = math.ceil(training.n_steps / training.validate_every)
    n_steps = [sum(stage.n_steps for stage in own.stages) for own in plans]
    seconds = sum(n * own.validation.seconds for n, own in zip(n_steps, plans, strict=True)) / sum(n_steps)
    return replace(
        heaviest,
        stages=tuple(stages[position] for position in sorted(stages)),
        share_of_peak=plans[0].share_of_peak,  # which begins with the first stage
        validation=replace(heaviest.validation, n_times=n_times, seconds=seconds),
    )


def _planned(problem: Problem, devices: Devices, changes: tuple[str, ...]) -> Plan:
    """Return the plan of stages that share a mesh."""
    config, machine = problem.config, machine_of(devices)
    offloaded = config.training.device_memory.offload
    compiled = compiled_for(problem, devices.count)
    machine = replace(machine, crossing=sum(2 * compiled.resident[part] for part in offloaded))
    memory = memory_of(problem, compiled)
    sent = {f"{one.kind} along {' x '.join(one.axes)}": one.n_bytes for one in compiled.exchanges if one.axes}
    laid: Any = {"mesh": compiled.mesh, "memory": memory, "exchanged": sent}
    stages = tuple(
        StagePlan(stage.rollout, size, stage.n_steps, flops_of(counts), machine.seconds(compiled, position), **laid)
        for position, (stage, size, counts) in enumerate(
            zip(config.training.stages, problem.batch_sizes, compiled.counts, strict=True)
        )
    )
    heaviest = stages[compiled.stage]
    n_parts = prod(compiled.mesh[axis] for axis in ("data", "fsdp", "lat", "lon"))
    batch_bytes = n_parts * compiled.resident["batch"]
    return Plan(
        devices=devices,
        title=machine.accelerator.title if machine.accelerator else "this machine's processors",
        **laid,
        grid=problem.spec.grid.shape,
        n_channels=problem.spec.n_channels,
        known_from=problem.known_from,
        parameters=compiled.parameters,
        room=room_of(machine),
        stages=stages,
        field_bytes=batch_bytes // (heaviest.batch_size * (heaviest.rollout + 1)),
        share_of_peak=share_of_peak(machine, compiled.counts[0], stages[0].step_seconds),
        validation=validation_of(problem, compiled, replace(machine, crossing=0)),
        changes=changes,
    )


def validation_of(problem: Problem, compiled: Compiled, machine: Machine) -> ValidationPlan:
    """Return how often a training is validated, and what a batch takes."""
    training, own = problem.config.training, compiled.validating
    exponentials = own.counts.get(TRANSCENDENTAL, 0.0) / prod(compiled.mesh.values())
    forward = replace(compiled, stage=0, work=own.work, transcendentals=exponentials, counts=(own.counts,))
    forward = replace(forward, exchanges=own.exchanges)
    n_times = math.ceil(training.n_steps / training.validate_every)
    seconds = sum(machine.seconds(forward, 0).values())
    return ValidationPlan(problem.longest_rollout, training.n_validation_batches, n_times, seconds)


def memory_of(problem: Problem, compiled: Compiled) -> dict[str, int]:
    """Return the memory of a device by part, bytes, without what lies in the memory of the host.

    Where a batch of a validation, of the longest rollout, and what its program takes are more than a step of the
    heaviest stage takes beside what lies there for good, the rest of it is a part as well.
    """
    offloaded = problem.config.training.device_memory.offload
    memory = {part: size for part, size in memory_by_part(compiled).items() if part not in offloaded}
    own = compiled.validating
    beyond = own.batch + own.temporary - compiled.resident["batch"] - compiled.temporary
    return memory | ({"validations beyond a step": beyond} if beyond > 0 else {})


def changed(config: ExperimentConfig, changes: tuple[str, ...]) -> ExperimentConfig:
    """Return a configuration with changes, as a command line has them."""
    if not changes:
        return config
    return from_mapping(ExperimentConfig, apply_overrides(config.model_dump(mode="json"), changes), "plan")


def compiled_for(problem: Problem, n_devices: int) -> Compiled:
    """Compile the heaviest of stages that share a mesh; for fewer devices where they are many and share a batch.

    Raises:
        UserError: The configuration does not suit the devices.
    """
    data = problem.require_devices(n_devices)[0].mesh.shape["data"]
    if problem.config.training.device_memory.offload:
        problem = problem.with_config(changed(problem.config, _NOT_OFFLOADED))
    fewer = 1
    # Two parts of a batch at least: of one, nothing would be sent along `data`.
    while n_devices // fewer > _MOST_VIRTUAL and data % (2 * fewer) == 0 and data // fewer >= 4:
        fewer *= 2
    smaller = problem if fewer == 1 else problem.with_config(with_smaller_batches(problem.config, fewer))
    compiled = compile_apart(smaller, n_devices // fewer, problem.heaviest_stage)
    return compiled if fewer == 1 else with_data(compiled, data)


def with_smaller_batches(config: ExperimentConfig, times: int) -> ExperimentConfig:
    """Return a training on so many times fewer devices, every batch of which is that much smaller."""
    training = config.training
    stages = [
        stage.model_dump(mode="json") | {"batch_size": training.batch_size_of(stage) // times}
        for stage in training.stages
    ]
    told = config.model_dump(mode="json")
    told["training"] |= {"stages": stages, "batch_size": training.batch_size // times}
    for mesh in (told["training"]["mesh"], *(stage["mesh"] for stage in stages if stage["mesh"])):
        mesh["data"] = None
    return from_mapping(ExperimentConfig, told, "plan")


def with_data(compiled: Compiled, data: int) -> Compiled:
    """Return what is sent, and counted over all devices, where a batch has more parts of the same size."""
    before = compiled.mesh["data"]
    counts = tuple({kind: number * data / before for kind, number in own.items()} for own in compiled.counts)

    def longer(exchanges: tuple[Exchange, ...]) -> tuple[Exchange, ...]:
        return tuple(
            replace(one, n_bytes=one.n_bytes * _ring(one.axes, compiled.mesh, data)) if "data" in one.axes else one
            for one in exchanges
        )

    validating = replace(
        compiled.validating,
        counts={kind: number * data / before for kind, number in compiled.validating.counts.items()},
        exchanges=longer(compiled.validating.exchanges),
    )
    mesh = dict(compiled.mesh) | {"data": data}
    return replace(compiled, mesh=mesh, counts=counts, exchanges=longer(compiled.exchanges), validating=validating)


def _ring(axes: tuple[str, ...], mesh: Mapping[str, int], data: int) -> float:
    """Return by how much more a device sends around a longer ring: by (n - 1) / n of each."""
    n = prod(mesh[axis] for axis in axes)
    longer = n * data // mesh["data"]
    return ((longer - 1) / longer) / ((n - 1) / n)


def machine_of(devices: Devices) -> Machine:
    """Return what devices do."""
    if devices.kind == CPU:
        return Machine(None, rates_of_this_machine(), devices.count)
    return Machine(accelerators()[devices.kind], None, devices.count)


def room_of(machine: Machine) -> int:
    """Return what programs may take of a device, bytes: of this machine a share of half of its memory."""
    if machine.accelerator is not None:
        return int(USABLE * machine.accelerator.n_bytes)
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return whole // 2 // machine.n_devices
