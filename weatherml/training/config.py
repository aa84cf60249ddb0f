"""How a model is trained."""

import math
from collections.abc import Iterator, Sequence
from typing import Self

from pydantic import Field, PositiveInt, model_validator

from weatherml.config import Config
from weatherml.durations import DurationText
from weatherml.errors.wording import listed
from weatherml.models import DiagnosticConfig, NetworkConfig
from weatherml.parallel import Layout, MeshConfig
from weatherml.process.memory import MemoryText
from weatherml.training.curriculum.meshes import Share
from weatherml.training.curriculum.stages import Stage
from weatherml.training.objective.losses import LossConfig
from weatherml.training.records.profile import StepsText
from weatherml.training.recovery.non_finite import Policy
from weatherml.training.update.device_memory import DeviceMemoryConfig
from weatherml.training.update.optimizer import OptimizerConfig
from weatherml.training.update.trainable import Pattern


class TrainingConfig(Config):
    """How a model is trained.

    Attributes:
        stages: In order; typically one-step forecasts, then a shorter stage of two.
        batch_size: Samples in an optimiser step of a stage that says nothing else, and of a validation; over all
            devices.
        seed: Of the order of samples, and of what is random in a step.
        loss: What is minimised.
        optimizer: How.
        trainable: Which weights are trained: patterns that are found in their dotted names, such as `head`; the others
            stay as they were, bit for bit. All when None.
        average_decay: Memory of the running average of weights that validation and forecasts use.
        log_every: Optimiser steps between entries of the metrics.
        validate_every: Optimiser steps between validations.
        snapshot_every: Optimiser steps between snapshots, the most that a crash can cost.
        snapshots_kept: How many there are; the one before is needed while one is written, and where one is damaged.
        non_finite: What to do where a loss or a gradient is not finite: `stop`, `skip` that step, or `rollback` to the
            latest snapshot and go on with later batches.
        most_non_finite: Steps that are skipped one after the other, or times that training goes back to the same
            snapshot, before it stops.
        watchdog: How long a step may take before the process ends itself, for the same command to go on: ten times as
            long where it is compiled first, without end when None.
        n_validation_batches: How many batches, spread evenly over the validation period, a validation takes at most.
        mesh: How devices share the work in a stage that says nothing else.
        device_memory: What is done to need less memory of a device.
        memory: What loading may take on this machine: both periods, where they are held, and batches.
        profile_steps: The first and the last of some optimiser steps, such as `10:15`, counted from 1: what host and
            devices do in them is written to `profile` in the folder of the training, for xprof or TensorBoard.
    """

    stages: tuple[Stage, ...] = Field(min_length=1)
    batch_size: PositiveInt = 32
    seed: int = Field(default=0, ge=0, lt=2**32)
    loss: LossConfig = LossConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    trainable: tuple[Pattern, ...] | None = Field(default=None, min_length=1)
    average_decay: float = Field(default=0.999, ge=0, lt=1)
    log_every: PositiveInt = 50
    validate_every: PositiveInt = 250
    snapshot_every: PositiveInt = 250
    snapshots_kept: int = Field(default=2, ge=2)
    non_finite: Policy = "stop"
    most_non_finite: PositiveInt = 5
    watchdog: DurationText | None = "1h"
    n_validation_batches: PositiveInt = 8
    mesh: MeshConfig = MeshConfig()
    device_memory: DeviceMemoryConfig = DeviceMemoryConfig()
    memory: MemoryText = "4GiB"
    profile_steps: StepsText | None = None

    @model_validator(mode="after")
    def _parts_divide_the_batch(self) -> Self:
        n_parts, sizes = self.device_memory.accumulate, sorted({size for size, _ in self.batches})
        common = math.gcd(*sizes)
        if common % n_parts:
            fitting = max(n for n in range(1, n_parts) if common % n == 0)
            raise ValueError(
                f"device_memory.accumulate {n_parts} does not divide batch_size {listed(sizes)}; {fitting} does"
            )
        return self

    @property
    def shares(self) -> tuple[Share, ...]:
        """What devices share in every stage."""
        n, others = len(self.stages), (self.batch_size, self.device_memory.accumulate, self.loss.n_members)
        named = [f"stage {index} of {n}" if stage.mesh else "" for index, stage in enumerate(self.stages, 1)]
        return tuple(
            Share(stage.mesh or self.mesh, name, self.batch_size_of(stage), *others)
            for stage, name in zip(self.stages, named, strict=True)
        )

    @property
    def n_steps(self) -> int:
        """Optimiser steps of all stages."""
        return sum(stage.n_steps for stage in self.stages)

    def batch_size_of(self, stage: Stage) -> int:
        """Samples in an optimiser step of a stage."""
        return stage.batch_size or self.batch_size

    @property
    def names_meshes(self) -> bool:
        """Whether any is named: of machines that need not be here."""
        return any(share.mesh != MeshConfig() for share in self.shares)

    @property
    def batches(self) -> tuple[tuple[int, int], ...]:
        """The batches that are made, samples and model steps of each: of all stages, and of validations."""
        stages = [(self.batch_size_of(stage), stage.rollout) for stage in self.stages]
        return (*stages, (self.batch_size, self.longest_rollout))

    def shared_batches(self, n_parts: Sequence[int]) -> Iterator[tuple[int, int, int]]:
        """Yield samples and model steps of batches, of each stage and its validations, and how many hosts share one.

        Args:
            n_parts: Of how many parts, of samples and rows, the least shared host of each stage makes one.
        """
        *stages, validation = self.batches
        for own, parts in zip(stages, n_parts, strict=True):
            yield from ((*own, parts), (*validation, parts))

    @property
    def longest_rollout(self) -> int:
        """Model steps of the longest stage; every validation takes as many, so that all its losses compare."""
        return max(stage.rollout for stage in self.stages)

    def lay_out(
        self, network: NetworkConfig | DiagnosticConfig, grid: tuple[int, int], n_devices: int | None = None
    ) -> tuple[Layout, ...]:
        """Return where what is trained lies on devices in each stage; stages of the same mesh share a layout.

        Args:
            network: What is trained.
            grid: Rows and columns.
            n_devices: How many, which need not be here; those that are here when None.

        Raises:
            UserError: A mesh does not divide the devices, the batch, the members of a sample, the grid, or what the
                network cannot cut; the message names its stage where that has one of its own.
        """
        layouts = [share.lay_out(network, grid, n_devices) for share in self.shares]
        first_of = {layout.mesh: layout for layout in reversed(layouts)}
        return tuple(first_of[layout.mesh] for layout in layouts)
