"""What a training takes before it runs: memory, operations, bytes, time; known without the hardware."""

from pathlib import Path

from weatherml.experiment import ExperimentConfig
from weatherml.parallel.hardware.accelerators import Devices
from weatherml.plan.planning import Plan, plan
from weatherml.plan.problem import Problem, parse_grid
from weatherml.plan.proposal import Proposal, proposed

__all__ = ["Plan", "Problem", "Proposal", "plan_training", "propose_for"]


def plan_training(
    config: ExperimentConfig, devices: str, *changes: str, grid: str | None = None, folder: str | Path = "."
) -> Plan:
    """Return what a training takes on some devices, which need not be here.

    Args:
        config: The experiment.
        devices: Such as `8xh200`, or `cpu` for this machine.
        changes: Of the configuration, such as `training.mesh.fsdp=8`.
        grid: Of the data, such as `721x1440`; as the store in `folder` or the source has it when None.
        folder: Of a run.

    Raises:
        UserError: The grid is not known, or the configuration does not suit data, devices or changes.
    """
    return plan(_problem(config, grid, folder), Devices.parse(devices), changes)


def propose_for(config: ExperimentConfig, plan: Plan, grid: str | None = None, folder: str | Path = ".") -> Proposal:
    """Return what would be faster than a plan, or fit where it does not; arguments as `plan_training` has them."""
    return proposed(_problem(config, grid, folder), plan)


def _problem(config: ExperimentConfig, grid: str | None, folder: str | Path) -> Problem:
    return Problem.of(config, Path(folder), None if grid is None else parse_grid(grid))
