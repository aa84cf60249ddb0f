"""Damaged files of stores are made again, from the source that the configuration beside them has."""

from collections.abc import Sequence

from weatherml.cli.made_from import made_from
from weatherml.cli.paths import stores_at
from weatherml.cli.printing.progress import bar
from weatherml.data.store.ingest import IngestOptions, ingest
from weatherml.data.store.manifest import Manifest
from weatherml.errors import UserError


def repair_stores(paths: Sequence[str]) -> None:
    """Make missing and damaged files of stores again, having read all that are there.

    Raises:
        UserError: A path is no store, there is no configuration beside it, or its source gives other data now.
    """
    for store in stores_at(paths):
        if not Manifest.exists(store):
            raise UserError(f"{store} is no store that ingest has completed; --repair makes only those whole again")
        config, folder = made_from(store)
        with bar("repair") as report:
            done = ingest(config.source.source(folder), store, report, options=IngestOptions(verify=True))
        print(f"{store}: {done.n_written} of {done.n_files} files made again")
