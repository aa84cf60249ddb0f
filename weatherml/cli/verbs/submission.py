"""The verb `submit`."""

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from weatherml.cli.settings import Folder, Settings, experiment_of, file_and_overrides
from weatherml.errors import UserError


def submit(
    settings: Settings = None,
    output: Folder = Path("runs/demo"),
    slurm: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE", help="What sbatch is asked for, such as nodes=4, or exclusive alone; may be repeated."
        ),
    ] = None,
    warning: Annotated[int, typer.Option(min=10, help="Seconds before its end at which the job saves.")] = 120,
    chain: Annotated[int, typer.Option(min=1, max=100, help="So many jobs, one after the other.")] = 1,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the job instead.")] = False,
) -> None:
    """Train as a job of SLURM, which saves before its time is up, is queued again, and goes on.

    Data and statistics must be there (`weatherml statistics`); `weatherml check CONFIG` says what else a job would fail
    on. With --chain, jobs that wait for each other take the place of one that is queued again.

    Example: `weatherml submit my.yaml -o runs/era5 --slurm nodes=4 --slurm gpus-per-node=8 --slurm time=12:00:00`
    """
    from weatherml.experiment.slurm import SlurmJob, parse_asked

    file, overrides = file_and_overrides(settings or [])
    if file is None:
        raise UserError("submit needs a configuration; weatherml submit --help shows an example")
    experiment = experiment_of(settings, output)
    program = Path(sys.executable).with_name("weatherml")
    folder = experiment.folder.absolute()
    command = [str(program), "train", str(Path(file).absolute()), *overrides, "-o", str(folder)]
    job = SlurmJob(command, folder, parse_asked(slurm or []), warning, chain)
    if dry_run:
        print(job.script, end="")
        return
    if not experiment.is_done("statistics"):
        words = shlex.join(["weatherml", "statistics", file, *overrides, "-o", str(output)])
        raise UserError(
            f"statistics is not done in {output} for this configuration; run {words} first: one process does it, and"
            " a job would keep all its nodes waiting for that"
        )
    for number in job.send():
        print(number)
