"""Real files as one canonical dataset, lazily."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import xarray as xr

from weatherml.data.notes import notes
from weatherml.data.reading.canonical import PassedOverError, canonicalise
from weatherml.data.reading.canonical.names import has_known_name
from weatherml.data.reading.file_index import FileToRead, IndexedFiles, place_for
from weatherml.data.reading.formats.grib import open_grib
from weatherml.data.reading.formats.local import CHUNKS, Paths, expand, format_of, open_netcdf, open_zarr_in_blocks
from weatherml.data.reading.formats.references import open_references
from weatherml.data.reading.formats.remote import in_own_chunks, open_remote
from weatherml.data.reading.merge import Part, merge, require_same_times
from weatherml.data.reading.selection import (
    FORMAT,
    on_levels,
    require_read,
    require_renamed,
    select,
    tell_what_was_passed_over,
)
from weatherml.storage.locations import as_url, is_url
from weatherml.variables import find

_FEW = 10
"""Files that are opened one by one: of more an index is kept."""


def open_files(
    paths: Paths,
    variables: Sequence[str] | None = None,
    rename: Mapping[str, str] | None = None,
    levels: Sequence[int] | None = None,
) -> xr.Dataset:
    """Open files as one canonical dataset, lazily.

    Dimensions `(time, number, level, latitude, longitude)`, latitude 90 to -90, longitude 0 to 360, level in hPa
    ascending; canonical names, SI units, float32. What was put right or passed over is kept in the attributes, where
    `check_dataset` finds it.

    Args:
        paths: GRIB or NetCDF files, zarr stores, references of kerchunk, glob patterns of them, or URLs of zarr stores.
        variables: Names to keep, in any vocabulary; all when None. What is left out need not fit the rest.
        rename: Canonical name by the file's own, for names weatherml would not know or would misread.
        levels: Pressure levels to keep, hPa; all when None.

    Raises:
        UserError: A path is missing or matches nothing, a file is damaged or of no known format, or files do not fit
            together.
    """
    wanted = None if variables is None else {find(name).name for name in variables}
    places = _places(paths)
    if len(places) > _FEW and not any(isinstance(place, str) or place.is_dir() for place in places):
        return select(_open_many([FileToRead(Path(p), rename or {}) for p in places], wanted, levels), variables)
    opened = [(str(place), *_open(place, rename or {})) for place in places]
    parts, passed = _canonical([(path, raw) for path, _, raws in opened for raw in raws], rename or {}, wanted)
    if not parts and wanted is not None:
        parts, passed = _canonical([(path, raw) for path, _, raws in opened for raw in raws], rename or {}, None)
    if not parts:
        raise passed[0]
    fields = [field.attrs for part in parts for field in part.dataset.data_vars.values()]
    told = [note for part in parts for note in notes(part.dataset)] + [error.note for error in passed]
    require_renamed((rename or {}).items(), fields, told, wanted or ())
    merged = merge(on_levels(parts, levels))
    merged = tell_what_was_passed_over(merged, (error.note for error in passed))
    merged = merged.assign_attrs({FORMAT: sorted({kind for _, kind, _ in opened})})
    require_read(wanted or (), merged)
    return select(merged, variables, levels)


def _open_many(files: Sequence[FileToRead], wanted: Collection[str] | None, levels: Sequence[int] | None) -> xr.Dataset:
    """Open files by an index of what is in which, which the next opening finds."""
    indexed = IndexedFiles(files, wanted, levels, place_for(file.path for file in files))
    require_same_times(indexed.rows)
    dataset = indexed.read(indexed.rows)
    return dataset.chunk(time=indexed.block_lengths(indexed.rows)) if "time" in dataset.dims else dataset.chunk()


def _canonical(
    raws: Sequence[tuple[str, xr.Dataset]], rename: Mapping[str, str], wanted: Collection[str] | None
) -> tuple[list[Part], list[PassedOverError]]:
    """Return what can be read, and why the rest cannot."""
    parts, passed = [], []
    for path, raw in raws:
        try:
            parts.append(Part(path, canonicalise(raw, path, rename, wanted)))
        except PassedOverError as error:
            passed.append(error)
    return parts, passed


def _places(paths: Paths) -> list[Path | str]:
    """Return the files that paths mean, and URLs as they are."""
    given = [paths] if isinstance(paths, str | Path) else list(paths)
    urls: list[Path | str] = [as_url(place) for place in given if is_url(place)]
    local = [place for place in given if not is_url(place)]
    return [*urls, *expand(local)] if local or not urls else urls


def _open(path: Path | str, rename: Mapping[str, str]) -> tuple[str, list[xr.Dataset]]:
    """Return the format of a file, or of a store behind a URL, and its raw lazy datasets."""
    if isinstance(path, str):
        raw = open_remote(path, is_chunked=False)
        names = [str(name) for name, field in raw.data_vars.items() if has_known_name(field, rename)]
        return "zarr", [in_own_chunks(raw, names, path)]
    kind = format_of(path)
    if kind == "GRIB":
        return kind, open_grib(path, CHUNKS)
    opener = {"zarr": open_zarr_in_blocks, "kerchunk": open_references}.get(kind, open_netcdf)
    return kind, [opener(path)]
