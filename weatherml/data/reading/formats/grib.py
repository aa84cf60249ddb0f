"""GRIB files: every group of like messages as one lazy dataset, nothing left beside the user's data."""

import importlib
import itertools
from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from weatherml.data.notes import PRELIMINARY, is_preliminary, noted, spans_of
from weatherml.data.reading.formats.decoding import guard, in_words, tell_that_fields_are_read
from weatherml.data.reading.formats.messages import LEAD_KEYS, VERSION_KEY, MessageTable
from weatherml.data.reading.windows import WINDOWS, window_of
from weatherml.errors import UserError
from weatherml.errors.wording import counted

# What must be one value for messages to form a hypercube, and what tells its messages apart.
_GROUP = ("paramId", "typeOfLevel", "dataType", "stepType", "gridType", "numberOfPoints")
_PLACE = ("number", "level:float")
ANALYSES = ("valid_time",)
"""Dimensions of time that resolve steps to valid times."""
FORECASTS = ("time", "step")
"""Dimensions of time that keep initial time and lead apart."""
INCOMPLETE = "weatherml_incomplete"
"""Dataset attribute: which fields are missing, where some are."""
_MEMBERS = ("cf", "pf")
"""Kinds of messages: the control, which is unperturbed, and perturbed members."""
_READ = ("lengthOfTimeRange", "indicatorOfUnitForTimeRange")
"""What else the attributes of a variable tell: the period over which it is taken."""


def open_grib(
    path: Path,
    chunks: Mapping[str, Any],
    time_dims: tuple[str, ...] = ANALYSES,
    messages: MessageTable | None = None,
) -> list[xr.Dataset]:
    """Open a GRIB file lazily, one dataset for each kind of message it mixes.

    Steps are resolved to valid times, so accumulations that ERA5 gives as forecasts line up with analyses. What is a
    forecast then has a coordinate `step`, its longest lead, and what lacks fields says so in the attribute
    `INCOMPLETE`: neither matters where the variable is not wanted.

    Args:
        path: The file.
        chunks: By dimension, as xarray takes them.
        time_dims: `FORECASTS` to keep initial times and leads apart.
        messages: The file's, where they are known already; its headers are read when None.

    Raises:
        UserError: cfgrib is not installed, the file is cut off or damaged, or two messages claim the same place.
    """
    with _refusing_damage(path):
        index = (messages or MessageTable.scan(path, time_dims)).index(path)
        groups = _groups(index, path, time_dims)
        opened = [(g.keys, g.with_story(_open_group(path, index, g.keys, time_dims, chunks))) for g in groups]
        return _join_members(opened)


def scan_grib(path: Path) -> MessageTable:
    """Read the headers of a file for `open_grib`, which then need not.

    Raises:
        UserError: cfgrib is not installed, or the file is cut off or damaged.
    """
    with _refusing_damage(path):
        return MessageTable.scan(path, ANALYSES)


@contextmanager
def _refusing_damage(path: Path) -> Iterator[None]:
    """Refuse a file that is not whole, and say in one line what its libraries refuse."""
    _import_cfgrib(path)
    _require_whole(path)
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # eccodes has no common base for what a damaged message raises
        told = f"cannot read {path} as GRIB ({in_words(error)})"
        raise UserError(f"{told}; it may be damaged, download it again") from None


def holds_forecasts(path: Path) -> bool:
    """Return whether the messages of a GRIB file are of forecasts, by the first that is no accumulation and no step 0.

    Accumulations are forecasts in ERA5, too, whose messages have a section of ECMWF's archive.

    Raises:
        UserError: ecCodes is not installed.
    """
    is_foreign = False
    for kind, step_type, step, is_archived in _headers(path, ("dataType", "stepType", "endStep", "localUsePresent")):
        if kind in _MEMBERS:
            return True
        if kind != "fc":
            return False
        if step_type == "instant" and step.rstrip("smh") != "0":
            return True
        is_foreign |= step_type != "instant" and is_archived == "0"
    return is_foreign


def _headers(path: Path, keys: tuple[str, ...]) -> Iterator[list[str]]:
    """Yield keys of every message of a file."""
    codes = import_eccodes(path)
    with open(path, "rb") as file, suppress(codes.CodesInternalError):  # what is damaged, its reader names
        while (message := codes.codes_grib_new_from_file(file, headers_only=True)) is not None:
            try:
                yield [codes.codes_get_string(message, key) for key in keys]
            finally:
                codes.codes_release(message)


