"""How a model is trained."""

import math
from typing import Self

from jax.sharding import AbstractMesh, Mesh
from pydantic import Field, PositiveInt, model_validator

from weatherml.config import Config
from weatherml.durations import DurationText
from weatherml.errors.wording import listed
from weatherml.models import DiagnosticConfig, NetworkConfig
from weatherml.parallel import Layout, MeshConfig, require_bands, require_batch, require_members
from weatherml.process.memory import MemoryText
from weatherml.training.objective.losses import LossConfig
from weatherml.training.records.profile import StepsText
from weatherml.training.recovery.non_finite import Policy
from weatherml.training.update.curriculum import Stage
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
        mesh: How devices share the work.
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
    def parts(self) -> tuple[int, ...]:
        """Samples that are computed at once, over all devices, of every batch that is made."""
        return tuple(size // self.device_memory.accumulate for size, _ in self.batches)

    @property
    def n_steps(self) -> int:
        """Optimiser steps of all stages."""
        return sum(stage.n_steps for stage in self.stages)

    def batch_size_of(self, stage: Stage) -> int:
        """Samples in an optimiser step of a stage."""
        return stage.batch_size or self.batch_size

    @property
    def batches(self) -> tuple[tuple[int, int], ...]:
        """The batches that are made, samples and model steps of each: of all stages, and of validations."""
        stages = [(self.batch_size_of(stage), stage.rollout) for stage in self.stages]
        return (*stages, (self.batch_size, self.longest_rollout))

    @property
    def longest_rollout(self) -> int:
        """Model steps of the longest stage; every validation takes as many, so that all its losses compare."""
        return max(stage.rollout for stage in self.stages)

    def lay_out(
        self, network: NetworkConfig | DiagnosticConfig, grid: tuple[int, int], n_devices: int | None = None
    ) -> Layout:
        """Return where what is trained lies on devices.

        Args:
            network: What is trained.
            grid: Rows and columns.
            n_devices: How many, which need not be here; those that are here when None.

        Raises:
            UserError: The mesh does not divide the devices, the batch, the members of a sample, the grid, or
                what the network cannot cut.
        """
        layout = Layout.of(self.mesh, network.name, n_devices)
        self.require_mesh(layout.mesh, network, grid)
        return layout

    def require_mesh(
        self, mesh: Mesh | AbstractMesh, network: NetworkConfig | DiagnosticConfig, grid: tuple[int, int]
    ) -> None:
        """Require that devices get equal parts of batches, members, a grid `(rows, columns)`, and what a network cuts.

        Raises:
            UserError: They do not.
        """
        for size, _ in self.batches:
            require_batch(size, mesh, self.device_memory.accumulate)
        require_members(self.loss.n_members, mesh)
        require_bands(grid, *network.uncut(grid), mesh)
