"""The program: its verbs, and what happens to a user's mistake."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import typer.core

from weatherml.cli.calibration import calibrate
from weatherml.cli.conversion import convert
from weatherml.cli.forecasting import forecast
from weatherml.errors import UserError
from weatherml.heap import keep_freed_memory

if TYPE_CHECKING:
    from weatherml.experiment import Experiment

# Verbs import what they need when they run, so that `weatherml --help` answers at once.


class _Program(typer.core.TyperGroup):
    """The verbs; a user's mistake is one line and exit code 2, an interruption one line and 130."""

    def invoke(self, ctx: Any) -> Any:
        """Run a verb."""
        try:
            return super().invoke(ctx)
        except UserError as error:
            raise _stop(str(error), 2) from None
        except KeyboardInterrupt as interruption:
            raise _stop(str(interruption) or "interrupted; run the same command again to go on", 130) from None


def _stop(message: str, code: int) -> typer.Exit:
    print(f"weatherml: {message}", file=sys.stderr)
    return typer.Exit(code)


app = typer.Typer(
    cls=_Program,
    help="Data-driven global weather forecasting: from ERA5 to ensemble forecasts, verdicts on extremes, and maps.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)

imports = typer.Typer(
    help="Turn published weights into a checkpoint: a licence and a fingerprint of the file travel with it.\n\n"
    "Example: `weatherml import pangu pangu_weather_24.onnx -o pangu24`",
    no_args_is_help=True,
)
app.add_typer(imports, name="import")

Settings = Annotated[
    list[str] | None,
    typer.Argument(metavar="[CONFIG] [KEY.PATH=VALUE]...", help="A YAML file, and values that win over it."),
]
Weights = Annotated[Path, typer.Argument(help="The published file.")]
NewCheckpoint = Annotated[Path, typer.Option("--output", "-o", help="Checkpoint to write.")]
Folder = Annotated[Path, typer.Option("--output", "-o", help="Folder of the run.")]
Overwrite = Annotated[bool, typer.Option(help="Replace what is at the output.")]
DropStopped = Annotated[bool, typer.Option("--drop-stopped", help="Leave out the members that guards have stopped.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def main() -> None:
    """Run the program on the words of its command line."""
    keep_freed_memory()
    app()


@app.command()
def demo(settings: Settings = None, output: Folder = Path("runs/demo")) -> None:
    """Do the whole road: data, training, ensemble forecasts, scores, a verdict on extremes, maps and a report.

    Without CONFIG a planet is simulated, so nothing is downloaded. What is done in the folder is not done again.

    Example: `weatherml demo` or `weatherml demo configs/t2m_erainterim.yaml -o runs/t2m`
    """
    experiment = _experiment(settings, output)
    report = experiment.run()
    results = {
        "report": report,
        "forecast store": experiment.path("forecast"),
        "checkpoint": experiment.training.best_checkpoint,
    }
    for name, path in results.items():
        print(f"{name:<15} {path.resolve()}")


@app.command()
def ingest(settings: Settings = None, output: Folder = Path("runs/demo")) -> None:
    """Write the data of an experiment to a checked zarr store; an interrupted ingestion goes on where it stopped.

    Example: `weatherml ingest configs/t2m_erainterim.yaml -o runs/t2m`
    """
    print(_experiment(settings, output).run("ingest"))


@app.command()
def statistics(settings: Settings = None, output: Folder = Path("runs/demo")) -> None:
    """Compute statistics and climatology of the training period.

    Example: `weatherml statistics configs/t2m_erainterim.yaml -o runs/t2m`
    """
    from weatherml.cli.tables import print_statistics

    experiment = _experiment(settings, output)
    experiment.run("statistics")
    print_statistics(experiment.statistics)


@app.command()
def train(settings: Settings = None, output: Folder = Path("runs/demo")) -> None:
    """Train a model; a training that was stopped or killed goes on where it was.

    Example: `weatherml train configs/t2m_erainterim.yaml training.batch_size=16 -o runs/t2m`
    """
    experiment = _experiment(settings, output)
    experiment.run("train")
    print(experiment.training.best_checkpoint)


app.command()(forecast)
app.command()(calibrate)
app.command()(convert)


@imports.command("fourcastnet")
def import_fourcastnet(
    weights: Weights,
    output: NewCheckpoint,
    settings: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]...", help="What weights do not show, such as sparsity_threshold=0.01."),
    ] = None,
    means: Annotated[Path | None, typer.Option(help="global_means.npy, published beside the weights.")] = None,
    stds: Annotated[Path | None, typer.Option(help="global_stds.npy, published beside the weights.")] = None,
    channels: Annotated[str | None, typer.Option(help="Channels of unpublished weights: t2m,z500,...")] = None,
    grid: Annotated[str | None, typer.Option(help="ROWSxCOLUMNS, where the grid is not twice as wide as high.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Import a FourCastNet, or its precipitation diagnostic, from a file of PyTorch.

    Example: `weatherml import fourcastnet backbone.ckpt --means global_means.npy --stds global_stds.npy -o fourcastnet`
    """
    from weatherml.cli.paths import require_new
    from weatherml.cli.tables import print_description
    from weatherml.pretrained import import_fourcastnet

    names = None if channels is None else channels.split(",")
    require_new(output, overwrite)
    imported = import_fourcastnet(weights, means, stds, names, _rows_and_columns(grid), settings or [])
    imported.checkpoint.save(output)
    print_description(imported.report, as_json=False)
    print(output)


@imports.command("pangu")
def import_pangu(
    weights: Weights,
    output: NewCheckpoint,
    step: Annotated[
        str | None, typer.Option(help="Time step, such as 24h, where the file's name does not say it.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Import a Pangu-Weather from an ONNX file.

    Example: `weatherml import pangu pangu_weather_24.onnx -o pangu24`
    """
    from weatherml.cli.paths import require_new
    from weatherml.cli.tables import print_description
    from weatherml.durations import parse_duration
    from weatherml.pretrained import import_pangu

    require_new(output, overwrite)
    imported = import_pangu(weights, None if step is None else parse_duration(step))
    imported.checkpoint.save(output)
    print_description(imported.report, as_json=False)
    print(output)


def _rows_and_columns(grid: str | None) -> tuple[int, int] | None:
    """Read `721x1440`."""
    if grid is None:
        return None
    rows, cross, columns = grid.partition("x")
    if not (rows.isdecimal() and cross and columns.isdecimal()):
        raise UserError(f"--grid {grid!r} must read ROWSxCOLUMNS, for example 720x1440")
    return int(rows), int(columns)


@app.command()
def export(
    checkpoint: Annotated[Path, typer.Argument(help="What training or import wrote.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write.")],
    format_name: Annotated[str, typer.Option("--format", help="onnx or stablehlo.")] = "onnx",
    overwrite: Overwrite = False,
) -> None:
    """Write one step of a model to a file that runs without weatherml, and check that it gives the same.

    Example: `weatherml export runs/demo/training/checkpoints/best --format onnx -o step.onnx`
    """
    from weatherml.checkpoint import Checkpoint
    from weatherml.cli.paths import require_new
    from weatherml.export import export_step

    require_new(output, overwrite)
    worst = export_step(Checkpoint.load(checkpoint), output, format_name)
    print(f"{output}: differs from weatherml by at most {worst.error:.1g} standard deviations ({worst.channel})")


@app.command()
def evaluate(
    forecast: Annotated[Path, typer.Argument(help="A forecast store.")],
    truth: Annotated[Path, typer.Argument(help="Store or files that hold the valid times.")],
    metric: Annotated[list[str] | None, typer.Option(help="A metric; may be given more than once.")] = None,
    climatology: Annotated[Path | None, typer.Option(help="climatology.nc of a run, for metrics of anomalies.")] = None,
    drop_stopped: DropStopped = False,
    as_json: AsJson = False,
) -> None:
    """Score a forecast against analyses, with 95 % intervals over initial times.

    Example: `weatherml evaluate runs/demo/forecast.zarr runs/demo/data.zarr --metric rmse --metric crps_fair`
    """
    from weatherml.cli.paths import normal_of
    from weatherml.cli.tables import print_scores
    from weatherml.data.files import open_files
    from weatherml.evaluation import evaluate
    from weatherml.products.store import open_forecast, without_stopped

    opened = open_forecast(forecast)
    opened = without_stopped(opened) if drop_stopped else opened
    normal = None if climatology is None else normal_of(opened, climatology)
    scores = evaluate(opened, open_files(truth), metric or ["rmse", "bias"], normal)
    print_scores(scores, as_json)


@app.command()
def check(files: Annotated[list[str], typer.Argument(help="Files or stores.")], as_json: AsJson = False) -> None:
    """Say what is wrong with files: layout, grid, times, gaps, units and implausible values. Exit code 1 for errors.

    Example: `weatherml check era5_2020_*.nc`
    """
    from weatherml.cli.paths import check_paths
    from weatherml.cli.tables import print_findings

    findings = check_paths(files)
    print_findings(findings, as_json)
    if any(finding.severity == "error" for finding in findings):
        raise typer.Exit(1)


@app.command()
def info(
    paths: Annotated[list[str], typer.Argument(help="Files of one dataset, a store, a forecast or a checkpoint.")],
    as_json: AsJson = False,
) -> None:
    """Say what files, a store, a forecast or a checkpoint are.

    Example: `weatherml info runs/demo/data.zarr`
    """
    from weatherml.cli.paths import describe_paths
    from weatherml.cli.tables import print_description

    print_description(describe_paths(paths), as_json)


@app.command()
def plot(
    path: Annotated[Path, typer.Argument(help="A forecast store, an analysis store or a file.")],
    channel: Annotated[str, typer.Option(help="What to draw, for example z500 or t2m.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Picture to write.")] = Path("map.png"),
    time: Annotated[
        str | None, typer.Option(help="Valid time of an analysis, initial time of a forecast; else the first.")
    ] = None,
    lead: Annotated[str | None, typer.Option(help="Lead time of a forecast, for example 5d; else the last.")] = None,
    coastlines: Annotated[bool, typer.Option(help="Draw the Earth's coasts.")] = True,
    drop_stopped: DropStopped = False,
) -> None:
    """Draw a map: of an analysis, of a forecast, or of an ensemble's mean and spread.

    Example: `weatherml plot runs/demo/forecast.zarr --channel z500 --lead 5d --no-coastlines -o z500.png`
    """
    from weatherml import plot as draw
    from weatherml.cli.paths import open_field, save_figure

    field = open_field(path, channel, time, lead, drop_stopped)
    if field.sizes.get("number", 1) > 1:
        figure = draw.spread(field, coastlines=coastlines)
    else:
        figure = draw.map(field.squeeze("number") if "number" in field.dims else field, coastlines=coastlines)
    save_figure(figure, output)
    print(output)


def _experiment(settings: Sequence[str] | None, output: Path) -> "Experiment":
    """Build from positional words: those with an equals sign are overrides, the other is a file."""
    from weatherml.cli.progress import bar
    from weatherml.config import load_yaml
    from weatherml.experiment import Experiment, ExperimentConfig, demonstration

    words = settings or []
    files, overrides = [w for w in words if "=" not in w], [w for w in words if "=" in w]
    if len(files) > 1:
        raise UserError(f"one configuration file at most, got {' and '.join(files)}; overrides read key.path=value")
    config = load_yaml(ExperimentConfig, files[0], overrides) if files else demonstration(overrides)
    return Experiment(config, output, bar)
