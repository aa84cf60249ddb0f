"""Whether what is asked for is what a store was made of; and what differs, in words."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from weatherml.data.source import Source
from weatherml.data.store.making.workspace import Workspace
from weatherml.data.store.opening import open_store
from weatherml.errors import Option, UserError
from weatherml.errors.wording import listed
from weatherml.grid import LatLonGrid
from weatherml.storage.places import Place

_DIGEST, _DIGEST_SHOWN = re.compile("[0-9a-f]{64}"), 12
_TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+")
_AXIS = ("n_times", "first_time", "last_time")
"""What is noted of the times: an archive grows, and its digest stays the same."""


def is_same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Return whether source, times and variables are the same."""
    return all(one[key] == other[key] for key in ("source_digest", "variables", *_AXIS))


def require_joining(workspace: Workspace, now: Mapping[str, Any]) -> None:
    """Refuse a share that would make another change of a store than the other shares, whose files it would drop."""
    begun = workspace.request
    if not begun or begun["basis"] != now["basis"]:
        return
    if changes := _changes(begun, now, now):
        told = f"{workspace.place} is being changed in another way ({'; '.join(changes)})"
        raise UserError(told, "make all shares of the same", "begin anew by one process, which may have workers")


def require_same(place: Place, begun: Mapping[str, Any], now: Mapping[str, Any], source: Source | None = None) -> None:
    """Refuse other data than those of a store; a source that is given is one that a complete store may grow by."""
    is_same_source = begun["source_digest"] == now["source_digest"]
    has_times = is_same(begun, now) if source is None else _holds_times(begun, now)
    keys = ["shard_length", *(() if has_times else _AXIS)] if is_same_source else list(now)
    changes = _changes(begun, now, keys)
    if not changes:
        return
    shape = [] if source is None else _changes_of_shape(open_store(place), source)
    may_grow = source is not None and not shape and len(keys) > 1 and _has_more(begun, now)
    raise UserError(
        f"{place} was made from other data or settings ({'; '.join([*shape, *changes])})",
        "choose another store",
        "delete this one",
        *([Option("grow", purpose="where the data are the same and more")] if may_grow else []),
    )


def _changes(begun: Mapping[str, Any], now: Mapping[str, Any], keys: Iterable[str]) -> list[str]:
    return [f"{key} {_plain(begun[key])}, now {_plain(now[key])}" for key in keys if begun[key] != now[key]]


def _changes_of_shape(stored: xr.Dataset, source: Source) -> list[str]:
    """Return what differs in grid and levels, as far as both have them."""
    own, other = LatLonGrid.from_dataset(stored), source.grid
    levels = tuple(stored["level"].values.tolist()) if "level" in stored.dims else ()
    changes = [] if own == other else [f"grid {_size(own)}, now {_size(other)}"]
    if levels and source.levels and levels != source.levels:
        changes.append(f"levels {listed(levels)}, now {listed(source.levels)}")
    return changes


def _size(grid: LatLonGrid) -> str:
    return f"{grid.n_lat} x {grid.n_lon} from {grid.latitude[0]:g}, {grid.longitude[0]:g}"


def _holds_times(begun: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Return whether a store may have all times of its source, which may be of the last alone that it grew by."""
    first, last = (np.datetime64(now[key]) for key in ("first_time", "last_time"))
    is_within = np.datetime64(begun["first_time"]) <= first and last <= np.datetime64(begun["last_time"])
    return bool(is_within) and int(now["n_times"]) <= int(begun["n_times"])


def _has_more(begun: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Return whether there are later times or other variables than a store has."""
    is_later = np.datetime64(now["last_time"]) > np.datetime64(begun["last_time"])
    return bool(is_later) or not set(now["variables"]) <= set(begun["variables"])


def _plain(value: Any) -> str:
    """Write names in a row, times to the minute, and of a digest what tells it from others."""
    if isinstance(value, list):
        return listed(value)
    text = str(value)
    if _DIGEST.fullmatch(text):
        return text[:_DIGEST_SHOWN]
    return f"{text:.16}" if _TIME.fullmatch(text) else text
