"""The verb `train`."""

import os
from pathlib import Path
from typing import Annotated

import typer

from weatherml.cli.settings import Folder, Settings, experiment_of


def train(
    settings: Settings = None,
    output: Folder = Path("runs/demo"),
    coordinator: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Where several processes meet: a free port of the first.")
    ] = None,
    process_id: Annotated[int | None, typer.Option(help="Which of them this is, from 0.")] = None,
    n_processes: Annotated[int | None, typer.Option(help="How many there are.")] = None,
    patience: Annotated[float, typer.Option(min=1, help="Seconds to wait for all of them.")] = 300.0,
    profile_steps: Annotated[
        str | None, typer.Option(metavar="FIRST:LAST", help="Steps to profile, into training/profile of the run.")
    ] = None,
) -> None:
    """Train a model; a training that was stopped or killed goes on where it was.

    Several processes that run this command train together. Tasks of `srun` find each other; others are told by the
    options, or by JAX_COORDINATOR_ADDRESS, JAX_PROCESS_ID and JAX_NUM_PROCESSES.

    Example: `weatherml train configs/t2m_erainterim.yaml training.batch_size=16 -o runs/t2m`
    """
    from weatherml.parallel import Processes  # loads jax, which the first screen does without

    processes = Processes.given(os.environ, coordinator, process_id, n_processes, patience)
    profile = [] if profile_steps is None else [f"training.profile_steps={profile_steps}"]
    experiment = experiment_of([*(settings or []), *profile], output)
    if processes.count > 1:
        experiment.train_with(processes)
    else:
        experiment.run("train")
    if processes.is_first:
        print(experiment.training.best_checkpoint)
