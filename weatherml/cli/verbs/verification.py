"""The verb that judges forecasts: one, or several beside each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from weatherml.cli.options import (
    LOCAL,
    WORDS,
    AsJson,
    Calendar,
    Channels,
    DropStopped,
    InitTime,
    LeadUnit,
    Overwrite,
    PointsOfRows,
    Rename,
    Repeated,
    named,
    period_of,
    renames,
)
from weatherml.errors import UserError
from weatherml.errors.wording import listed

if TYPE_CHECKING:
    import xarray as xr

    from weatherml.cli.systems import Reading, Systems
    from weatherml.products.alignment import Alignment
    from weatherml.verification import Campaign, StatisticSums
    from weatherml.verification.cards import Pairs
    from weatherml.verification.judging import How

Paths = Annotated[
    list[str],
    typer.Argument(
        metavar="FORECAST... TRUTH",
        help="Forecasts: stores, URLs, or what convert wrote; and last a store, files or a URL with the valid times.",
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
Regions = Annotated[
    list[str] | None,
    typer.Option(help="A part of the globe: europe, or NAME=NORTH,WEST,SOUTH,EAST; may be repeated."),
]
InitTimes = Annotated[
    str | None,
    typer.Option(metavar="FIRST..LAST", help="Judge init times from the first to the last: 2020-06..2020-08."),
]
Fields = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=FILE", help="What metrics compare with, such as threshold=q95.nc; may be repeated."),
]
By = Annotated[
    Literal["season", "month", "init_hour", "valid_hour"] | None, typer.Option(help="Scores of each group of times.")
]
Climatology = Annotated[
    Path | None,
    typer.Option(help="[windowed_]climatology.nc of a run, for metrics of anomalies and as a baseline.", **LOCAL),
]
Missing = Annotated[
    Literal["refuse", "count"], typer.Option(help="Values that are not there: refuse, or leave out and say how many.")
]
Control = Annotated[Literal["in", "out"], typer.Option(help="Whether number 0 of an ensemble is in or out.")]
Interval = Annotated[
    str | None, typer.Option(help="How intervals are had: circular, stationary, ar2 ...; ar2 in scorecards by default.")
]
Scorecard = Annotated[
    bool, typer.Option("--scorecard", help="Where forecasts differ from those of --against, in pairs.")
]
FalseDiscovery = Annotated[
    float, typer.Option(min=0, max=1, help="Share of what cards call significant that is expected not to be there.")
]
Grid = Annotated[
    str | None, typer.Option(help="Regrid to one grid: truth, forecast (the first one's), or a name such as 1.5deg.")
]
Average = Annotated[
    str | None, typer.Option(metavar="DURATION", help="Judge against means of the truth over so long, such as 24h.")
]
Accumulations = Annotated[
    Literal["hourly", "since 00 UTC", "since 00 and 12 UTC"] | None,
    typer.Option(help="Since when sums of the truth run, from which those of the forecast are made."),
]
TruthMember = Annotated[str | None, typer.Option(help="Of a truth of several members: a number, or mean.")]
References = Annotated[
    list[Path] | None,
    typer.Option(help="Published scores to lay beneath: a tidy .csv, or WeatherBench 1's list; repeated.", **LOCAL),
]
Sums = Annotated[
    Path | None, typer.Option(help="Folder that keeps what was judged: only what is new is read again.", **LOCAL)
]
Workers = Annotated[int, typer.Option(min=0, help="Processes of dask that judge; 0: this one alone.")]
Scheduler = Annotated[
    str | None, typer.Option(metavar="ADDRESS", help="Of a dask cluster, or `slurm` to start its workers as jobs.")
]
ShareOf = Annotated[
    str, typer.Option("--share", metavar="INDEX/COUNT", help="Init times that this process judges, in a job array.")
]
Outputs = Annotated[
    list[Path] | None,
    typer.Option("--output", "-o", help="Write a page .html, scores .nc or a tidy table .csv; repeated.", **LOCAL),
]
_INTERVAL, _IN_PAIRS = "circular", "ar2"  # where none is asked for


def _list(context: typer.Context, is_asked: bool) -> None:
    if is_asked:
        from weatherml.cli.printing.known import print_known

        print_known(as_json="--json" in context.meta.get(WORDS, ()))
        raise typer.Exit


ListAll = Annotated[
    bool,
    typer.Option("--list", callback=_list, is_eager=True, help="Say which metrics and regions there are instead."),
]


def evaluate(
    paths: Paths,
    metric: Metrics = None,
    against: Against = None,
    name: Names = None,
    region: Regions = None,
    by: By = None,
    climatology: Climatology = None,
    field: Fields = None,
    init_times: InitTimes = None,
    missing: Missing = "refuse",
    control: Control = "in",
    interval: Interval = None,
    scorecard: Scorecard = False,
    false_discovery: FalseDiscovery = 0.05,
    reference: References = None,
    sums: Sums = None,
    workers: Workers = 0,
    scheduler: Scheduler = None,
    share: ShareOf = "0/1",
    channels: Channels = None,
    drop_stopped: DropStopped = False,
    rename: Rename = None,
    grid: Grid = None,
    average: Average = None,
    accumulated: Accumulations = None,
    truth_member: TruthMember = None,
    lead_unit: LeadUnit = None,
    init: InitTime = None,
    calendar: Calendar = None,
    repeated: Repeated = "refuse",
    points: PointsOfRows = "refuse",
    output: Outputs = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
    list_all: ListAll = False,
) -> None:
    """Score forecasts against analyses, with 95 % intervals over the initial times that all of them have.

    Example: `weatherml evaluate runs/demo/forecast.zarr runs/demo/data.zarr --metric rmse --metric crps_fair`

    Several beside each other, on a page that opens in a browser: `weatherml evaluate new.zarr old.zarr data.zarr
    --against old persistence --scorecard -o page.html`
    """
    from weatherml.cli import scores, systems

    _require_written(output or [], overwrite, [*paths, *(against or []), climatology, *(reference or [])])
    wanted = _Wanted(metric or ["rmse", "bias"], by, interval, scorecard, false_discovery)
    _require_scored(share, wanted, reference, output or [], as_json)
    told = {"lead_unit": lead_unit, "init_time": init, "calendar": calendar, "repeated": repeated, "points": points}
    alignment = _alignment(grid, average, accumulated, truth_member)
    reading = _reading(channels, drop_stopped, rename, told, alignment, init_times)
    published = scores.read_references(reference or [])
    asked = systems.open_systems(paths, against or [], name or [], reading, climatology)
    campaign = _campaign(sums, workers, scheduler, share)
    kept = _sums(asked, wanted, _how(region, missing, control, field), campaign)
    if campaign.share.count > 1:
        print(f"share {share} is judged; once all are, leave --share out to score what {sums} keeps")
        return
    _tell(*wanted.of(asked, kept), published, output or [], as_json)


@dataclass(frozen=True)
class _Wanted:
    """What is to be told of sums.

    Raises:
        UserError: There is no such interval, or it is none and a scorecard is wanted.
    """

    metrics: list[str]
    by: By
    interval: Interval
    scorecard: bool
    false_discovery: float

    def __post_init__(self) -> None:
        from weatherml.verification.significance.methods import method_named

        method_named(self.interval or _INTERVAL)
        if self.scorecard and self.interval == "none":
            raise UserError("--interval none leaves a scorecard nothing to tell; leave it out, or name a method")

    def of(self, asked: "Systems", kept: "Mapping[str, StatisticSums]") -> "tuple[xr.Dataset, Pairs]":
        """Return the scores of all systems, and their scorecards where these are wanted."""
        from weatherml.verification.systems import summarize_systems

        compared = self._compared(asked, kept) if self.scorecard else {}
        scores = summarize_systems(kept, self.metrics, self.by, self.interval or _INTERVAL)
        return scores.assign_attrs(left_out=asked.left_out), compared

    def _compared(self, asked: "Systems", kept: "Mapping[str, StatisticSums]") -> "Pairs":
        """Compare each forecast with each that it is held against; those with one another where all are."""
        from weatherml.verification import scorecards

        beaten = {name: kept[name] for name in asked.against}
        first = {name: own for name, own in kept.items() if name not in beaten} or beaten
        method, share = self.interval or _IN_PAIRS, self.false_discovery
        return scorecards(first, beaten, self.metrics, by=self.by, interval=method, false_discovery=share)


def _require_written(output: list[Path], overwrite: bool, read: Sequence[str | Path | None]) -> None:
    """Require that outputs can be written and are none of what is read, before anything is judged."""
    from weatherml.cli.outputs import require_apart
    from weatherml.cli.scores import require_outputs

    for path in output:
        require_apart(path, read)
    require_outputs(output, overwrite)


def _alignment(grid: Grid, average: Average, accumulated: Accumulations, truth_member: TruthMember) -> "Alignment":
    from weatherml.products.alignment import Alignment

    return Alignment(grid=grid, average=average, accumulated=accumulated, truth_member=_number_or_mean(truth_member))


def _reading(
    channels: Channels,
    drop_stopped: DropStopped,
    rename: Rename,
    told: Mapping[str, object],
    alignment: "Alignment",
    init_times: InitTimes,
) -> "Reading":
    """Return what is read of forecasts and truth, as the options say."""
    from weatherml.cli.systems import Reading

    chosen = None if init_times is None else period_of("--init-times", init_times)
    return Reading(named(channels), drop_stopped, renames(rename), told, alignment, chosen)


def _how(region: Regions, missing: Missing, control: Control, field: Fields) -> "How":
    from weatherml.cli.paths import fields_at

    return {"regions": region, "missing": missing, "control": control, "references": fields_at(field or [])}


def _tell(
    scores: "xr.Dataset", compared: "Pairs", published: "xr.Dataset | None", output: list[Path], as_json: bool
) -> None:
    from weatherml.cli.printing.scores import print_scores
    from weatherml.cli.scores import write_scores

    for path in output:
        write_scores(path, scores, compared, published)
    print_scores(scores, compared, as_json)


def _number_or_mean(word: str | None) -> "int | Literal['mean'] | None":
    if word is None:
        return None
    if word == "mean":
        return "mean"
    if not word.isdecimal():
        raise UserError(f"--truth-member {word} is no number of a member; give one, or mean")
    return int(word)


def _sums(asked: "Systems", wanted: _Wanted, how: "How", campaign: "Campaign") -> "dict[str, StatisticSums]":
    """Judge the initial times that all systems have."""
    from weatherml.cli.printing.progress import bar
    from weatherml.verification.systems import accumulate_systems

    if campaign.share.count == 1:  # of a share nothing is compared yet
        (asked.require_rivals if wanted.scorecard else asked.require_none_alone)()
    with bar("evaluate", closes=False) as progress:
        sums = accumulate_systems(
            asked.forecasts, asked.truth, wanted.metrics, asked.climatology, progress, campaign=campaign, **how
        )
    return asked.only_channels_of_forecasts(sums)


def _require_scored(share: str, wanted: _Wanted, reference: References, output: list[Path], as_json: bool) -> None:
    """Require that nothing is asked for that only all of the initial times can give.

    Raises:
        UserError: A share is judged, and something is.
    """
    from weatherml.storage.share import WHOLE, Share

    told = {"--by": wanted.by, "--interval": wanted.interval, "--scorecard": wanted.scorecard, "--reference": reference}
    asked = told | {f"-o {path}": True for path in output} | {"--json": as_json}
    options = [option for option, value in asked.items() if value]
    if options and Share.parse(share).count != WHOLE.count:
        raise UserError(f"a share has no scores; leave {listed(options)} to the run without --share")


def _campaign(folder: Path | None, workers: int, scheduler: str | None, share: str) -> "Campaign":
    from weatherml.process.workers import workers_of
    from weatherml.storage.share import Share
    from weatherml.verification import Campaign

    own = Share.parse(share)
    if own.count > 1 and folder is None:
        raise UserError(f"shares meet in a folder; add --sums FOLDER to --share {share}")
    return Campaign(folder, workers_of(workers, scheduler), own)
