"""Damaged files of stores are made again, from the source that the run beside them has."""

from collections.abc import Sequence
from pathlib import Path

from weatherml.cli.printing.progress import bar
from weatherml.config import from_mapping, read_mapping
from weatherml.data.reading.formats.local import expand
from weatherml.data.sources import DataConfig
from weatherml.data.store.ingest import IngestOptions, ingest
from weatherml.data.store.manifest import Manifest
from weatherml.errors import UserError

_CONFIG = "config.json"


def repair_stores(paths: Sequence[str]) -> None:
    """Make missing and damaged files of stores again, having read all that are there.

    Raises:
        UserError: A path is no store, there is no `config.json` beside it, or its source gives other data now.
    """
    for store in expand(list(paths)):
        if not Manifest.exists(store):
            raise UserError(f"{store} is no store that ingest has completed; --repair makes only those whole again")
        _repair(store)


def _repair(store: Path) -> None:
    run = store.absolute().parent
    if not (run / _CONFIG).exists():
        unknown = f"{run} has no {_CONFIG}, so what {store.name} was made from is not known"
        raise UserError(f"{unknown}; run the ingest that wrote it again with --verify")
    content = read_mapping(run / _CONFIG)
    config = from_mapping(DataConfig, {"source": content.get("source")}, str(run / _CONFIG))
    with bar("repair") as report:
        done = ingest(config.source.source(run), store, report, options=IngestOptions(verify=True))
    print(f"{store}: {done.n_written} of {done.n_files} files made again")
