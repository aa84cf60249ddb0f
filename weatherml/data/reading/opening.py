"""Real files as one canonical dataset, lazily."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

import xarray as xr

from weatherml.data.reading.canonical import PassedOverError, canonicalise, noted, notes
from weatherml.data.reading.canonical.names import has_known_name
from weatherml.data.reading.formats.grib import open_grib
from weatherml.data.reading.formats.local import CHUNKS, Paths, expand, format_of, open_netcdf, open_zarr
from weatherml.data.reading.formats.references import open_references
from weatherml.data.reading.formats.remote import in_own_chunks, open_remote
from weatherml.data.reading.merge import Part, merge
from weatherml.errors import Option, UserError
from weatherml.locations import as_url, is_url
from weatherml.registry import nearest
from weatherml.variables import find
from weatherml.wording import listed

FORMAT = "weatherml_source_format"
"""Dataset attribute: the formats the data were read from."""


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
    opened = [(str(place), *_open(place, rename or {})) for place in _places(paths)]
    parts, passed = _canonical([(path, raw) for path, _, raws in opened for raw in raws], rename or {}, wanted)
    if not parts and wanted is not None:
        parts, passed = _canonical([(path, raw) for path, _, raws in opened for raw in raws], rename or {}, None)
    if not parts:
        raise passed[0]
    merged = merge(on_levels(parts, levels))
    merged = tell_what_was_passed_over(merged, (error.note for error in passed))
    merged = merged.assign_attrs({FORMAT: sorted({kind for _, kind, _ in opened})})
    require_read(wanted or (), merged)
    return select(merged, variables, levels)


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


def tell_what_was_passed_over(dataset: xr.Dataset, told: Iterable[str]) -> xr.Dataset:
    """Add the sentences to the notes of a dataset, each once."""
    for note in told:
        dataset = noted(dataset, note) if note not in ("", *notes(dataset)) else dataset
    return dataset


def require_read(wanted: Collection[str], merged: xr.Dataset) -> None:
    """Say what was passed over where a variable that was asked for may be among it.

    Raises:
        UserError: One is not there.
    """
    told = "; ".join(note for note in notes(merged) if "passed over" in note)
    for name in wanted:
        if name not in merged and told:
            raise UserError(
                f"the data have no variable {name!r} that is read ({told})", Option("rename", {"OWN": name})
            )


def on_levels(parts: Sequence[Part], levels: Sequence[int] | None) -> Sequence[Part]:
    """Keep those levels that each file has.

    Raises:
        UserError: None has one of them.
    """
    if levels is None:
        return parts
    leveled = [part for part in parts if "level" in part.dataset.dims]
    own = sorted({level for part in leveled for level in part.dataset["level"].values.tolist()})
    _require_levels(levels, own)
    kept = [[level for level in part.dataset["level"].values if level in levels] for part in leveled]
    chosen = [Part(p.origin, p.dataset.sel(level=k)) for p, k in zip(leveled, kept, strict=True) if k]
    return [*(part for part in parts if "level" not in part.dataset.dims), *chosen]


def _require_levels(levels: Sequence[int], own: Sequence[int]) -> None:
    absent = [level for level in levels if level not in own]
    if absent:
        raise UserError(f"the data have no level {absent[0]} hPa; they have {listed(own)}")


def select(
    dataset: xr.Dataset, variables: Sequence[str] | None = None, levels: Sequence[int] | None = None
) -> xr.Dataset:
    """Keep some variables (named in any vocabulary) and pressure levels; all where None.

    Raises:
        UserError: One is not there; the near one, or those there, are named.
    """
    names = [find(v).name for v in variables] if variables is not None else list(dataset.data_vars)
    for name in names:
        if name not in dataset.data_vars:
            raise UserError(f"the data have no variable {name!r}{nearest(str(name), map(str, dataset.data_vars))}")
    dataset = dataset[names]
    _require_levels(levels or (), dataset["level"].values.tolist() if "level" in dataset.dims else [])
    return dataset.sel(level=sorted(levels)) if levels is not None else dataset


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
    opener = {"zarr": open_zarr, "kerchunk": open_references}.get(kind, open_netcdf)
    return kind, [opener(path)]
