"""The verb that judges forecasts."""

from pathlib import Path
from typing import Annotated

import typer

from weatherml.cli.options import LOCAL, AsJson, Channels, DropStopped, Rename, named, renames


def evaluate(
    forecast: Annotated[str, typer.Argument(metavar="FORECAST", help="A store, its URL, or what convert wrote.")],
    truth: Annotated[str, typer.Argument(metavar="TRUTH", help="Store, files or a URL that hold the valid times.")],
    metric: Annotated[list[str] | None, typer.Option(help="A metric; may be given more than once.")] = None,
    climatology: Annotated[
        Path | None, typer.Option(help="[windowed_]climatology.nc of a run, for metrics of anomalies.", **LOCAL)
    ] = None,
    channels: Channels = None,
    drop_stopped: DropStopped = False,
    rename: Rename = None,
    as_json: AsJson = False,
) -> None:
    """Score a forecast against analyses, with 95 % intervals over initial times.

    Example: `weatherml evaluate runs/demo/forecast.zarr runs/demo/data.zarr --metric rmse --metric crps_fair`
    """
    from weatherml.cli.paths import climatology_at
    from weatherml.cli.printing.tables import print_scores
    from weatherml.data.reading.opening import open_files
    from weatherml.products import read_forecast, without_stopped
    from weatherml.products.convert import select
    from weatherml.verification import evaluate

    wanted = named(channels)
    opened = read_forecast(forecast)
    opened = opened if wanted is None else select(opened, wanted)
    opened = without_stopped(opened) if drop_stopped else opened
    normal = None if climatology is None else climatology_at(climatology)
    scores = evaluate(opened, open_files(truth, rename=renames(rename)), metric or ["rmse", "bias"], normal)
    print_scores(scores, opened.sizes.get("number", 1), as_json)
