"""Whether a training would run, asked before it waits in a queue: each thing by itself, in seconds."""

import math
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from weatherml.config import from_mapping
from weatherml.data.loading.room import batch_bytes, memory_for
from weatherml.data.period import overlap
from weatherml.errors import UserError
from weatherml.errors.wording import counted, size_of
from weatherml.experiment.config import ExperimentConfig
from weatherml.experiment.feasibility import Holdings, require_feasible, within
from weatherml.experiment.results import Results
from weatherml.experiment.running.work import taught
from weatherml.parallel import Portion, local_devices
from weatherml.parallel.hardware.accelerators import CPU, Devices, accelerators
from weatherml.plan.compiling import Compiled
from weatherml.plan.estimate import Machine, flops_of
from weatherml.plan.planning import compiled_for, memory_of, room_of
from weatherml.plan.problem import Part, Problem
from weatherml.process.memory import parse_memory
from weatherml.storage.files import write_bytes
from weatherml.storage.room import explaining_errors
from weatherml.times import show_periods
from weatherml.training import train
from weatherml.training.records.profile import Profile

_MOST_BYTES, _MOST_FLOPS = 2 * 2**30, 3e11
"""Of one sample, beyond which a step is compiled but not taken, for it would be minutes on the processors here."""


class Checked(NamedTuple):
    """What came of one thing.

    Attributes:
        name: Of the thing.
        outcome: `ok`, `failed`, or `not tried` where something else must be mended first.
        words: What was found, or what to do.
    """

    name: str
    outcome: str
    words: str


