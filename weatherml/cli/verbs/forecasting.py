"""The verb that makes forecasts."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from weatherml.cli.options import LOCAL
from weatherml.errors import Option, UserError

if TYPE_CHECKING:
    from weatherml.forecast import ForecastConfig, Forecaster
    from weatherml.forecast.output.target import OutputTarget

# What the verb needs is imported when it runs, so that `weatherml --help` answers at once.


Checkpoints = Annotated[
    list[Path] | None,
    typer.Argument(help="What training or import wrote, for example runs/demo/training/checkpoints/best.", **LOCAL),
]
Analysis = Annotated[
    str | None, typer.Option(metavar="PATH", help="Store, its URL, or files that hold the initial times.")
]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Zarr store to write.", **LOCAL)]
Init = Annotated[list[str] | None, typer.Option(help="An initial time, such as 2005-01-09T12 (UTC); may be repeated.")]
Models = Annotated[
    list[Path] | None,
    typer.Option(
        help="A checkpoint of another time step: each lead is reached by the fewest steps of them all.", **LOCAL
    ),
]
InTurn = Annotated[
    list[Path] | None,
    typer.Option(help="A checkpoint of another model: members take turns among them all; may be repeated.", **LOCAL),
]
Lead = Annotated[str | None, typer.Option(help="Longest lead time, for example 168h or 10d.")]
Every = Annotated[str | None, typer.Option(help="Spacing of the leads that are kept, for example 6h.")]
ShowPlan = Annotated[bool, typer.Option(help="Print which model is called when, and compute nothing.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="Another value of the forecast, such as channels=[z500,t2m] or rounding=0.01."),
]
Members = Annotated[int | None, typer.Option(help="Size of the ensemble; number 0 is the unperturbed control.")]
Perturbation = Annotated[
    str | None,
    typer.Option(help="How members differ, such as spherical; its parameters by --set perturbation.scale=2."),
]
Seed = Annotated[int | None, typer.Option(help="Of all random numbers.")]
OnlyMember = Annotated[
    list[int] | None,
    typer.Option(help="Compute this member alone, as it is in the whole ensemble of --members; may be repeated."),
]
ShareOf = Annotated[
    str, typer.Option(help="Compute one of several shares, such as 2/8; other processes, 0/8 to 7/8, do the rest.")
]
Diagnostics = Annotated[
    list[Path] | None,
    typer.Option(
        help="Checkpoint of fields that follow from the state, such as precipitation; may be repeated.", **LOCAL
    ),
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on with what was interrupted; refused where nothing was begun.")
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace the forecast at the output once the new one is whole.")
]


def forecast(
    checkpoints: Checkpoints = None,
    analysis: Analysis = None,
    output: Output = None,
    init: Init = None,
    models: Models = None,
    in_turn: InTurn = None,
    lead: Lead = None,
    every: Every = None,
    members: Members = None,
    perturbation: Perturbation = None,
    seed: Seed = None,
    only_member: OnlyMember = None,
    settings: Settings = None,
    show_plan: ShowPlan = False,
    share: ShareOf = "0/1",
    diagnostic: Diagnostics = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
) -> None:
    """Make forecasts from a checkpoint, from several of different time steps, or from several in turn.

    An interrupted forecast goes on where it stopped when the same command runs again. With `--resume` it must have been
    begun, and a finished one is left as it is, so that a job may be started again and again; with `--overwrite`
    another forecast, finished or not, gives way.

    Processes that are given `--share 0/8` to `--share 7/8` and the same output make one forecast together, at once or
    one after the other, on any machines that see the folder. The last of them gives the output its name.

    With `--in-turn B` beside a checkpoint A, members 0, 2, 4, ... are forecasts of A, members 1, 3, 5, ... of B.

    Example: `weatherml forecast runs/demo/training/checkpoints/best --analysis runs/demo/data.zarr --init 2005-01-09
    --lead 10d --members 20 --perturbation spherical --seed 1 -o forecast.zarr`
    """
    from weatherml.cli.outputs import require_apart, require_same_forecast
    from weatherml.cli.printing.plans import print_lead_plan
    from weatherml.cli.printing.progress import bar
    from weatherml.data.reading.opening import open_files
    from weatherml.forecast.output.target import OutputTarget
    from weatherml.storage.share import Share

    flags = {
        "lead_time": lead,
        "every": every,
        "members": members,
        "perturbation": None if perturbation is None else {"name": perturbation},
        "seed": seed,
        "numbers": only_member,
    }
    config = _config(flags, settings or [])
    suite, others = [*(checkpoints or []), *(models or [])], in_turn or []
    forecaster = _load(suite, others, diagnostic or [])
    if show_plan:
        paths = [suite, *([path] for path in others)]
        for own, plan, checkpoints in zip(forecaster.suites, forecaster.lead_plans(config), paths, strict=True):
            print_lead_plan(plan, own, checkpoints)
        return
    if analysis is None or output is None or not init:
        raise UserError("a forecast needs --analysis, --init and --output; weatherml forecast --help shows an example")
    require_apart(output, [analysis])
    target = OutputTarget(output, overwrite, Share.parse(share))
    _require_place(output, target, resume)
    analyses = open_files(analysis)
    if resume and output.exists():
        require_same_forecast(output, forecaster.request(analyses, init, config))
    else:
        with bar("forecast") as report:
            is_whole = forecaster.run_share(analyses, init, config, target, report)
        _tell(output, share, is_whole)
    print(output)


def _config(flags: Mapping[str, Any], settings: Sequence[str]) -> "ForecastConfig":
    """Build what is asked for; a perturbation of the control alone would change nothing."""
    from weatherml.config import from_mapping
    from weatherml.forecast import ForecastConfig

    asked = _over_flags(flags, settings)
    config = from_mapping(ForecastConfig, asked, "forecast")
    if config.perturbation is not None and "members" not in asked:
        raise UserError(
            "one member alone is the unperturbed control", Option("forecast.members", 20, "to perturb others")
        )
    return config


def _over_flags(flags: Mapping[str, Any], settings: Sequence[str]) -> dict[str, Any]:
    """Return the values of flags that are given and of `--set`, which says what a flag does not."""
    from weatherml.config import apply_overrides

    given = {name: value for name, value in flags.items() if value is not None}
    for setting in settings:
        if (name := setting.partition("=")[0]) in given:
            raise UserError(f"{name} is given by an option of its own and by --set {setting}; pass one of them")
    return apply_overrides(given, settings)


def _tell(output: Path, share: str, is_whole: bool) -> None:
    """Say what came of a share; leave the program where the forecast is not whole yet."""
    from weatherml.cli.printing.tables import print_stopped
    from weatherml.products.store import open_forecast

    if not is_whole:
        print(f"share {share} is written; {output} appears when all shares are")
        raise typer.Exit
    print_stopped(open_forecast(output).attrs["failed"])


def _require_place(output: Path, target: "OutputTarget", resume: bool) -> None:
    """Require that a forecast can go to `output`, before analyses are opened."""
    from weatherml.cli.outputs import require_begun
    from weatherml.products.store import forecast_folder, require_free
    from weatherml.storage.share import WHOLE

    forecast_folder(output)
    if resume and target.overwrite:
        raise UserError("--resume goes on with a forecast, --overwrite replaces it; pass one of them")
    if resume:
        require_begun(output)
    elif target.share == WHOLE:  # what others have made of the very forecast is no obstacle to a share
        require_free(output, target.overwrite)


def _load(paths: list[Path], in_turn: list[Path], diagnostics: list[Path]) -> "Forecaster":
    """Read the models that step together, or those that members take turns among."""
    from weatherml.forecast import Forecaster

    if not in_turn:
        return Forecaster.load(*paths, diagnostics=diagnostics)
    if len(paths) > 1:
        raise UserError("--in-turn takes models that reach every lead alone; drop --models, or build in Python")
    return Forecaster.in_turn(*(Forecaster.load(path, diagnostics=diagnostics) for path in (*paths, *in_turn)))
