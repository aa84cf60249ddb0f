"""The verb that judges forecasts: one, or several beside each other."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from weatherml.cli.options import LOCAL, AsJson, Channels, DropStopped, Overwrite, Rename, named, renames
from weatherml.errors import UserError

if TYPE_CHECKING:
    import xarray as xr

    from weatherml.verification import Metric, StatisticSums

Paths = Annotated[
    list[str],
    typer.Argument(
        metavar="FORECAST... TRUTH",
        help="Forecasts, each a store, its URL, or what convert wrote; last a store, files or a URL with the valid times.",
    ),
]
Metrics = Annotated[
    list[str] | None, typer.Option(help="A metric, with its parameters: rmse, 'csi(threshold=300)'; may be repeated.")
]
Against = Annotated[
    list[str] | None,
    typer.Option(
        metavar="SYSTEM", help="What to beat: a baseline, another forecast, or one of these by its name; repeated."
    ),
]
Names = Annotated[
    list[str] | None, typer.Option(help="What a forecast is called, in their order; else by its path. Repeated.")
]
Regions = Annotated[list[str] | None, typer.Option(help="A part of the globe, such as europe; may be repeated.")]
By = Annotated[str | None, typer.Option(help="Scores of each season, month, init_hour or valid_hour.")]
Climatology = Annotated[
    Path | None,
    typer.Option(help="[windowed_]climatology.nc of a run, for metrics of anomalies and as a baseline.", **LOCAL),
]
Missing = Annotated[str, typer.Option(help="refuse, or count: what is not there does not count, and how much is said.")]
Control = Annotated[str, typer.Option(help="Whether number 0 of an ensemble is in or out.")]
Interval = Annotated[
    str | None, typer.Option(help="How intervals are had: circular, stationary, ar2 ...; ar2 in scorecards by default.")
]
Scorecard = Annotated[bool, typer.Option("--scorecard", help="Where forecasts differ from those of --against, in pairs.")]
References = Annotated[
    list[Path] | None,
    typer.Option(help="Published scores to lay beneath: a tidy .csv, or WeatherBench 1's list; repeated.", **LOCAL),
]
Sums = Annotated[
    Path | None, typer.Option(help="Folder that keeps what was judged: only what is new is read again.", **LOCAL)
]
Outputs = Annotated[
    list[Path] | None,
    typer.Option("--output", "-o", help="Write a page .html, scores .nc or a tidy table .csv; repeated.", **LOCAL),
]


def evaluate(
    paths: Paths,
    metric: Metrics = None,
    against: Against = None,
    name: Names = None,
    region: Regions = None,
    by: By = None,
    climatology: Climatology = None,
    missing: Missing = "refuse",
    control: Control = "in",
    interval: Interval = None,
    scorecard: Scorecard = False,
    reference: References = None,
    sums: Sums = None,
    channels: Channels = None,
    drop_stopped: DropStopped = False,
    rename: Rename = None,
    output: Outputs = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Score forecasts against analyses, with 95 % intervals over the initial times that all of them have.

    Example: `weatherml evaluate runs/demo/forecast.zarr runs/demo/data.zarr --metric rmse --metric crps_fair`

    Several beside each other, on a page that opens in a browser: `weatherml evaluate new.zarr old.zarr data.zarr
    --against old persistence --scorecard -o page.html`
    """
    from weatherml.cli.printing.progress import bar
    from weatherml.cli.printing.scores import print_scores
    from weatherml.cli.scores import read_references, require_outputs, write_scores
    from weatherml.cli.systems import Reading, open_systems
    from weatherml.verification import Campaign, scorecards
    from weatherml.verification.systems import accumulate_systems, summarize_systems

    require_outputs(output or [], overwrite)
    if scorecard and not against:
        raise UserError("--scorecard compares; name a baseline or another forecast with --against")
    reading = Reading(named(channels), drop_stopped, renames(rename))
    published = read_references(reference or [])
    asked = open_systems(paths, against or [], name or [], reading, climatology)
    metrics, campaign = metric or ["rmse", "bias"], None if sums is None else Campaign(sums)
    how = {} if interval is None else {"interval": interval}
    with bar("evaluate", closes=False) as progress:
        kept = accumulate_systems(
            asked.forecasts,
            asked.truth,
            metrics,
            asked.climatology,
            progress,
            regions=region,
            missing=missing,
            control=control,
            campaign=campaign,
        )
    scores = summarize_systems(kept, metrics, by, **how)
    held = {name: kept[name] for name in asked.against}
    compared = {}
    if scorecard:
        compared = scorecards({name: own for name, own in kept.items() if name not in held}, held, metrics, by=by, **how)
    for path in output or []:
        write_scores(path, scores, compared, published)
    print_scores(scores, compared, as_json)
