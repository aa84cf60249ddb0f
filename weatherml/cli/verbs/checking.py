"""The verb `check`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from weatherml.cli.options import FOLDER, AsJson, Rename, renames
from weatherml.cli.settings import experiment_of
from weatherml.errors import UserError


def check(
    paths: Annotated[list[str] | None, typer.Argument(help="Files or stores.")] = None,
    files: Annotated[bool, typer.Option("--files", help="Of stores, only whether their files are whole.")] = False,
    repair: Annotated[bool, typer.Option("--repair", help="Make damaged files of stores again.")] = False,
    ignore: Annotated[
        list[str] | None, typer.Option(metavar="RULE", help="Leave out what this rule finds; may be repeated.")
    ] = None,
    rules: Annotated[bool, typer.Option("--rules", help="Say what all rules find instead.")] = False,
    rename: Rename = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder of the run of CONFIG.", **FOLDER)
    ] = None,
    devices: Annotated[
        str | None, typer.Option(metavar="NxKIND", help="On what CONFIG is to train: 8xh200, a100, or 2xcpu.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say what is wrong with files: layout, times, units, places, lost and implausible values. Exit code 1 for errors.

    Of a configuration, `weatherml check CONFIG.yaml [KEY.PATH=VALUE]... -o RUN --devices 8xh200`, say whether its
    training would run: the folder, the store, statistics and periods, the mesh, memory, and one step.

    A store is mended from the source that `config.json` beside it names, as `ingest` has left it there, and from those
    before it where it has grown.

    Example: `weatherml check era5_2020_*.nc` or `weatherml check runs/demo/data.zarr --files --repair`
    """
    from weatherml.cli.paths import check_files, check_paths, located
    from weatherml.cli.printing.findings import print_findings, print_rules
    from weatherml.data.quality.check import require_rules

    if paths and is_configuration(paths[0]):
        refuse_others({"--files": files, "--repair": repair, "--ignore": ignore, "--rules": rules, "--rename": rename})
        check_configuration(paths, output or Path("runs/demo"), devices or "cpu", as_json)
        return
    refuse_others({"--output": output, "--devices": devices}, "are of a configuration; name its YAML file first")
    if rules == bool(paths):
        raise UserError("check needs paths, or --rules alone; weatherml check --help shows an example")
    if not paths:
        print_rules(as_json)
        return
    require_rules(ignore or ())
    if repair:
        from weatherml.cli.repairing import repair_stores  # loads jax, which a look does without

        repair_stores(paths)
    findings = check_files(paths) if files else check_paths(located(paths), renames(rename), ignore or ())
    print_findings(findings, as_json)
    if any(finding.severity == "error" for finding in findings):
        raise typer.Exit(1)


def is_configuration(path: str) -> bool:
    """Return whether a path is a YAML file, of which only configurations are."""
    return Path(path).suffix.lower() in (".yaml", ".yml")


def refuse_others(given: Mapping[str, object], why: str = "are of files and stores, not of a configuration") -> None:
    """Refuse options that the thing which is checked does not have.

    Raises:
        UserError: One is given.
    """
    names = [name for name, value in given.items() if value]
    if names:
        raise UserError(f"{' and '.join(names)} {why}")


def check_configuration(words: Sequence[str], output: Path, devices: str, as_json: bool) -> None:
    """Say whether the training of a configuration would run.

    Raises:
        UserError: There is no such configuration, or there are no such devices.
        Exit: It would not.
    """
    from weatherml.cli.printing.findings import print_checked
    from weatherml.parallel.hardware.accelerators import Devices
    from weatherml.plan.readiness import Readiness

    wanted = Devices.parse(devices)
    config = experiment_of(words, output).config
    if not print_checked(Readiness(config, output, wanted).check(), as_json):
        raise typer.Exit(1)
