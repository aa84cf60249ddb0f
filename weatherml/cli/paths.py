"""Whatever lies at a path a user gives: a file, a store, a forecast or a checkpoint."""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from glob import has_magic
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from weatherml.checkpoint_folder import describe as describe_checkpoint
from weatherml.checkpoint_folder import is_checkpoint
from weatherml.cli.printing.progress import bar
from weatherml.data.quality.check import check_dataset
from weatherml.data.quality.describe import describe
from weatherml.data.quality.finding import Finding
from weatherml.data.quality.labels.chunks import find_lost_chunks
from weatherml.data.quality.rules.registry import DAMAGED_FILE, LOST_CHUNKS, NOT_VERIFIED
from weatherml.data.reading.fields import canonical_fields
from weatherml.data.reading.formats.local import expand, format_of, is_zarr, open_netcdf
from weatherml.data.reading.opening import open_files
from weatherml.data.statistics.climatology import Climatology
from weatherml.data.statistics.windowed_climatology import WindowedClimatology
from weatherml.data.store.making.workspace import is_begun
from weatherml.data.store.manifest import Manifest, require_not_lost
from weatherml.data.store.opening import open_store, verify
from weatherml.durations import format_duration
from weatherml.errors import UserError
from weatherml.products.reading import is_forecast, read_forecast
from weatherml.products.selection import variable_of
from weatherml.references import Reference
from weatherml.state import parse_channels
from weatherml.storage.locations import is_url, path_or_url
from weatherml.storage.places import Place, is_bucket, place_at

_DIGEST = 12  # characters that tell one digest from another
_MOST_STORIES = 3
_RUN = "phases.json"
_FILES_OF_A_RUN: dict[str, set[str]] = {
    "the statistics of channels": {"difference_std", "mean", "std"},
    "the coefficients of a climatology": {"coefficients"},
    "scores": {"rmse"},
    "verdicts on extremes": {"brier_skill", "roc_area"},
}
"""What files of a run hold, by variables that are in them."""
_NAME = re.compile(r"[a-z\d]+(/[a-z\d]+)?")
"""What an archive may be called."""


def located(paths: Sequence[str]) -> list[str]:
    """Return paths; for the name of an archive in the cloud, which is no path here, where that lies."""
    return [
        _address_of(path) if _NAME.fullmatch(path) and not Path(path).exists() and not is_url(path) else path
        for path in paths
    ]


def _address_of(name: str) -> str:
    from weatherml.data.sources.archive.known import ARCHIVES  # rarely asked for, and slow to import

    stores = ARCHIVES[name].urls if name in ARCHIVES else ()
    return stores[0] if len(stores) == 1 else name


