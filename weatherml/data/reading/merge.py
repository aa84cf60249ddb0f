"""Several canonical datasets become one: along time, across levels, variable beside variable."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from weatherml.data.reading.canonical import join_notes
from weatherml.errors import UserError
from weatherml.grid import LatLonGrid
from weatherml.state import with_metadata
from weatherml.variables import find
from weatherml.wording import counted


class Part(NamedTuple):
    """A canonical dataset and the file it came from."""

    origin: str
    dataset: xr.Dataset


class _Piece(NamedTuple):
    origin: str
    field: xr.DataArray


_PACKING = 1e-4
"""Of the range of a variable: 16 bits for the range of a file leave less."""

Comparison = Callable[[xr.DataArray, xr.DataArray], float]
"""By how much two fields differ at most."""


def largest_difference(one: xr.DataArray, two: xr.DataArray) -> float:
    """Return by how much two fields differ at most; infinite where one has values that the other lacks."""
    first, second = np.asarray(one.values, np.float64), np.asarray(two.values, np.float64)
    if not np.array_equal(np.isnan(first), np.isnan(second)):
        return np.inf
    return float(np.nanmax(np.abs(first - second), initial=0))


def merge(parts: Sequence[Part], compare: Comparison = largest_difference) -> xr.Dataset:
    """Merge canonical datasets of one grid into one; lazy where they are.

    Times of one variable may come in any order and from any number of files; a time that comes twice must come with the
    same values. All varying variables must have the same times. Levels may differ (FourCastNet's do): a variable is NaN
    on the levels that only others have.

    Args:
        parts: The datasets.
        compare: How copies are compared.

    Raises:
        UserError: Grids, times or members differ, or one time has two different fields.
    """
    fields = join(parts, compare)
    require_same_times(fields)
    return with_metadata(xr.Dataset(fields, attrs=join_notes(part.dataset for part in parts)))


def join(parts: Sequence[Part], compare: Comparison = largest_difference) -> dict[str, xr.DataArray]:
    """Return the variables of canonical datasets of one grid, each of its own times; see `merge`."""
    parts = _on_one_grid(parts)
    names = dict.fromkeys(str(name) for part in parts for name in part.dataset.data_vars)
    pieces = {name: [_Piece(p.origin, p.dataset[name]) for p in parts if name in p.dataset] for name in names}
    return _on_common_levels({name: _join(name, own, compare) for name, own in pieces.items()})


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


def _join(name: str, pieces: list[_Piece], compare: Comparison) -> xr.DataArray:
    """Join the pieces of one variable."""
    levels = [tuple(p.field["level"].values.tolist()) if "level" in p.field.dims else () for p in pieces]
    if len(set(levels)) == 1:
        return _along_time(name, pieces, compare)
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
                _Piece(p.origin, p.field.sel(level=[level]))
                for p, own in zip(pieces, levels, strict=True)
                if level in own
            ],
            compare,
        )
        for level in sorted({level for own in levels for level in own})
    }
    first = next(iter(columns.values()))
    for level, column in columns.items():
        if not _same_times(first, column):
            other = f"{name} has other times at {level} hPa than at {int(first['level'])} hPa"
            raise UserError(f"{other}; give files with the same times")
    return xr.concat(list(columns.values()), "level", join="exact", coords="minimal", compat="override")


def _along_time(name: str, pieces: list[_Piece], compare: Comparison) -> xr.DataArray:
    """Put pieces of the same levels in order of time, each time once."""
    if "time" not in pieces[0].field.dims:
        return _one_of_copies(name, pieces, compare)
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
    for one, two in zip(order[:-1][is_copy], order[1:][is_copy], strict=True):
        difference = compare(joined.isel(time=one), joined.isel(time=two))
        if difference:
            both = f"{_by(name, difference)} between {origins[one]} and {origins[two]}"
            moment = np.datetime_as_string(times[one], unit="m")
            raise UserError(
                f"{name} at {moment} differs {both}; leave one of the files out, or the time in one of them"
            )
    return joined.isel(time=order[np.concatenate([[True], ~is_copy])])


def _one_of_copies(name: str, pieces: list[_Piece], compare: Comparison) -> xr.DataArray:
    first, *others = pieces
    for other in others:
        both = f"{first.origin} and {other.origin}"
        if first.field.dims != other.field.dims:
            raise UserError(f"{name} has no time and other dimensions in {first.origin} than in {other.origin}")
        if difference := compare(first.field, other.field):
            held = f"{name} has no time and differs {_by(name, difference)} between {both}"
            raise UserError(f"{held}; leave one of them out")
    return first.field


def _by(name: str, difference: float) -> str:
    """Say by how much copies differ, and whether that is what packing them anew leaves."""
    variable = find(name)
    if np.isinf(difference):
        return "in what is missing"
    is_small = difference < _PACKING * (variable.maximum - variable.minimum)
    units = "" if variable.units == "1" else f" {variable.units}"
    return f"by up to {difference:.3g}{units}{', as packing them apart leaves,' * is_small}"


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
