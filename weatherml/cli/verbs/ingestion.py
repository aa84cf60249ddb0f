"""The verb that writes a store, by one process, workers, or shares of a job array."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from weatherml.cli.options import period_of, size_of
from weatherml.cli.settings import Settings, experiment_of, file_and_overrides
from weatherml.errors import UserError
from weatherml.storage.locations import is_url, local_folder, shown

if TYPE_CHECKING:
    from weatherml.data.sources import DataConfig
    from weatherml.data.store.ingest import IngestOptions, IngestReport
    from weatherml.data.store.making.engine import Engine


def ingest(
    settings: Settings = None,
    output: Annotated[
        str,
        typer.Option("--output", "-o", metavar="PATH", help="Folder of the run; or of a store in a bucket, its URL."),
    ] = "runs/demo",
    workers: Annotated[int, typer.Option(min=0, help="Processes of dask that make it; 0: this one alone.")] = 0,
    scheduler: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Of a dask cluster, or `slurm` to start its workers as jobs.")
    ] = None,
    share: Annotated[str, typer.Option(metavar="INDEX/COUNT", help="What this process makes, in a job array.")] = "0/1",
    memory: Annotated[str, typer.Option(metavar="SIZE", help="What one worker may hold.")] = "2GiB",
    grow: Annotated[
        bool, typer.Option("--grow", help="Add later times and other variables to a complete store.")
    ] = False,
    refresh: Annotated[
        str | None, typer.Option(metavar="FIRST..LAST", help="Replace these times of a complete store; adds none.")
    ] = None,
    verify: Annotated[bool, typer.Option("--verify", help="Read what is there, instead of trusting its size.")] = False,
) -> None:
    """Write the data of an experiment to a zarr store with checksums; an interrupted run goes on where it stopped.

    Where CONFIG has nothing but `source`, the data need not suit a training; for a bucket nothing else is looked at.
    Whoever makes it, the store has the same bytes. Shares may run at once or one after the other, the last completes
    the store.

    Example: `weatherml ingest configs/t2m_erainterim.yaml -o runs/t2m --workers 2`
    """
    from weatherml.data.store.ingest import IngestOptions
    from weatherml.storage.share import Share

    options = IngestOptions(
        engine=_engine(workers, scheduler),
        share=Share.parse(share),
        memory=size_of("--memory", memory, _LEAST_MEMORY, "any ingestion"),
        verify=verify,
        grow=grow,
        refresh=None if refresh is None else period_of("--refresh", refresh),
    )
    done = (_ingest_to_bucket if is_url(output) else _ingest_here)(settings or [], output, options)
    print(_outcome(done, options))


def _outcome(done: "IngestReport", options: "IngestOptions") -> str:
    share = f"{options.share.index}/{options.share.count}"
    if not done.is_complete:
        return f"share {share} is written; {done.path} is complete when all shares are"
    if options.refresh is not None and options.share.count > 1 and not done.n_written:
        again = "to replace the period once more, leave --share out"
        return f"{done.path}: nothing was left to share {share}, the refresh is complete; {again}"
    return str(done.path)


def _ingest_here(settings: Sequence[str], output: str, options: "IngestOptions") -> "IngestReport":
    from weatherml.cli.made_from import keep_earlier
    from weatherml.storage.places import place_at

    folder = local_folder(output)
    local_folder(folder / "data.zarr")
    data = _data_alone(settings)
    if options.grow or options.refresh is not None:
        keep_earlier(place_at(folder / "data.zarr"))
    return experiment_of(settings, folder).ingest(options) if data is None else _ingest(data, folder, options)


def _ingest_to_bucket(settings: Sequence[str], url: str, options: "IngestOptions") -> "IngestReport":
    from weatherml.cli.made_from import folder_for, keep_earlier, note_source
    from weatherml.cli.printing.progress import bar
    from weatherml.config import from_mapping, read_mapping
    from weatherml.data.sources import DataConfig
    from weatherml.data.store.ingest import ingest
    from weatherml.storage.cloud.opening import require_plain
    from weatherml.storage.places import place_at

    file, overrides = file_and_overrides(settings)
    if file is None:
        raise UserError(
            f"{shown(url)} needs a configuration that names the source; weatherml ingest CONFIG -o {shown(url)}"
        )
    if not require_plain(url).path.strip("/"):
        raise UserError(f"{url} is all of a bucket; name a place in it, such as {url.rstrip('/')}/era5.zarr")
    config = from_mapping(DataConfig, {"source": read_mapping(file, overrides).get("source")}, file)
    store = place_at(url)
    if options.grow or options.refresh is not None:
        keep_earlier(store)
    with bar("ingest") as report:
        done = ingest(config.source.source(folder_for(store)), store, report, options=options)
    note_source(store, config)
    return done


def _data_alone(words: Sequence[str]) -> "DataConfig | None":
    """Return the configuration where it says nothing of a model; None where it is of an experiment."""
    from weatherml.config import apply_overrides, from_mapping, read_mapping
    from weatherml.data.sources import DataConfig

    file, overrides = file_and_overrides(words)
    content = apply_overrides({}, overrides) if file is None else read_mapping(file, overrides)
    source = content.get("source")
    names_a_source = isinstance(source, str) or (isinstance(source, dict) and "name" in source)
    if not set(content) <= {*DataConfig.model_fields} or not (names_a_source if file is None else content):
        return None
    return from_mapping(DataConfig, content, "configuration" if file is None else str(file))


def _ingest(config: "DataConfig", output: Path, options: "IngestOptions") -> "IngestReport":
    from weatherml.cli.printing.progress import bar
    from weatherml.data.store.ingest import ingest
    from weatherml.storage.files import write_bytes

    with bar("ingest") as report:
        done = ingest(config.source.source(output), output / "data.zarr", report, options=options)
    write_bytes(output / "config.json", config.model_dump_json(indent=1).encode())
    return done


def _engine(workers: int, scheduler: str | None) -> "Engine":
    from weatherml.data.store.making.engine import HERE, Dask

    return HERE if not workers and scheduler is None else Dask(max(1, workers), scheduler)


_LEAST_MEMORY = 64 * 2**20