def import_eccodes(path: Path) -> Any:
    """Return the ecCodes library.

    Raises:
        UserError: It is not installed.
    """
    return _import("eccodes", path)


def _import_cfgrib(path: Path) -> Any:
    return _import("cfgrib", path)


def _import(name: str, path: Path) -> Any:
    try:
        return importlib.import_module(name)
    except (ImportError, RuntimeError):  # RuntimeError: the Python package is there, the ecCodes library is not
        raise UserError(f"{path} is GRIB, which needs cfgrib and ecCodes; pip install 'weatherml[grib]'") from None


def _require_whole(path: Path) -> None:
    """Refuse a file that does not end as a message does: readers pass over a message cut short without a word."""
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - 4096, 0))
        tail = file.read().rstrip(b"\0\n\r ")
    if not tail.endswith(b"7777"):
        raise UserError(f"{path} is cut off in the middle of a GRIB message; download it again")


class _Group(NamedTuple):
    """Like messages.

    Attributes:
        keys: What they share, by key.
        lead: The longest, hours; 0 for analyses and for accumulations up to them.
        lacks: What to say of fields that are missing; empty where none is.
        windows: The hours over which sums are taken, of sums other than ERA5's.
        preliminary: Spans of times of which values are preliminary.
        n_repeated: Fields that come again with the same values.
    """

    keys: dict[str, Any]
    lead: float
    lacks: str
    windows: frozenset[float]
    preliminary: tuple[str, ...]
    n_repeated: int

    def with_story(self, dataset: xr.Dataset) -> xr.Dataset:
        """Return the messages as a dataset that tells a lead, if it is one of forecasts, and what it lacks."""
        if self.lead and "step" not in dataset.dims:
            dataset = dataset.assign_coords(step=((), self.lead, {"units": "hours"}))
        for field in dataset.data_vars.values() if self.windows else ():
            field.attrs[WINDOWS] = " ".join(f"{hours:g}" for hours in sorted(self.windows))
        dataset = dataset.assign_attrs({PRELIMINARY: list(self.preliminary)}) if self.preliminary else dataset
        if self.n_repeated:
            again = f"{counted(self.n_repeated, 'message')} of {', '.join(map(str, dataset.data_vars))}"
            dataset = noted(dataset, f"{again} come again with the same values: read once")
        return dataset.assign_attrs({INCOMPLETE: self.lacks}) if self.lacks else dataset


def _groups(index: Any, path: Path, time_dims: tuple[str, ...]) -> list[_Group]:
    """Return the groups of like messages, having refused two messages for one place."""
    place_keys = (*_PLACE, *time_dims)
    columns = {key: index.index_keys.index(key) for key in (*_GROUP, *place_keys, *LEAD_KEYS, VERSION_KEY)}
    places: dict[tuple[Hashable, ...], dict[tuple[Hashable, ...], list[Any]]] = defaultdict(lambda: defaultdict(list))
    leads: dict[tuple[Hashable, ...], float] = defaultdict(float)
    windows: dict[tuple[Hashable, ...], set[float]] = defaultdict(set)
    early: dict[tuple[Hashable, ...], dict[Hashable, bool]] = defaultdict(lambda: defaultdict(bool))
    for header, offsets in index.iter_index():
        group, place = (tuple(header[columns[key]] for key in kind) for kind in (_GROUP, place_keys))
        places[group][place] += offsets
        told = {key: header[columns[key]] for key in (*_GROUP, *LEAD_KEYS)}
        leads[group] = max(leads[group], _lead(told))
        early[group][place[-1]] |= is_preliminary(header[columns[VERSION_KEY]])
        windows[group] |= {_window(told)} - {0.0}
    repeats = {group: [offsets for offsets in own.values() if len(offsets) > 1] for group, own in places.items()}
    for offsets in (o for own in repeats.values() for o in own):
        _require_copies(index, offsets, path)
    # Leads may differ from one initial time to the next.
    lacks = {group: _lacking(index, own, path) if time_dims == ANALYSES else "" for group, own in places.items()}
    return [
        _Group(
            dict(zip(_GROUP, group, strict=True)),
            leads[group],
            lacks[group],
            frozenset(windows[group]),
            _preliminary(early[group]) if time_dims == ANALYSES else (),
            len(repeats[group]),
        )
        for group in places
    ]


