"""The words with which verbs of a run begin: a configuration, values that win over it, and the folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from weatherml.cli.options import FOLDER
from weatherml.errors import UserError

if TYPE_CHECKING:
    from weatherml.experiment import Experiment, Perform

Settings = Annotated[
    list[str] | None,
    typer.Argument(metavar="[CONFIG] [KEY.PATH=VALUE]...", help="A YAML file, and values that win over it."),
]
Folder = Annotated[Path, typer.Option("--output", "-o", help="Folder of the run.", **FOLDER)]


def experiment_of(settings: Sequence[str] | None, output: Path, perform: "Perform | None" = None) -> "Experiment":
    """Build from positional words: those with an equals sign are overrides, the other is a file."""
    from weatherml.cli.printing.progress import bar, console
    from weatherml.config import load_yaml
    from weatherml.experiment import Experiment, ExperimentConfig, demonstration, perform_here

    file, overrides = file_and_overrides(settings or [])
    config = demonstration(overrides) if file is None else load_yaml(ExperimentConfig, file, overrides)
    if config.forecast.perturbation is not None and config.forecast.members == 1:
        console.print("forecast.members is 1, the unperturbed control: forecast.perturbation changes nothing")
    return Experiment(config, output, bar, perform or perform_here)


def file_and_overrides(words: Sequence[str]) -> tuple[str | None, list[str]]:
    """Tell positional words apart: those with an equals sign are overrides, the other is a file.

    Raises:
        UserError: There are several files.
    """
    files, overrides = [w for w in words if "=" not in w], [w for w in words if "=" in w]
    if len(files) > 1:
        raise UserError(f"one configuration file at most, got {' and '.join(files)}; overrides read key.path=value")
    return next(iter(files), None), overrides
