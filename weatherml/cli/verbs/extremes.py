"""The verb that judges one extreme event."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from weatherml.cli.options import LOCAL, AsJson, Overwrite
from weatherml.errors import StopRequested, UserError

if TYPE_CHECKING:
    from weatherml.extremes.cases.running import Outcome

HAZARDS = (
    "atmospheric_river",
    "cold_spell",
    "freeze",
    "heat_wave",
    "heavy_precipitation",
    "severe_convection",
    "storm",
    "tropical_cyclone",
    "wind_storm",
)
"""As the registry has them, which a first screen does not wait for."""

Words = Annotated[
    list[str] | None,
    typer.Argument(metavar="CASE [KEY.PATH=VALUE]...", help="A YAML file of a case, and values that win over it."),
]
Page = Annotated[Path | None, typer.Option("--output", "-o", help="Write a page, .html.", **LOCAL)]
List = Annotated[
    bool, typer.Option("--list", help="Say which cases there are instead: of the package, or of a list that is named.")
]
OfHazard = Annotated[str | None, typer.Option("--hazard", help="With --list: cases of this kind alone.")]
Describe = Annotated[
    str | None,
    typer.Option(
        metavar="HAZARD",
        help=f"Say what a hazard is made of, and every key of its definition instead: {', '.join(HAZARDS)}; or all.",
    ),
]
Workers = Annotated[int, typer.Option(min=0, help="Processes of dask that look at members; 0: this one alone.")]
Scheduler = Annotated[
    str | None, typer.Option(metavar="ADDRESS", help="Of a dask cluster, or `slurm` to start its workers as jobs.")
]
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
    describe: Describe = None,
    workers: Workers = 0,
    scheduler: Scheduler = None,
    as_json: AsJson = False,
) -> None:
    """Judge forecasts of one extreme event: how early it was seen, where, how strong, and how good each system was.

    Example: `weatherml extremes heat_2015.yaml -o heat_2015.html`

    One of a list on your own data: `weatherml extremes list=events.yaml listed=12 truth=era5.zarr
    systems.ours=forecast.zarr`

    What a case may say of a heat wave: `weatherml extremes --describe heat_wave`

    Cases of a list of one's own, such as ExtremeWeatherBench's: `weatherml extremes --list events.yaml --hazard freeze`
    """
    with _keeping_nothing():
        from weatherml.cli.settings import file_and_overrides

        if describe is not None:
            _describe(describe, words or [], output, as_json)
            return
        file, overrides = file_and_overrides(words or [])
        if list_cases:
            if output is not None:
                raise UserError(f"--list prints and writes no page {output}; leave --output out, or --list")
            _list(file, overrides, hazard, period, as_json)
            return
        if hazard is not None or period is not None:
            raise UserError("--hazard and --period belong to --list; leave them out, or add it")
        if file is None and not any(word.startswith("listed=") for word in overrides):
            raise UserError(
                "extremes needs the file of a case, or one of a list: listed=12; weatherml extremes --help shows an"
                " example"
            )
        if file is not None and file.isdigit() and not Path(file).exists():
            raise UserError(
                f"{file} is no file of a case; run one of the list by its number: weatherml extremes listed={file}"
                " truth=PATH systems.NAME=PATH, and see weatherml extremes --list"
            )
        with nullcontext() if output is None else _alone_at(output, overwrite):
            _tell(_run(file, overrides, output, (workers, scheduler)), output, as_json)


@contextmanager
def _keeping_nothing() -> Iterator[None]:
    """Say of an interruption that the same command begins again."""
    try:
        yield
    except KeyboardInterrupt as interruption:
        how = "asked to stop" if isinstance(interruption, StopRequested) else "interrupted"
        raise type(interruption)(f"{how}, and nothing is kept; run the same command again to begin again") from None


@contextmanager
def _alone_at(output: Path, overwrite: bool) -> Iterator[None]:
    """Keep other runs from writing the page meanwhile.

    Raises:
        UserError: It is no page, is there already, another run is at it, or the disk refuses.
    """
    from weatherml.cli.outputs import require_new
    from weatherml.storage.locks import alone_at
    from weatherml.storage.room import explaining_errors

    if output.suffix.lower() != ".html":
        raise UserError(f"output {output} is no page; give a path that ends in .html")
    require_new(output, overwrite)
    with ExitStack() as held:
        with explaining_errors(output):
            held.enter_context(alone_at(output, 0))
        require_new(output, overwrite)  # who was there before may have written it
        yield


def _run(file: str | None, overrides: list[str], output: Path | None, who: tuple[int, str | None]) -> "Outcome":
    from weatherml.cli.cases import open_case, paths_of
    from weatherml.cli.outputs import require_apart
    from weatherml.cli.printing.progress import bar
    from weatherml.extremes.cases.config import read_case
    from weatherml.extremes.cases.running import run
    from weatherml.process.workers import workers_of

    workers = workers_of(*who)
    case = read_case(file, overrides)
    if output is not None:
        require_apart(output, [file, *paths_of(case)])
    workers.require_there()
    opened = open_case(case)
    with bar("extremes", closes=False) as progress:
        return run(case, opened.forecasts, opened.truth, opened.usual, progress, workers)


def _tell(outcome: "Outcome", output: Path | None, as_json: bool) -> None:
    from weatherml.cli.printing.cases import print_outcome

    if output is not None:
        from weatherml.plot.extremes.page import write_page

        write_page(output, outcome)
    print_outcome(outcome, as_json)
    if output is not None and not as_json:
        print(output)


def _describe(hazard: str, words: list[str], output: Path | None, as_json: bool) -> None:
    from weatherml.cli.printing.hazards import print_hazard, print_hazards

    if words or output is not None:
        raise UserError("--describe prints what a hazard is and judges no case; leave the other words out")
    if hazard == "all":
        print_hazards(as_json)
    else:
        print_hazard(hazard, as_json)


def _list(
    file: str | None, overrides: list[str], hazard: str | None, period: tuple[str, str] | None, as_json: bool
) -> None:
    from weatherml.cli.printing.cases import print_list
    from weatherml.extremes.cases.catalogue import listed_in

    for word in overrides:
        raise UserError(f"--list takes the file of a list and no {word}; choose cases with --hazard and --period")
    chosen = listed_in(file).only(hazard, period)
    chosen.warn_of_faults()
    print_list(chosen, as_json)
