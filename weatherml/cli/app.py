"""The program: its verbs, and what happens to a user's mistake."""

from pathlib import Path
from typing import Annotated

import typer

from weatherml.cli.exit_codes import (
    end_alike_however_interrupted,
    leaving_at_once_when_interrupted,
    noticing_what_happens_to_the_output,
    open_standard_streams,
)
from weatherml.cli.options import LOCAL, AsJson, DropStopped, Rename, SeveralWords, renames
from weatherml.cli.program import Program
from weatherml.cli.settings import Folder, Settings, experiment_of
from weatherml.cli.verbs.calibration import calibrate
from weatherml.cli.verbs.checking import check
from weatherml.cli.verbs.conversion import convert
from weatherml.cli.verbs.downloading import download
from weatherml.cli.verbs.extremes import extremes
from weatherml.cli.verbs.forecasting import forecast
from weatherml.cli.verbs.ingestion import ingest
from weatherml.cli.verbs.planning import plan
from weatherml.cli.verbs.statistics import statistics
from weatherml.cli.verbs.submission import submit
from weatherml.cli.verbs.training import train
from weatherml.cli.verbs.verification import evaluate
from weatherml.cli.verbs.weights import export, imports
from weatherml.errors import UserError
from weatherml.process.heap import keep_freed_memory
from weatherml.process.logs import tell_warnings_plainly

# Verbs import what they need when they run, so that `weatherml --help` answers at once.


app = typer.Typer(
    cls=Program,
    help="Data-driven global weather forecasting: from ERA5 to ensemble forecasts, verdicts on extremes, and maps.\n\n"
    "Exit codes: 0 done; 1 `check` found errors; 2 a mistake, in one line; 75 asked to stop, 76 cut"
    " off, 130 interrupted: run it again to go on; 141 the reader of the output left.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


def main() -> None:
    """Run the program on the words of its command line."""
    open_standard_streams()
    end_alike_however_interrupted()
    tell_warnings_plainly()
    keep_freed_memory()
    with noticing_what_happens_to_the_output(), leaving_at_once_when_interrupted():
        app()


@app.command()
def demo(settings: Settings = None, output: Folder = Path("runs/demo")) -> None:
    """Do the whole road: data, training, ensemble forecasts, scores, a verdict on extremes, maps and a report.

    Without CONFIG a planet is simulated, so nothing is downloaded. What is done in the folder is not done again.

    Example: `weatherml demo` or `weatherml demo configs/t2m_erainterim.yaml -o runs/t2m`
    """
    from weatherml.experiment import perform_apart

    experiment = experiment_of(settings, output, perform_apart)
    report = experiment.run()
    results = {
        "report": report,
        "forecast store": experiment.path("forecast"),
        "checkpoint": experiment.training.best_checkpoint,
    }
    for name, path in results.items():
        print(f"{name:<15} {path.resolve()}")


app.command()(download)


app.command()(ingest)


app.command()(statistics)


app.command()(train)
app.command()(plan)
app.command()(submit)
app.command()(forecast)
app.command()(calibrate)
app.command()(convert)


app.add_typer(imports, name="import")
app.command()(export)


app.command(cls=SeveralWords)(evaluate)
app.command()(extremes)
app.command()(check)


@app.command()
def info(
    paths: Annotated[
        list[str] | None, typer.Argument(help="Files of one dataset, a store, a forecast or a checkpoint.")
    ] = None,
    names: Annotated[bool, typer.Option("--names", help="Say what all variables may be called instead.")] = False,
    rename: Rename = None,
    as_json: AsJson = False,
) -> None:
    """Say what files, a store, a forecast or a checkpoint are; or what variables are called.

    Example: `weatherml info runs/demo/data.zarr`
    """
    from weatherml.cli.paths import describe_paths, located
    from weatherml.cli.printing.descriptions import print_description
    from weatherml.cli.printing.tables import print_names

    if names == bool(paths):
        raise UserError("info needs a path, or --names alone; weatherml info --help shows an example")
    if paths:
        print_description(describe_paths(located(paths), renames(rename)), as_json)
    else:
        print_names(as_json)


@app.command()
def plot(
    path: Annotated[str, typer.Argument(metavar="PATH", help="A forecast or analyses: a store, its URL, or a file.")],
    channel: Annotated[str, typer.Option(help="What to draw, for example z500 or t2m.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Picture to write.", **LOCAL)] = Path("map.png"),
    time: Annotated[
        str | None, typer.Option(help="Valid time of an analysis, initial time of a forecast; else the first.")
    ] = None,
    lead: Annotated[str | None, typer.Option(help="Lead time of a forecast, for example 5d; else the last.")] = None,
    statistic: Annotated[
        str | None,
        typer.Option(
            help="Of statistics: spread, quantile=0.9, exceedance=288.15, ...; else the mean over the spread."
        ),
    ] = None,
    member: Annotated[
        int | None, typer.Option(help="One member of several, by its number; else their mean and spread.")
    ] = None,
    coastlines: Annotated[bool, typer.Option(help="Draw the Earth's coasts.")] = True,
    drop_stopped: DropStopped = False,
    rename: Rename = None,
) -> None:
    """Draw a map: of an analysis, of a forecast, or of an ensemble's mean and spread.

    Forecasts are read from their stores and from the NetCDF, GRIB2 and WeatherBench 2 files that `convert` writes.

    Example: `weatherml plot runs/demo/forecast.zarr --channel z500 --lead 5d --no-coastlines -o z500.png`
    """
    from weatherml.cli.outputs import require_apart
    from weatherml.cli.paths import located
    from weatherml.cli.printing.fields import Choice, draw, save_figure

    require_apart(output, [path])
    choice = Choice(channel, time, lead, statistic, drop_stopped, member, renames(rename))
    save_figure(draw(located([path])[0], choice, coastlines), output)
    print(output)
