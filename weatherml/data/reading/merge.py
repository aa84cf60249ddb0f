"""Several canonical datasets become one: along time, across levels, variable beside variable."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from weatherml.data.notes import join_notes, noted
from weatherml.data.reading.copies import Copies, Piece
from weatherml.errors import UserError
from weatherml.errors.wording import counted
from weatherml.grid import LatLonGrid
from weatherml.state import with_metadata


class Part(NamedTuple):
    """A canonical dataset and the file it came from."""

    origin: str
    dataset: xr.Dataset


def merge(parts: Sequence[Part]) -> xr.Dataset:
    """Merge canonical datasets of one grid into one; lazy where they are.

    Times of one variable may come in any order and from any number of files; a time that comes twice must come with the
    same values, but for what packing them apart leaves: then those of the first file are read, and a note says so. All
    varying variables must have the same times. Levels may differ (FourCastNet's do): a variable is NaN on the levels
    that only others have.

    Args:
        parts: The datasets.

    Raises:
        UserError: Grids, times or members differ, or one time has two different fields.
    """
    copies = Copies()
    fields = join(parts, copies)
    require_same_times(fields)
    dataset = xr.Dataset(fields, attrs=join_notes(part.dataset for part in parts))
    for note in copies.notes:
        dataset = noted(dataset, note)
    return with_metadata(dataset)


def join(parts: Sequence[Part], copies: Copies) -> dict[str, xr.DataArray]:
    """Return the variables of canonical datasets of one grid, each of its own times; see `merge`.

    Args:
        parts: The datasets.
        copies: Compares fields that come twice.
    """
    parts = _on_one_grid(parts)
    names = dict.fromkeys(str(name) for part in parts for name in part.dataset.data_vars)
    pieces = {name: [Piece(p.origin, p.dataset[name]) for p in parts if name in p.dataset] for name in names}
    return _on_common_levels({name: _join(name, own, copies) for name, own in pieces.items()})


def _on_one_grid(parts: Sequence[Part]) -> list[Part]:
    """Return the datasets with the coordinates of the first, from which those of others differ by rounding at most."""
    first, grid = parts[0].origin, LatLonGrid.from_dataset(parts[0].dataset)
    horizontal = {name: parts[0].dataset[name] for name in ("latitude", "longitude")}
    for origin, dataset in parts[1:]:
        other = LatLonGrid.from_dataset(dataset)
        if not other.is_same(grid):
            raise UserError(
                f"{first} ({_describe(grid)}) and {origin} ({_describe(other)}) lie on different grids; open them apart"
            )
    return [Part(origin, dataset.assign_coords(horizontal)) for origin, dataset in parts]


def _join(name: str, pieces: list[Piece], copies: Copies) -> xr.DataArray:
    """Join the pieces of one variable."""
    levels = [tuple(p.field["level"].values.tolist()) if "level" in p.field.dims else () for p in pieces]
    if len(set(levels)) == 1:
        return _along_time(name, pieces, copies)
    if () in levels:
        odd = pieces[levels.index(())].origin
        raise UserError(
            f"{name} has pressure levels in one file and none in {odd}; add its level, leave the file out, or in a"
            " configuration call it what it is, by rename for its path"
        )
    # Files split the levels differently: take them one by one.
    columns = {
        level: _along_time(
            name,
            [
                Piece(p.origin, p.field.sel(level=[level]))
                for p, own in zip(pieces, levels, strict=True)
                if level in own
            ],
            copies,
        )
        for level in sorted({level for own in levels for level in own})
    }
    first = next(iter(columns.values()))
    for level, column in columns.items():
        if not _same_times(first, column):
            other = f"{name} has other times at {level} hPa than at {int(first['level'])} hPa"
            raise UserError(f"{other}; give files with the same times")
    return xr.concat(list(columns.values()), "level", join="exact", coords="minimal", compat="override")


def _along_time(name: str, pieces: list[Piece], copies: Copies) -> xr.DataArray:
    """Put pieces of the same levels in order of time, each time once."""
    if "time" not in pieces[0].field.dims:
        return _one_of_copies(name, pieces, copies)
    times = np.concatenate([p.field["time"].values for p in pieces])
    if len(pieces) == 1 and pd.Index(times).is_unique:  # quicker than numpy for a million
        return pieces[0].field
    try:
        joined = xr.concat(
            [p.field for p in pieces],
            "time",
            join="exact",
            coords="minimal",
            compat="override",
            combine_attrs="override",
        )
    except ValueError:
        raise UserError(
            f"{name} has other members or dimensions in {pieces[0].origin} than in the other files; open them apart"
        ) from None
    origins = np.repeat([p.origin for p in pieces], [p.field.sizes["time"] for p in pieces])
    order = np.argsort(times, kind="stable")
    is_copy = times[order][1:] == times[order][:-1]
    pairs = zip(order[:-1][is_copy], order[1:][is_copy], strict=True)
    copies.require_equal(
        name, ((Piece(origins[i], joined.isel(time=i)), Piece(origins[j], joined.isel(time=j))) for i, j in pairs)
    )
    return joined.isel(time=order[np.concatenate([[True], ~is_copy])])


def _one_of_copies(name: str, pieces: list[Piece], copies: Copies) -> xr.DataArray:
    first, *others = pieces
    for other in others:
        if first.field.dims != other.field.dims:
            raise UserError(f"{name} has no time and other dimensions in {first.origin} than in {other.origin}")
    copies.require_equal(name, ((first, other) for other in others))
    return first.field


def require_same_times(fields: Mapping[str, xr.DataArray]) -> None:
    """Require that all variables that vary have the same times.

    Raises:
        UserError: They have not.
    """
    varying = {name: field for name, field in fields.items() if "time" in field.dims}
    first = next(iter(varying), None)
    for name, field in varying.items():
        if first is not None and not _same_times(varying[first], field):
            odd = np.setxor1d(varying[first]["time"].values, field["time"].values)
            both = f"{first} and {name} differ in {counted(odd.size, 'time')}, the first {odd[0]:.16}"
            raise UserError(
                f"{both}; give files with the same times, choose variables, or in a configuration the times that all"
                " have, with source.every or source.periods"
            )


def _same_times(one: xr.DataArray, two: xr.DataArray) -> bool:
    return (
        np.array_equal(one["time"].values, two["time"].values)
        if "time" in one.dims and "time" in two.dims
        else one.dims == two.dims
    )


def _on_common_levels(fields: dict[str, xr.DataArray]) -> dict[str, xr.DataArray]:
    on_levels = {name: field for name, field in fields.items() if "level" in field.dims}
    union = sorted({int(level) for field in on_levels.values() for level in field["level"].values})
    ragged = {name for name, field in on_levels.items() if field.sizes["level"] < len(union)}
    return {
        name: field.reindex(level=np.asarray(union, np.int32)) if name in ragged else field
        for name, field in fields.items()
    }


def _describe(grid: LatLonGrid) -> str:
    rows, columns = grid.latitude, grid.longitude
    return f"{grid.n_lat} x {grid.n_lon}, {rows[0]:g} .. {rows[-1]:g} N, {columns[0]:g} .. {columns[-1]:g} E"