def describe_paths(paths: Sequence[str], rename: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Describe what is there in JSON-able values.

    Args:
        paths: Files of one dataset, or one other thing.
        rename: Canonical name by the file's own, of files.

    Raises:
        UserError: It is nothing that weatherml knows.
    """
    place = path_or_url(paths[0])
    if len(paths) == 1 and isinstance(place, Path) and is_checkpoint(place):
        return describe_checkpoint(place)
    if is_forecast(_first_of(place)):
        return _describe_forecast([*map(path_or_url, paths)], rename)
    described = describe(open_files(paths, rename=rename))
    return described | _size([path for path in paths if not is_url(path)]) | _size_in_bucket(paths)


def require_fields(path: str) -> None:
    """Require that there may be fields at a path: no checkpoint, no folder of a run, and none of the files of a run.

    Raises:
        UserError: There are none; the message says what there is instead.
    """
    place = path_or_url(path)
    if not isinstance(place, Path):
        return
    if is_checkpoint(place):
        raise UserError(f"{path} is a model, which has no fields; plot a forecast of it, or see weatherml info {path}")
    if (place / _RUN).is_file() and (place / "data.zarr").exists():
        raise UserError(f"{path} is the folder of a run; plot {place / 'data.zarr'} or {place / 'forecast.zarr'}")
    if place.is_file() and place.suffix == ".nc" and (found := _file_of_a_run(place)):
        raise UserError(f"{path} holds {found}, which are no maps; plot data.zarr or forecast.zarr of the run")


def _file_of_a_run(path: Path) -> str:
    """Return what a file that a run has written holds; empty if it is none."""
    try:
        names = set(open_netcdf(path).data_vars)
    except UserError:
        return ""  # whoever reads it says why
    return next((what for what, own in _FILES_OF_A_RUN.items() if own <= names), "")


def check_paths(
    paths: Sequence[str], rename: Mapping[str, str] | None = None, ignore: Collection[str] = ()
) -> list[Finding]:
    """Check files as one dataset, and the checksums of stores among them.

    Args:
        paths: The files.
        rename: Canonical name by the file's own.
        ignore: Ids of rules whose findings are left out.

    Raises:
        UserError: They cannot be opened, or are no analyses.
    """
    places = list(map(path_or_url, paths))
    # Values are not worth a look where files are broken, which may not even open.
    if DAMAGED_FILE not in ignore and (damaged := _damaged(paths)):
        return damaged
    _require_analyses(places if len(places) == 1 else [p for p in places if not isinstance(p, Path) or p.is_dir()])
    try:
        opened = _opened(paths, rename)
    except UserError:
        _require_analyses(places)  # which takes as long as opening each of many files
        raise
    about_files = [*_lost(paths, opened), *map(_unread, filter(_is_elsewhere, paths))]
    found = [finding for finding in about_files if finding.rule not in ignore]
    try:
        with bar("check", closes=False) as progress:
            return [*found, *check_dataset(opened, progress, ignore)]
    except UserError:
        if not any(finding.rule == LOST_CHUNKS for finding in found):
            raise
        return found  # a file that is empty cannot be read, and is among them


def _opened(paths: Sequence[str], rename: Mapping[str, str] | None) -> xr.Dataset:
    """Open files lazily; a store of weatherml's own as what it is, which is read in fewer and larger pieces."""
    (place, *others) = stores_at(paths) or (None,)
    is_own = place is not None and not others and not rename and len(paths) == 1 and _is_own(place)
    return open_store(paths[0]) if is_own else open_files(paths, rename=rename)


def _lost(paths: Sequence[str], opened: xr.Dataset) -> Iterator[Finding]:
    """Yield what stores that weatherml has not written, and so has no checksums of, have lost."""
    for place in stores_at(paths):
        if (is_url(str(place.root)) or is_zarr(Path(place.root))) and not _is_own(place):
            yield from find_lost_chunks(place, opened)


def _require_analyses(places: Sequence[Path | str]) -> None:
    for place in places:
        if (isinstance(place, Path) and is_checkpoint(place)) or is_forecast(place):
            raise UserError(f"{place} is a model or a forecast; check analyses, or see what it is with weatherml info")


def check_files(paths: Sequence[str]) -> list[Finding]:
    """Check only whether the files of stores are those that were written.

    Raises:
        UserError: One of the paths is no store.
    """
    for place in stores_at(paths):
        if is_begun(place) and not Manifest.exists(place):
            open_store(place)  # says that it is unfinished
        if not Manifest.exists(place):
            require_not_lost(place)
            raise UserError(f"{place} is no store that ingest has completed; leave out --files to check its values")
    return [*map(_unread, filter(_is_elsewhere, paths)), *_damaged(paths)]


def stores_at(paths: Sequence[str]) -> list[Place]:
    """Return the places that paths and patterns mean, and URLs of buckets; others that are URLs are left out."""
    local = [path for path in paths if not is_url(path)]
    return [*map(place_at, expand(local) if local else []), *map(place_at, filter(is_bucket, paths))]


def _is_elsewhere(path: str) -> bool:
    return is_url(path) and not is_bucket(path)


def _damaged(paths: Sequence[str]) -> list[Finding]:
    remedy = "is missing or damaged; make it again with weatherml check --repair"
    own = [place for place in stores_at(paths) if _is_own(place)]
    return [Finding("error", f"{place}/{file}", remedy, DAMAGED_FILE) for place in own for file in verify(place)]


def _is_own(place: Place) -> bool:
    try:
        return Manifest.exists(place)
    except UserError:  # as of a bucket that may not be listed; whoever reads it next says what is wrong
        return False


def _unread(url: str) -> Finding:
    text = "is behind a web server: checksums of its files are not read, check it where it lies"
    return Finding("note", url, text, NOT_VERIFIED)


def _describe_forecast(places: Sequence[Path | str], rename: Mapping[str, str] | None) -> dict[str, Any]:
    forecast, files = read_forecast(places, rename=rename), [own for own in places if isinstance(own, Path)]
    init, lead = np.sort(forecast["init_time"].values), np.sort(forecast["lead_time"].values)
    described = {
        "kind": "forecast",
        "format": _format(_first_of(places[0])),
        "models": _models(json.loads(forecast.attrs.get("provenance", "[]"))),
        "init times": _span(len(init), f"{init[0]:.16}", f"{init[-1]:.16}"),
        "lead times": _span(len(lead), format_duration(lead[0]), format_duration(lead[-1])),
        "members": forecast.sizes.get("number", 0),
        **_asked(forecast),
        "channels": _channels(forecast),
        **_places(forecast),
        **_size(files),
        "unpacked": forecast.nbytes,
        **_stopped(forecast.attrs.get("failed", [])),
    }
    return {key: value for key, value in described.items() if value != []}


def _first_of(place: Path | str) -> Path | str:
    """Return the first file that a pattern matches; what is none as it is."""
    is_pattern = isinstance(place, Path) and has_magic(str(place)) and not place.exists()
    return expand(place)[0] if is_pattern else place


def _span(count: int, first: str, last: str) -> str:
    return f"{count}, {first}" + f" to {last}" * (count > 1)


def _size(paths: Sequence[str | Path]) -> dict[str, int]:
    """Return the bytes of files, and of all files in folders; nothing where there are none on this machine."""
    files = [file for path in (expand(paths) if paths else []) for file in (path, *path.rglob("*")) if file.is_file()]
    return {"size": sum(file.stat().st_size for file in files)} if files else {}


def _size_in_bucket(paths: Sequence[str]) -> dict[str, int]:
    """Return the bytes that the manifests of stores in buckets tell; nothing where there are none."""
    own = [place for place in map(place_at, filter(is_bucket, paths)) if _is_own(place)]
    return {"size": sum(n.size for place in own for n in Manifest.load(place).files.values())} if own else {}


def _format(place: Path | str) -> str:
    if isinstance(place, str):
        return "zarr"
    return "WeatherBench 2" if (place / "prediction_timedelta").is_dir() else format_of(place)


def _asked(forecast: xr.Dataset) -> dict[str, Any]:
    """Return what was asked of the forecast, as far as its format keeps that."""
    if "forecast_config" not in forecast.attrs:
        return {} if "number" in forecast.dims else {"members": "statistics of an ensemble"}
    asked: dict[str, Any] = json.loads(forecast.attrs["forecast_config"])
    numbers = asked.get("numbers")
    n_members = asked.get("members") if numbers is None else len(set(numbers))
    return {
        **({} if "number" in forecast.dims else {"members": f"statistics of {n_members}"}),
        "batch": int(forecast.attrs.get("batch", asked.get("batch") or 0)) or "",
        "perturbation": asked.get("perturbation") or "none",
        "seed": asked.get("seed", ""),
        "config": forecast.attrs["forecast_config"],
    }


def _models(provenances: Sequence[Any]) -> list[str]:
    """Return a line for each model, of several suites one after the other."""
    flat = [own for suite in provenances for own in (suite if isinstance(suite, list) else [suite])]
    return [_model(own) for own in flat]


def _model(provenance: Mapping[str, Any]) -> str:
    config = provenance["config"]
    title, steps = config.get("title"), provenance["step"]
    words = [
        str(config.get("model", {}).get("name", "network")),
        *([f"of '{title}'"] if title else []),
        *([f"{steps} optimiser steps"] if steps else []),
        f"data {provenance['data'][:_DIGEST]}",
        *([f"licence {provenance['licence']}"] if provenance.get("licence") else []),
    ]
    return ", ".join(words)


def _channels(forecast: xr.Dataset) -> list[str]:
    """Return what the fields are called, those on levels with the levels that were asked for."""
    asked = json.loads(forecast.attrs.get("forecast_config", "{}")).get("channels") or ()
    wanted = parse_channels(asked) if asked else ()
    levels = {name: [c.level for c in wanted if c.variable == variable_of(str(name))] for name in forecast.data_vars}
    return [_channel(field, levels[name]) for name, field in forecast.items()]


def _channel(field: xr.DataArray, asked: Sequence[int | None]) -> str:
    if "level" not in field.dims:
        return str(field.name)
    levels = [level for level in field["level"].values.tolist() if not asked or level in asked]
    return f"{field.name} at {' '.join(map(str, levels))} hPa"


def _places(forecast: xr.Dataset) -> dict[str, Any]:
    if "station" in forecast.dims:
        return {"stations": [str(name) for name in forecast["station"].values]}
    return {"grid": f"{forecast.sizes['latitude']} x {forecast.sizes['longitude']}"}


def _stopped(stories: Any) -> dict[str, Any]:
    """Return how many members stopped, and when and by what the first ones did; files keep a list as one text."""
    told = [story for story in stories.split("; ") if story] if isinstance(stories, str) else list(stories)
    return {"failed": len(told), **({"first failed": told[:_MOST_STORIES]} if told else {})}


def climatology_at(path: Path) -> Reference:
    """Open a climatology of a run, of harmonics or by hour and day of the year.

    Raises:
        UserError: The file is missing or holds something else.
    """
    with suppress(OSError), xr.open_dataset(path, engine="netcdf4") as file:
        if "windowed_climatology" in file.attrs:
            return WindowedClimatology.load(path)
    return Climatology.load(path)


def fields_at(words: Sequence[str]) -> dict[str, xr.Dataset]:
    """Open what `NAME=FILE` names: fields that metrics compare with, such as `threshold=q95.nc`.

    Raises:
        UserError: One does not read so, or nothing of the kind is there.
    """
    opened = {}
    for word in words:
        name, sign, place = word.partition("=")
        if not (name and sign and place):
            raise UserError(f"--field {word} must read NAME=FILE, such as threshold=q95.nc")
        if name in opened:
            raise UserError(f"--field gives {name} twice; give it once, or name the fields that rps takes apart")
        try:
            is_store = Path(place).is_dir() or is_url(place)
            fields = xr.open_zarr(place) if is_store else xr.open_dataset(place)
        except (OSError, ValueError) as error:
            reason = str(error).partition("\n")[0]
            raise UserError(
                f"--field {word}: {place} cannot be read ({reason}); pass a NetCDF file or a store"
            ) from None
        opened[name] = canonical_fields(fields, name, place)
    return opened
