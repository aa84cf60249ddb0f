"""Damaged files of stores are made again, from the source that the configuration beside them has."""

from collections.abc import Sequence

from weatherml.cli.made_from import made_from
from weatherml.cli.paths import stores_at
from weatherml.cli.printing.progress import bar
from weatherml.data.source import Source
from weatherml.data.store.ingest import IngestOptions, ingest, made_all
from weatherml.data.store.making.engine import Progress
from weatherml.data.store.manifest import Manifest, require_not_lost
from weatherml.data.store.mending import NoFieldError, mend
from weatherml.errors import UserError
from weatherml.storage.places import Place


def repair_stores(paths: Sequence[str]) -> None:
    """Make missing and damaged files of stores again, having read all that are there.

    Raises:
        UserError: A path is no store, there is no configuration beside it, or its source gives other data now.
    """
    for store in stores_at(paths):
        if not Manifest.exists(store):
            require_not_lost(store)
            raise UserError(f"{store} is no store that ingest has completed; --repair makes only those whole again")
        configs, folder = made_from(store)
        with bar("repair") as report:
            n_mended, n_files = _repair(store, [config.source.source(folder) for config in configs], report)
        print(f"{store}: {n_mended} of {n_files} files made again")


def _repair(store: Place, sources: Sequence[Source], report: Progress) -> tuple[int, int]:
    """Return how many files were made again, and how many there are."""
    manifest, (latest, *_) = Manifest.load(store), sources
    try:
        return mend(store, sources, IngestOptions().memory, report), len(manifest.files)
    except NoFieldError:
        if not made_all(latest, manifest):
            raise
    done = ingest(latest, store, report, options=IngestOptions(verify=True))
    return done.n_written, done.n_files
