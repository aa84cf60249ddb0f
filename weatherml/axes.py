"""Names of the axes of activations, by which a network says what its arrays are and knows no device.

Whoever traces a program says by `laying` what such axes are worth: over how many devices each is split. Nobody does so
on one device, where every function here returns at once what it was given.

Most of a network asks for nothing but `lay`: the compiler cuts a product over channels by itself. What reaches across a
field, such as a transform, is written for the part of the field that a device holds, runs by `locally`, and asks the
other parts by `exchange`, `roll` and `total`. One text then serves one device and many.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from math import prod
from typing import Any, Protocol, TypeVar

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

ArrayT = TypeVar("ArrayT")

Names = tuple[str | None, ...]
"""The name of each axis of an array; None where it is of no account. Axes at the end may be left out."""


class Rule(Protocol):
    """What named axes are worth."""

    def sizes(self, name: str) -> dict[str, int]:
        """Return the mesh axes over which an axis is split, the outermost first, with their sizes above one."""

    def constrain(self, x: Any, names: Names) -> Any:
        """Return the same values, laid out."""

    def spread(self, function: Callable[..., Array], inputs: Sequence[Names], output: Names) -> Callable[..., Array]:
        """Return `function` of whole arrays from that of each device's parts."""


_RULE: ContextVar[Rule | None] = ContextVar("rule", default=None)


@contextmanager
def laying(rule: Rule) -> Iterator[None]:
    """Lay out by `rule` what is traced within."""
    token = _RULE.set(rule)
    try:
        yield
    finally:
        _RULE.reset(token)


def lay(x: ArrayT, *names: str | None) -> ArrayT:
    """Return `x`, laid out by the names of its axes where there is a rule for them.

    Args:
        x: An array within a program that is being traced.
        names: One for each axis; None where it is of no account.
    """
    rule = _RULE.get()
    if rule is None:
        return x
    laid: ArrayT = rule.constrain(x, names)
    return laid


def n_parts(*names: str) -> int:
    """Return into how many parts axes of these names are cut together."""
    return prod(size for name in names for size in _sizes(name).values())


def locally(function: Callable[..., Array], inputs: Sequence[Names], output: Names) -> Callable[..., Array]:
    """Return a function that gives every device its parts of the arguments, and puts its parts of the result together.

    Args:
        function: Of arrays alone, that holds none itself. Samples of a batch are never asked about each other.
        inputs: Names of the axes of each argument; each device has the whole of what is not split.
        output: Names of the axes of the result.
    """
    rule = _RULE.get()
    # Samples that come first never meet, and axes after them may become one.
    named = {name for names in (*inputs, output) for name in names[names[:1] == ("batch",) :] if name}
    if rule is None or n_parts(*named) == 1:
        return function
    return rule.spread(function, inputs, output)


def exchange(x: Array, name: str, *, split: int, join: int) -> Array:
    """Cut axis `split` instead of axis `join`, which is cut by `name`: every device sends a part to each other one.

    Args:
        x: A device's part, within `locally`.
        name: Of an axis.
        split: The axis to cut, a multiple of the parts of `name`.
        join: The axis that every device has the whole of afterwards.
    """
    if n_parts(name) == 1:
        return x
    exchanged: Array = lax.all_to_all(x, tuple(_sizes(name)), split, join, tiled=True)  # type: ignore[no-untyped-call]
    return exchanged


def roll(x: Array, shifts: Sequence[int], axes: Sequence[int], names: Sequence[str | None]) -> Array:
    """Return `x` rolled as by `jnp.roll`, though its axes are cut: what leaves a device enters its neighbour.

    Args:
        x: A device's part, within `locally`.
        shifts: By how much, for each of `axes`; less than a device holds.
        axes: The axes to roll.
        names: Of those axes.
    """
    is_cut = [name is not None and n_parts(name) > 1 for name in names]
    along = list(zip(shifts, axes, names, is_cut, strict=True))
    x = jnp.roll(x, [shift for shift, *_, cut in along if not cut], [axis for _, axis, _, cut in along if not cut])
    for shift, axis, name, cut in along:
        if cut and shift and name:
            x = _roll_parts(x, shift, axis, name)
    return x


def _roll_parts(x: Array, shift: int, axis: int, name: str) -> Array:
    """Roll along an axis that is cut over one mesh axis."""
    ((mesh_axis, size),) = _sizes(name).items()
    edge = x.shape[axis] - shift if shift > 0 else -shift
    first, last = lax.slice_in_dim(x, 0, edge, axis=axis), lax.slice_in_dim(x, edge, None, axis=axis)
    if shift > 0:
        last = lax.ppermute(last, mesh_axis, [(i, (i + 1) % size) for i in range(size)])  # type: ignore[no-untyped-call]
    else:
        first = lax.ppermute(first, mesh_axis, [(i, (i - 1) % size) for i in range(size)])  # type: ignore[no-untyped-call]
    return jnp.concatenate([last, first], axis)


def own(array: np.ndarray | Array, axis: int, name: str) -> np.ndarray | Array:
    """Return a device's part, within `locally`, of an array that is the same everywhere; parts divide the axis."""
    n = n_parts(name)
    if n == 1:
        return array
    size = array.shape[axis] // n
    return lax.dynamic_slice_in_dim(jnp.asarray(array), lax.axis_index(tuple(_sizes(name))) * size, size, axis)


def padded(x: Array, axis: int, name: str) -> Array:
    """Return `x` with zeros at the end of an axis, so that the parts of `name` divide it."""
    missing = -x.shape[axis] % n_parts(name)
    if not missing:
        return x
    return jnp.pad(x, [(0, missing if place == axis else 0) for place in range(x.ndim)])


def total(x: Array, *names: str) -> Array:
    """Return the sum over the parts of axes of these names, within `locally`."""
    mesh_axes = tuple(mesh_axis for name in names for mesh_axis in _sizes(name))
    if not mesh_axes:
        return x
    summed: Array = lax.psum(x, mesh_axes)  # type: ignore[no-untyped-call]
    return summed


def _sizes(name: str) -> dict[str, int]:
    rule = _RULE.get()
    return {} if rule is None else rule.sizes(name)
