"""Several files as one forecast: along initial times, leads, members, levels or variables, in whatever order."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from weatherml.data.notes import join_notes, noted
from weatherml.durations import format_duration
from weatherml.errors import Option, UserError
from weatherml.errors.wording import counted
from weatherml.grid import LatLonGrid
from weatherml.products.foreign.told import Repeated

_AXES = ("init_time", "lead_time", "number", "level")


class Part(NamedTuple):
    """A forecast and where it lies."""

    place: str
    dataset: xr.Dataset


def joined(parts: Sequence[Part], repeated: Repeated = "refuse") -> xr.Dataset:
    """Return several forecasts as one, lazily: each field is read from the file that it is in.

    Where no file has a member at a lead of an initial time it is NaN, which is noted.

    Args:
        parts: Canonical forecasts on one grid.
        repeated: What becomes of fields that come twice.

    Raises:
        UserError: They lie on different grids, or two files hold one field.
    """
    if len(parts) == 1:
        return parts[0].dataset
    _require_alike(parts)
    parts = _as_members(parts) if repeated == "members" else parts
    names = dict.fromkeys(str(name) for part in parts for name in [*part.dataset.data_vars, *_beside(part.dataset)])
    joins = {name: _Join(name, _pieces(parts, name), repeated) for name in names}
    fields = {name: join.field() for name, join in joins.items()}
    beside = {name for part in parts for name in _beside(part.dataset)}
    whole = xr.merge([field.rename(name) for name, field in fields.items()], join="outer", compat="override")
    whole = whole.set_coords(list(beside)).drop_attrs(deep=False).assign_attrs(_shared_attributes(parts))
    n_absent = max(join.n_absent for join in joins.values())
    return noted(whole, f"{counted(n_absent, 'field')} in no file: missing") if n_absent else whole


_Piece = tuple[str, xr.DataArray]
"""What a file has of a variable, and where that lies."""


class _Run(NamedTuple):
    """Values along an axis that follow each other and are in the same pieces."""

    values: pd.Index
    pieces: list[_Piece]


@dataclass
class _Join:
    """Joins the pieces of one variable.

    Attributes:
        name: Of the variable.
        pieces: By place, with dims among `_AXES` and others that all have alike.
        repeated: What becomes of fields that come twice.
        n_held: Fields of the hypercube that a piece has, as far as they are joined.
    """

    name: str
    pieces: list[_Piece]
    repeated: Repeated
    n_held: int = 0

    def field(self) -> xr.DataArray:
        """Return the variable along all that its pieces have of each axis."""
        found = self._assemble(self.pieces, list(self._axes), 1)
        assert found is not None  # there is at least one piece
        return found.transpose(*self.pieces[0][1].dims)

    @property
    def n_absent(self) -> int:
        """Fields that no piece has."""
        return math.prod(map(len, self._axes.values())) - self.n_held

    @cached_property
    def _axes(self) -> dict[str, pd.Index]:
        """What the pieces have of each axis, rising."""
        axes = [axis for axis in _AXES if axis in self.pieces[0][1].dims]
        values = {axis: [field.indexes[axis].to_numpy() for _, field in self.pieces] for axis in axes}
        return {axis: pd.Index(np.unique(np.concatenate(own))) for axis, own in values.items()}

    def _assemble(self, pieces: Sequence[_Piece], axes: Sequence[str], n_fields: int) -> xr.DataArray | None:
        """Return pieces joined along some axes, each field standing for `n_fields`; None where there are none."""
        if not pieces:
            return None
        if not axes:
            self.n_held += n_fields
            return self._one_of(pieces)
        axis, *others = axes
        runs = list(_runs(pieces, axis, self._axes[axis]))
        found = [self._assemble(run.pieces, others, n_fields * len(run.values)) for run in runs]
        like = next((one for one in found if one is not None), None)
        if len(runs) == 1 or like is None:
            return like
        filled = [
            _missing(like, axis, run.values) if one is None else one for run, one in zip(runs, found, strict=True)
        ]
        result: xr.DataArray = xr.concat(filled, axis, coords="minimal", compat="override", join="override")
        return result

    def _one_of(self, pieces: Sequence[_Piece]) -> xr.DataArray:
        """Return the piece that is meant where several hold the same."""
        if len(pieces) > 1 and self.repeated not in ("first", "last"):
            (one, field), (other, _) = pieces[:2]
            raise UserError(
                f"{one} and {other} both hold {self.name} {_where(field)}",
                "pass one of them",
                Option("repeated", "first", "to keep that of the first, or last"),
                Option("repeated", "members", "if each file is a member"),
            )
        return pieces[-1 if self.repeated == "last" else 0][1]


def _runs(pieces: Sequence[_Piece], axis: str, values: pd.Index) -> Iterator[_Run]:
    """Yield the values along an axis in runs that are in the same pieces."""
    held = np.array([values.isin(field.indexes[axis]) for _, field in pieces])
    starts = np.flatnonzero(np.any(np.diff(held.astype(int), axis=1) != 0, axis=0)) + 1
    for places in np.split(np.arange(len(values)), starts):
        own = [piece for piece, is_held in zip(pieces, held[:, places[0]], strict=True) if is_held]
        yield _Run(values[places], [(place, _at(field, axis, values[places])) for place, field in own])


def _at(field: xr.DataArray, axis: str, values: pd.Index) -> xr.DataArray:
    index = field.indexes[axis].get_indexer(values)
    return field if len(index) == field.sizes[axis] and np.all(np.diff(index) == 1) else field.isel({axis: index})


def _missing(like: xr.DataArray, axis: str, values: pd.Index) -> xr.DataArray:
    """Return a field like another, at other values along an axis, that is missing everywhere."""
    nothing = np.timedelta64("NaT", "ns") if like.dtype.kind == "m" else np.nan
    empty = xr.full_like(like.isel({axis: [0] * len(values)}), nothing)
    return empty.assign_coords({axis: values.to_numpy()})


def _pieces(parts: Sequence[Part], name: str) -> list[_Piece]:
    """Return what each part has of a variable, without coordinates beside its axes."""
    own = [(part.place, part.dataset[name]) for part in parts if name in part.dataset.variables]
    return [(place, field.drop_vars([c for c in field.coords if c not in field.dims])) for place, field in own]


def _beside(dataset: xr.Dataset) -> list[str]:
    """Return what else is told of members, such as when they stopped; valid times follow from the axes."""
    return [
        str(name)
        for name, c in dataset.coords.items()
        if name not in dataset.dims and name != "valid_time" and c.dims and set(c.dims) <= set(_AXES)
    ]


def _as_members(parts: Sequence[Part]) -> list[Part]:
    """Number files as members, in their order.

    Raises:
        UserError: They hold several members each.
    """
    for place, dataset in parts:
        if dataset.sizes.get("number", 1) > 1:
            raise UserError(f"{place} has {dataset.sizes['number']} members of its own; pass files of one member each")
    return [Part(place, dataset.assign_coords(number=[number])) for number, (place, dataset) in enumerate(parts)]


def _require_alike(parts: Sequence[Part]) -> None:
    """Require one grid and one kind.

    Raises:
        UserError: Two files differ.
    """
    first, *others = parts
    for part in others:
        if ("latitude" in part.dataset.dims) != ("latitude" in first.dataset.dims) or (
            "number" in part.dataset.dims
        ) != ("number" in first.dataset.dims):
            raise UserError(
                f"{part.place} is of another kind than {first.place}, statistics, members or stations; pass one kind"
            )
        if "latitude" in part.dataset.dims:
            own, shared = (LatLonGrid.from_dataset(dataset) for dataset in (part.dataset, first.dataset))
            if not own.is_same(shared):
                raise UserError(
                    f"{part.place} lies on another grid than {first.place}, {own.n_lat} x {own.n_lon} instead of"
                    f" {shared.n_lat} x {shared.n_lon}; pass files of one grid, or regrid them with weatherml convert"
                )


def _shared_attributes(parts: Sequence[Part]) -> dict[str, object]:
    """Return attributes that all parts have alike, and the notes of all."""
    first, *others = (part.dataset.attrs for part in parts)
    shared = {key: value for key, value in first.items() if all(key in own and own[key] == value for own in others)}
    return shared | join_notes(part.dataset for part in parts)


def _where(field: xr.DataArray) -> str:
    """Write the first place of a field along the axes."""
    words = {
        "init_time": lambda v: f"of {np.datetime_as_string(v, 'm')}",
        "lead_time": lambda v: f"at lead {format_duration(v)}",
        "number": lambda v: f"of number {v}",
        "level": lambda v: f"at {v} hPa",
    }
    return ", ".join(words[axis](field[axis].values[0]) for axis in _AXES if axis in field.dims)
