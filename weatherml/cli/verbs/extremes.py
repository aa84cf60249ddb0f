"""The verb that judges one extreme event."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from weatherml.cli.options import LOCAL, AsJson, Overwrite
from weatherml.errors import StopRequested, UserError

if TYPE_CHECKING:
    from weatherml.extremes.cases.running import Outcome

Words = Annotated[
    list[str] | None,
    typer.Argument(metavar="CASE [KEY.PATH=VALUE]...", help="A YAML file of a case, and values that win over it."),
]
Page = Annotated[Path | None, typer.Option("--output", "-o", help="Write a page, .html.", **LOCAL)]
List = Annotated[
    bool, typer.Option("--list", help="Say which cases there are instead: of the package, or of a list that is named.")
]
OfHazard = Annotated[str | None, typer.Option("--hazard", help="With --list: cases of this kind alone.")]
InPeriod = Annotated[
    tuple[str, str] | None, typer.Option("--period", metavar="FIRST LAST", help="With --list: cases of these times.")
]


def extremes(
    words: Words = None,
    output: Page = None,
    overwrite: Overwrite = False,
    list_cases: List = False,
    hazard: OfHazard = None,
    period: InPeriod = None,
    as_json: AsJson = False,
) -> None:
    """Judge forecasts of one extreme event: how early it was seen, where, how strong, and how good each system was.

    Example: `weatherml extremes heat_2015.yaml -o heat_2015.html`

    Cases of a list of one's own, such as ExtremeWeatherBench's: `weatherml extremes --list events.yaml --hazard freeze`
    """
    from weatherml.cli.settings import file_and_overrides

    file, overrides = file_and_overrides(words or [])
    if list_cases:
        if output is not None:
            raise UserError(f"--list prints and writes no page {output}; leave --output out, or --list")
        _list(file, overrides, hazard, period, as_json)
        return
    if file is None or hazard is not None or period is not None:
        raise UserError(
            "extremes needs the file of a case, and --hazard and --period belong to --list; weatherml extremes --help"
            " shows an example"
        )
    try:
        _tell(_run(file, overrides, output, overwrite), output, as_json)
    except KeyboardInterrupt as interruption:
        how = "asked to stop" if isinstance(interruption, StopRequested) else "interrupted"
        raise type(interruption)(f"{how}, and nothing is kept; run the same command again to begin again") from None


def _run(file: str, overrides: list[str], output: Path | None, overwrite: bool) -> "Outcome":
    from weatherml.cli.cases import open_case, paths_of
    from weatherml.cli.outputs import require_apart, require_new
    from weatherml.cli.printing.progress import bar
    from weatherml.extremes.cases.config import read_case
    from weatherml.extremes.cases.running import run

    case = read_case(file, overrides)
    if output is not None:
        if output.suffix.lower() != ".html":
            raise UserError(f"output {output} is no page; give a path that ends in .html")
        require_apart(output, [file, *paths_of(case)])
        require_new(output, overwrite)
    opened = open_case(case)
    with bar("extremes", closes=False) as progress:
        return run(case, opened.forecasts, opened.truth, opened.usual, progress)


def _tell(outcome: "Outcome", output: Path | None, as_json: bool) -> None:
    from weatherml.cli.printing.cases import print_outcome

    if output is not None:
        from weatherml.plot.extremes.page import write_page

        write_page(output, outcome)
    print_outcome(outcome, as_json)
    if output is not None and not as_json:
        print(output)


def _list(
    file: str | None, overrides: list[str], hazard: str | None, period: tuple[str, str] | None, as_json: bool
) -> None:
    from weatherml.cli.printing.cases import print_list
    from weatherml.extremes.cases.catalogue import listed_in

    for word in overrides:
        raise UserError(f"--list takes the file of a list and no {word}; choose cases with --hazard and --period")
    print_list(listed_in(file).only(hazard, period), as_json)
