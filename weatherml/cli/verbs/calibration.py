"""The verb that chooses amplitudes of a perturbation."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from weatherml.cli.options import LOCAL
from weatherml.errors import UserError
from weatherml.errors.wording import counted

if TYPE_CHECKING:
    from weatherml.experiment.calibration import Trial


def calibrate(
    checkpoints: Annotated[
        list[Path],
        typer.Argument(help="What training or import wrote, for example runs/demo/training/checkpoints/best.", **LOCAL),
    ],
    analysis: Annotated[
        str,
        typer.Option(metavar="PATH", help="Store, its URL, or files of initial and valid times."),
    ],
    init: Annotated[
        list[str], typer.Option(help="A time of a validation period, such as 2004-11-12T06 (UTC); repeated.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="YAML file to write.", **LOCAL)],
    lead: Annotated[str, typer.Option(help="At which spread and error shall agree, for example 3d.")] = "2d",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="A value of the ensemble: members=10, perturbation=bred, perturbation.length=800."),
    ] = None,
    rounds: Annotated[
        int, typer.Option(min=1, help="At most so many ensembles for the scale, and for amplitudes.")
    ] = 3,
) -> None:
    """Fit the amplitudes of a perturbation, so that an ensemble's spread matches its error, on a validation period.

    The file says what differs from the defaults of an experiment, under `forecast.perturbation`.

    Example: `weatherml calibrate runs/demo/training/checkpoints/best --analysis runs/demo/data.zarr --init 2004-11-12
    --init 2004-11-22 --init 2004-12-02 --set perturbation.name=spherical --lead 3d -o amplitudes.yaml`
    """
    import yaml

    from weatherml.cli.outputs import require_apart, require_writable
    from weatherml.config import apply_overrides, from_mapping
    from weatherml.data.reading.opening import open_files
    from weatherml.experiment.calibration import calibrate
    from weatherml.forecast import ForecastConfig, Forecaster
    from weatherml.storage.files import write_bytes

    if output.exists():
        raise UserError(f"output {output} exists; choose another path")
    require_apart(output, [analysis, *checkpoints])
    require_writable(output)
    asked = {"lead_time": lead, "members": 10, "perturbation": {"name": "spherical"}}
    config = from_mapping(ForecastConfig, apply_overrides(asked, settings or []), "calibrate")
    best = calibrate(Forecaster.load(*checkpoints), open_files(analysis), init, config, rounds, _print_trial)
    fragment = {"forecast": {"perturbation": best.perturbation.model_dump(mode="json")}}
    write_bytes(output, yaml.safe_dump(fragment, sort_keys=False).encode())
    print(output)


def _print_trial(trial: "Trial") -> None:
    scale = f"scale {trial.perturbation.scale:<8.4g}"
    if math.isinf(trial.error):
        print(f"{scale} far too large: {counted(trial.n_stopped, 'member')} stopped")
        return
    lowest, highest = (pick(trial.spread_skill, key=trial.spread_skill.__getitem__) for pick in (min, max))
    print(
        f"{scale} spread over error {trial.spread_skill[lowest]:.2f} ({lowest}) .. {trial.spread_skill[highest]:.2f}"
        f" ({highest})" + f", members left out that stopped: {trial.n_stopped}" * bool(trial.n_stopped)
    )
