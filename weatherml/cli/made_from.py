"""What a store was made from: a configuration beside it, and a folder of what its source keeps on this machine."""

import json
from pathlib import Path, PurePosixPath
from typing import Any

from weatherml.config import from_mapping
from weatherml.data.sources import DataConfig
from weatherml.errors import UserError
from weatherml.storage.places import Place, place_at

_CONFIG = "config.json"
_EARLIER = "earlier."
"""What the name of a file begins with that lists the sources before the one that the configuration names."""


def made_from(store: Place) -> tuple[list[DataConfig], Path]:
    """Return the sources of a store, the latest first, and the folder of the run that made it.

    Raises:
        UserError: There is no configuration beside the store.
    """
    folder, name = _beside(store)
    content = folder.read(name)
    if content is None:
        unknown = f"{folder} has no {name}, so what {PurePosixPath(str(store)).name} was made from is not known"
        raise UserError(f"{unknown}; run the ingest that wrote it again with --verify")
    latest = _mapping(content).get("source")
    told = [latest, *(source for source in reversed(_earlier(folder, name)) if source != latest)]
    configs = [from_mapping(DataConfig, {"source": source}, f"{folder}/{name}") for source in told]
    return configs, folder.root if isinstance(folder.root, Path) else folder_for(store)


def keep_earlier(store: Place) -> None:
    """Keep what a store was made from before it changes, beside it: values of its own come from there.

    Raises:
        UserError: The place refuses.
    """
    folder, name = _beside(store)
    source, earlier = _mapping(folder.read(name) or b"").get("source"), _earlier(folder, name)
    if source is not None and source not in earlier:
        folder.write(_EARLIER + name, json.dumps([*earlier, source], indent=1).encode())


def _earlier(folder: Place, name: str) -> list[Any]:
    return list(json.loads(folder.read(_EARLIER + name) or b"[]"))


def note_source(store: Place, config: DataConfig) -> None:
    """Write what a store was made from beside it.

    Raises:
        UserError: The place refuses.
    """
    folder, name = _beside(store)
    folder.write(name, config.model_dump_json(indent=1).encode())


def folder_for(store: Place) -> Path:
    """Return the folder on this machine for what the source of a store in a bucket keeps: indexes, downloads."""
    return Path("runs") / _stem(store)


def _beside(store: Place) -> tuple[Place, str]:
    """Return where the configuration of a store lies: a folder of a run has one, a bucket one for each store."""
    if isinstance(store.root, Path):
        return place_at(store.root.absolute().parent), _CONFIG
    return place_at(store.root.rpartition("/")[0]), f"{_stem(store)}.{_CONFIG}"


def _stem(store: Place) -> str:
    return PurePosixPath(str(store)).name.removesuffix(".zarr")


def _mapping(content: bytes) -> dict[str, Any]:
    try:
        told = json.loads(content)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
