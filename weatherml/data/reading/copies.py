"""Fields that come twice: equal, equal but for what packing leaves of them, or different."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import xarray as xr

from weatherml.data.notes import iso
from weatherml.errors import UserError
from weatherml.errors.wording import counted
from weatherml.variables import find

_ENOUGH = 1000
"""Points of a field among whose values neighbours in a scale of 16 bits are found."""
_OF_RANGE = 1e-4
"""Of the range of a variable: more no packing of a field of fewer points is believed to leave."""


class Difference(NamedTuple):
    """By how much two fields differ.

    Attributes:
        most: At most, in the units of the fields; infinite where one has values that the other lacks.
        place: Where that is, such as `12.5 N, 30 E, 500 hPa`; empty where it is not known.
        is_of_packing: Whether no value differs by more than half a step of the one scale and half of the other.
    """

    most: float
    place: str
    is_of_packing: bool

    def tell(self, name: str) -> str:
        """Return in words by how much."""
        if np.isinf(self.most):
            return "in what is missing"
        units = find(name).units
        return f"by up to {self.most:.3g}{'' if units == '1' else ' ' + units}"


NONE = Difference(0.0, "", False)

Comparison = Callable[[xr.DataArray, xr.DataArray], Difference]
"""Tells by how much fields of one variable differ."""


class Piece(NamedTuple):
    """A field and the file it came from."""

    origin: str
    field: xr.DataArray


def difference(one: xr.DataArray, two: xr.DataArray) -> Difference:
    """Return by how much two fields differ, whose values are read."""
    first, second = np.asarray(one.values, np.float64), np.asarray(two.values, np.float64)
    gaps = np.where(np.isnan(first) & np.isnan(second), 0, np.abs(first - second))
    gaps = np.where(np.isnan(gaps), np.inf, gaps)
    most = float(gaps.max(initial=0))
    if not most:
        return NONE
    of_packing = np.isfinite(most) and _leaves(str(one.name), first, second, most)
    return Difference(most, _place(one, int(gaps.argmax())), of_packing)


class Copies:
    """Refuses copies that differ, and collects what to say of those that were packed apart.

    Args:
        compare: How copies are compared.
    """

    def __init__(self, compare: Comparison = difference) -> None:
        self._compare = compare
        self._packed: list[str] = []
        self._equal: dict[tuple[str, str], set[np.datetime64]] = defaultdict(set)

    @property
    def notes(self) -> list[str]:
        """Sentences on copies of which one was chosen."""
        return [*self._packed, *(_repeated(one, two, times) for (one, two), times in self._equal.items())]

    def require_equal(self, name: str, pairs: Iterable[tuple[Piece, Piece]]) -> None:
        """Require that two fields are one and the same, but for what packing them apart leaves.

        Raises:
            UserError: They are not.
        """
        packed: dict[str, list[float]] = defaultdict(list)
        for one, two in pairs:
            found = self._compare(one.field, two.field)
            if found.most and not found.is_of_packing:
                raise _refused(name, one, two, found)
            if found.most:
                packed[one.origin].append(found.most)
            elif "time" in one.field.coords:  # each file may have what does not vary
                self._equal[one.origin, two.origin].add(np.datetime64(one.field["time"].values.item(), "ns"))
        for origin, own in packed.items():
            apart = Difference(max(own), "", True).tell(name)
            again = f"{name}: {counted(len(own), 'field')} of {origin} come again, packed apart, and differ {apart}"
            self._packed.append(f"{again}; those of {origin} are read")


def _repeated(one: str, two: str, times: Collection[np.datetime64]) -> str:
    """Say which times came again with the same values."""
    number, first = counted(len(times), "time"), iso(min(times))
    again = "come" if len(times) > 1 else "comes"
    where = f"{again} twice in {one}" if one == two else f"of {one} {again} again in {two}"
    return f"{number} {where} with the same values, the first {first}: read once"


def _refused(name: str, one: Piece, two: Piece, found: Difference) -> UserError:
    is_static = "time" not in one.field.coords
    what = f"{name} has no time and" if is_static else f"{name} at {one.field['time'].values:.16}"
    where = f", most at {found.place}" if found.place else ""
    if one.origin == two.origin:
        remedy = "find out which is right, and keep that one alone in the file"
        return UserError(f"{what} is twice in {one.origin}, and differs {found.tell(name)}{where}; {remedy}")
    told = f"{what} differs {found.tell(name)} between {one.origin} and {two.origin}"
    return UserError(f"{told}{where}; leave one of them out" + (", or the time in one of them" * (not is_static)))


def _leaves(name: str, first: npt.NDArray[np.float64], second: npt.NDArray[np.float64], most: float) -> bool:
    """Return whether packing one truth by two scales can leave such a difference."""
    steps = [_step(first), _step(second)]
    allowed = sum(steps) / 2
    if first.size < _ENOUGH:
        variable = find(name)
        allowed = min(allowed, _OF_RANGE * (variable.maximum - variable.minimum))
    # Values of one scale that differ were different before they were packed.
    are_of_one_scale = _step(np.concatenate([first.ravel(), second.ravel()])) > 0.9 * min(steps)
    rounding = 2 * float(np.spacing(np.float32(np.nanmax(np.abs(first)))))
    return most <= allowed + rounding and not are_of_one_scale


def _step(values: npt.NDArray[np.float64]) -> float:
    """Return the least distance of different values: the step of the scale by which they were packed, if they were."""
    distinct = np.unique(values[np.isfinite(values)])
    return float(np.diff(distinct).min(initial=np.inf)) if distinct.size > 1 else 0.0


def _place(field: xr.DataArray, index: int) -> str:
    """Return where a value lies, as far as its coordinates tell."""
    where = dict(zip(field.dims, np.unravel_index(index, field.shape), strict=True))
    units = {"latitude": " N", "longitude": " E", "level": " hPa"}
    known = [dim for dim in units if dim in where and dim in field.coords]
    told = [f"{field[dim].values[where[dim]]:g}{units[dim]}" for dim in known]
    if "level" in field.coords and "level" not in where:
        told.append(f"{int(field['level'])} hPa")
    return ", ".join(told)
