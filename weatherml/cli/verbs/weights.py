"""The verbs that take published weights in, and let a model out."""

from pathlib import Path
from typing import Annotated

import typer

from weatherml.cli.options import FOLDER, LOCAL
from weatherml.cli.program import Program
from weatherml.errors import UserError

# Verbs import what they need when they run, so that `weatherml --help` answers at once.

imports = typer.Typer(
    cls=Program,
    help="Turn published weights into a checkpoint: a licence and a fingerprint of the file travel with it.\n\n"
    "Example: `weatherml import pangu pangu_weather_24.onnx -o pangu24`",
    no_args_is_help=True,
)

Weights = Annotated[Path, typer.Argument(help="The published file.", **LOCAL)]
NewCheckpoint = Annotated[Path, typer.Option("--output", "-o", help="Checkpoint to write, a folder.", **FOLDER)]
Overwrite = Annotated[bool, typer.Option(help="Replace what is at the output.")]


@imports.command("fourcastnet")
def import_fourcastnet(
    weights: Weights,
    output: NewCheckpoint,
    settings: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]...", help="What weights do not show, such as sparsity_threshold=0.01."),
    ] = None,
    means: Annotated[Path | None, typer.Option(help="global_means.npy, published beside the weights.", **LOCAL)] = None,
    stds: Annotated[Path | None, typer.Option(help="global_stds.npy, published beside the weights.", **LOCAL)] = None,
    channels: Annotated[str | None, typer.Option(help="Channels of unpublished weights: t2m,z500,...")] = None,
    grid: Annotated[str | None, typer.Option(help="ROWSxCOLUMNS, where the grid is not twice as wide as high.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Import a FourCastNet, or its precipitation diagnostic, from a file of PyTorch.

    Example: `weatherml import fourcastnet backbone.ckpt --means global_means.npy --stds global_stds.npy -o fourcastnet`
    """
    from weatherml.cli.outputs import require_apart, require_new
    from weatherml.cli.printing.descriptions import print_description
    from weatherml.pretrained import import_fourcastnet

    names = None if channels is None else channels.split(",")
    require_apart(output, [weights, means, stds])
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
    from weatherml.cli.outputs import require_apart, require_new
    from weatherml.cli.printing.descriptions import print_description
    from weatherml.durations import parse_duration
    from weatherml.pretrained import import_pangu

    require_apart(output, [weights])
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


def export(
    checkpoint: Annotated[Path, typer.Argument(help="What training or import wrote.", **LOCAL)],
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write.", **LOCAL)],
    format_name: Annotated[str, typer.Option("--format", help="onnx or stablehlo.")] = "onnx",
    overwrite: Overwrite = False,
) -> None:
    """Write one step of a model to a file that runs without weatherml, and check that it gives the same.

    Example: `weatherml export runs/demo/training/checkpoints/best --format onnx -o step.onnx`
    """
    from weatherml.checkpoint import Checkpoint
    from weatherml.cli.outputs import require_apart, require_new
    from weatherml.export import export_step

    require_apart(output, [checkpoint])
    require_new(output, overwrite)
    worst = export_step(Checkpoint.load(checkpoint), output, format_name)
    print(f"{output}: differs from weatherml by at most {worst.error:.1g} standard deviations ({worst.channel})")