@dataclass(frozen=True, eq=False)
class Readiness:
    """A training that is to be sent to machines.

    Attributes:
        config: What it is.
        folder: Of the run.
        devices: On what it will run.
    """

    config: ExperimentConfig
    folder: Path
    devices: Devices

    def check(self) -> Iterator[Checked]:
        """Try one thing after the other, and go on with those that do not need what failed."""
        things: list[tuple[str, Callable[[], str], tuple[str, ...]]] = [
            ("configuration", self._configuration, ()),
            ("folder", self._folder, ()),
            ("store", self._store, ()),
            ("statistics", self._statistics, ("store",)),
            ("periods", self._periods, ("statistics",)),
            ("mesh", self._mesh, ("store",)),
            ("memory of loading", self._loading, ("store", "mesh")),
            ("memory of a device", self._device, ("store", "mesh")),
            ("one step", self._step, ("statistics", "memory of a device")),
        ]
        failed: set[str] = set()
        for name, try_it, needs in things:
            missing = [needed for needed in needs if needed in failed]
            checked = Checked(name, "not tried", f"mend {missing[0]} first") if missing else _tried(name, try_it)
            if checked.outcome != "ok":
                failed.add(name)
            yield checked

    @cached_property
    def _results(self) -> Results:
        return Results(self.config, self.folder)

    @cached_property
    def _problem(self) -> Problem:
        return Problem.of(self.config, self.folder)

    @cached_property
    def _parts(self) -> list[Part]:
        return self._problem.by_mesh(self.devices.count)

    @cached_property
    def _compiled(self) -> list[Compiled]:
        """The heaviest stage of each mesh."""
        return [compiled_for(part.problem, self.devices.count) for part in self._parts]

    def _by_mesh(self, told: Iterable[str]) -> str:
        """Return what is told of the stages of each mesh, in a line."""
        if len(self._parts) == 1:
            return next(iter(told))
        return "; ".join(f"{part.name}: {words}" for part, words in zip(self._parts, told, strict=True))

    def _configuration(self) -> str:
        training = self.config.training
        stages = counted(len(training.stages), "stage")
        Profile(training.profile_steps, self.folder, training.n_steps)  # refuses steps that there are not
        return f"{self.config.title}: {self.config.model.name}, {training.n_steps} optimiser steps in {stages}"

    def _folder(self) -> str:
        existing = self._existing
        trial = existing / f".weatherml-check-{time.time_ns()}"
        with explaining_errors(existing, again="check again"):
            write_bytes(trial, b"")
            trial.unlink()
        return f"{existing} can be written, {size_of(shutil.disk_usage(existing).free)} are free"

    def _store(self) -> str:
        path = self._results.path("ingest")
        if not path.exists():
            raise UserError(f"there is no {path}; run weatherml statistics CONFIG -o {self.folder}, which makes it")
        require_feasible(self.config, Holdings.of_store(self._results.store))
        n_times = within(self._results.store["time"].values, self.config.periods.training).size
        return f"{self._results.spec.n_channels} channels, {counted(n_times, 'time')} of training"

    def _statistics(self) -> str:
        if not self._results.is_done("statistics"):
            remedy = f"run weatherml statistics CONFIG -o {self.folder}"
            raise UserError(f"they are not those of this configuration and these data; {remedy}")
        statistics = self._results.statistics
        return f"of {counted(statistics.n_times, 'time')} in {show_periods(statistics.period)}"

    def _periods(self) -> str:
        own, learned = self.config.periods, self._results.statistics.period
        for name, period in (("validation", own.validation), ("test", own.test)):
            if overlap(learned, period):
                raise UserError(
                    f"statistics are of {show_periods(learned)}, which overlaps the {name} period"
                    f" {show_periods(period)}: what is judged on would be learned from; compute them again"
                )
        return "neither validation nor test is in what statistics were computed of"

    def _mesh(self) -> str:
        layouts = dict.fromkeys(self._problem.require_devices(self.devices.count))
        sizes = [[f"{axis} {size}" for axis, size in layout.mesh.shape.items() if size > 1] for layout in layouts]
        return f"{self.devices}: {self._by_mesh(' x '.join(own) or 'one device' for own in sizes)}"

    def _loading(self) -> str:
        training, spec = self.config.training, self._problem.sampled
        forcings = self._problem.forcings
        n_hosts = math.ceil(self.devices.count / self._per_host)
        layouts = self._problem.require_devices(self.devices.count)
        n_parts = [Portion.outline(layout.batch, n_hosts).n_parts for layout in layouts]
        needed = (
            memory_for(batch_bytes(spec, forcings, size, rollout)) / parts
            for size, rollout, parts in training.shared_batches(n_parts)
        )
        own, memory = math.ceil(max(needed)), parse_memory(training.memory)
        if own > memory:
            raise UserError(
                f"a host needs {size_of(own)} for batches, training.memory is {training.memory}; set"
                f" training.memory={math.ceil(own / 2**30)}GiB"
            )
        return f"a host needs {size_of(own)} for batches of {training.memory}"

    @property
    def _per_host(self) -> int:
        return self.devices.count if self.devices.kind == CPU else accelerators()[self.devices.kind].per_node

    def _device(self) -> str:
        accelerator = None if self.devices.kind == CPU else accelerators()[self.devices.kind]
        room = room_of(Machine(accelerator, None, self.devices.count))
        if accelerator is None:
            self.config.training.device_memory.require_host()
        needed = [
            sum(memory_of(part.problem, compiled).values())
            for part, compiled in zip(self._parts, self._compiled, strict=True)
        ]
        if max(needed) > room:
            too_much = self._by_mesh(f"a step takes {size_of(n_bytes)} of a device" for n_bytes in needed)
            raise UserError(
                f"{too_much}; programs may take {size_of(room)}; weatherml plan CONFIG -o {self.folder} --devices"
                f" {self.devices} proposes what fits"
            )
        free, kept = shutil.disk_usage(self._existing).free, self._on_disk
        if kept > free:
            raise UserError(f"snapshots and checkpoints take {size_of(kept)}, {size_of(free)} are free; make room")
        steps = self._by_mesh(f"a step takes {size_of(n_bytes)} of {size_of(room)}" for n_bytes in needed)
        return f"{steps}, snapshots {size_of(kept)} of the disk"

    @property
    def _on_disk(self) -> int:
        """Bytes at most: snapshots and one that is being written, of weights, average and moments; two checkpoints."""
        n_copies = 4 * (self.config.training.snapshots_kept + 1) + 2
        return 4 * n_copies * sum(self._compiled[0].parameters.values())

    @property
    def _existing(self) -> Path:
        return next(place for place in (self.folder.absolute(), *self.folder.absolute().parents) if place.exists())

    def _step(self) -> str:
        flops = max(
            flops_of(compiled.counts[compiled.stage]) / part.problem.batch_sizes[compiled.stage]
            for part, compiled in zip(self._parts, self._compiled, strict=True)
        )
        if max(compiled.temporary for compiled in self._compiled) > _MOST_BYTES or flops > _MOST_FLOPS:
            return f"compiled; not taken here, as one sample takes {flops:.2g} operations"
        started = time.perf_counter()
        loss = self._step_taken()
        return f"loss {loss:.4g}; compiled, taken and saved in {time.perf_counter() - started:.0f} s"

    def _step_taken(self) -> float:
        """Train for one small step beside the run; return the loss."""
        config = self._small
        with tempfile.TemporaryDirectory(prefix=".weatherml-check-", dir=self.folder) as folder:
            lesson = taught(Results(config, self.folder))
            run = train(config.training, *lesson.own, folder, model=lesson.stepper)
            return float(np.float64(run.metrics()[-1]["loss"]))

    @cached_property
    def _small(self) -> ExperimentConfig:
        """One step of one sample for each device here; of two, one after the other, where batches come in parts."""
        told = self.config.model_dump(mode="json")
        training, memory = told["training"], told["training"]["device_memory"]
        n_parts = min(memory["accumulate"], 2)
        n, alone = n_parts * len(local_devices()), {"n_steps": 1, "batch_size": None, "mesh": None}
        stage = training["stages"][0] | alone
        spec, forcings = self._problem.sampled, self._problem.forcings
        # Little more than batches need, so that no period is read as a whole to be held.
        room = math.ceil(memory_for(batch_bytes(spec, forcings, n, stage["rollout"])) / 2**20) + 1
        training |= {"stages": [stage], "batch_size": n, "mesh": {}, "n_validation_batches": 1, "profile_steps": None}
        training |= {"memory": f"{room}MiB", "device_memory": memory | {"accumulate": n_parts, "offload": []}}
        return from_mapping(ExperimentConfig, told, "check")


def _tried(name: str, try_it: Callable[[], str]) -> Checked:
    try:
        return Checked(name, "ok", try_it())
    except UserError as error:
        return Checked(name, "failed", str(error))
