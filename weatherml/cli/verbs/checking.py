"""The verb `check`."""

from typing import Annotated

import typer

from weatherml.cli.options import AsJson, Rename, renames
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
    as_json: AsJson = False,
) -> None:
    """Say what is wrong with files: layout, times, units, places, lost and implausible values. Exit code 1 for errors.

    A store is mended from the source that `config.json` beside it names, as `ingest` has left it there, and from those
    before it where it has grown.

    Example: `weatherml check era5_2020_*.nc` or `weatherml check runs/demo/data.zarr --files --repair`
    """
    from weatherml.cli.paths import check_files, check_paths, located
    from weatherml.cli.printing.findings import print_findings, print_rules
    from weatherml.data.quality.check import require_rules

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