def _lead(header: Mapping[str, Any]) -> float:
    """Return the lead of a message in hours; 0 of an accumulation that ECMWF archives beside its analyses."""
    is_of_analyses = header["stepType"] != "instant" and str(header["localUsePresent"]) != "0"
    is_forecast = header["dataType"] in ("fc", *_MEMBERS) and not is_of_analyses
    return float(header["step"]) if is_forecast else 0.0


def _window(header: Mapping[str, Any]) -> float:
    """Return the hours of a sum; 0 of what is no sum, and of ERA5's, which are all of an hour."""
    is_sum = header["stepType"] == "accum" and header["marsClass"] != "ea"
    return window_of(str(header["stepRange"])) if is_sum else 0.0


def _require_copies(index: Any, offsets: list[Any], path: Path) -> None:
    """Accept a repeated message only where its values repeat too."""
    tell_that_fields_are_read()
    first, *others = (index.get_field(offset) for offset in offsets)
    if all(np.array_equal(first["values"], other["values"]) for other in others):
        return
    what = f"{first['name']} at level {first['level']}, valid {first['validityDate']} {first['validityTime']:04d} UTC"
    raise UserError(
        f"{path} holds {len(offsets)} different fields of {what} (forecasts that overlap?); keep one of them"
    )


def _preliminary(early: Mapping[Hashable, bool]) -> tuple[str, ...]:
    """Return spans of the times, in seconds since 1970, that are marked."""
    seconds = sorted(int(str(second)) for second in early)
    times = np.array(seconds, "datetime64[s]").astype("datetime64[ns]")
    return tuple(spans_of(times, np.array([early[second] for second in seconds], bool)))


def _lacking(index: Any, places: Mapping[tuple[Hashable, ...], list[Any]], path: Path) -> str:
    """Return what to say of missing fields, for every member and level must be there at every time."""
    expected = set(itertools.product(*({*values} for values in zip(*places, strict=True))))
    if len(places) == len(expected):
        return ""
    number, level, time = min(expected - set(places), key=lambda place: (place[2], str(place)))
    name = index.get_field(next(iter(places.values()))[0])["name"]
    moment = np.datetime64(int(str(time)), "s").astype("datetime64[m]")
    member = "" if number in (0, "undef") else f", member {number}"
    return (
        f"{path} lacks {len(expected) - len(places)} of {len(expected)} fields of {name}, the first at level {level:g},"
        f" {moment}{member}; it may be cut off between two messages: download it again"
    )


def _open_group(
    path: Path, index: Any, group: dict[str, Any], time_dims: tuple[str, ...], chunks: Mapping[str, Any]
) -> xr.Dataset:
    """Return the fields of a group as one lazy dataset."""
    from cfgrib.dataset import open_from_index
    from cfgrib.xarray_plugin import ECCODES_LOCK, CfGribDataStore

    store = CfGribDataStore.__new__(CfGribDataStore)  # its own constructor would read the headers of the file again
    store.lock = ECCODES_LOCK
    fields = index.subindex({key: value for key, value in group.items() if value != "undef"})
    store.ds = open_from_index(fields, list(_READ), time_dims, errors="raise", squeeze=False)
    dataset = guard(xr.open_dataset(store, decode_timedelta=False), str(path))
    token = f"{path}-{path.stat().st_mtime_ns}-{sorted(group.items())}-{time_dims}"
    return dataset.chunk({d: n for d, n in chunks.items() if d in dataset.dims}, token=token)


def _join_members(opened: list[tuple[dict[str, Any], xr.Dataset]]) -> list[xr.Dataset]:
    """Put the control (cf) and the perturbed members (pf) of an ensemble, which are two kinds of message, together."""
    members: dict[tuple[Hashable, ...], list[xr.Dataset]] = defaultdict(list)
    for group, dataset in opened:
        kind = "member" if group["dataType"] in _MEMBERS else group["dataType"]
        members[(kind, *(value for key, value in group.items() if key != "dataType"))].append(dataset)
    return [datasets[0] if len(datasets) == 1 else _concatenate(datasets) for datasets in members.values()]


def _concatenate(datasets: list[xr.Dataset]) -> xr.Dataset:
    joined: xr.Dataset = xr.concat(
        datasets, "number", data_vars="minimal", coords="minimal", compat="override", join="exact"
    )
    return joined.sortby("number")
