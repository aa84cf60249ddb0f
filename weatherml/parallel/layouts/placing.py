"""Bringing arrays to where they lie, or saying of abstract ones where they would."""

from typing import Any, TypeVar

import jax
import numpy as np
from jax.sharding import Sharding

from weatherml.parallel.processes.together import n_processes

Tree = TypeVar("Tree")


def place(tree: Tree, shardings: Any) -> Tree:
    """Bring every array of `tree` where a tree like it says; every process has them whole, and alike.

    Abstract arrays only say where, so that programs can be lowered.
    """
    placed: Tree = jax.tree.map(_placed, tree, shardings)
    return placed


def moved(tree: Tree, shardings: Any) -> Tree:
    """Bring arrays that lie on devices to where a tree like it says, on the same devices.

    One after another, and those given are let go: devices never hold more than one array twice.
    """

    def move(array: jax.Array, sharding: Sharding) -> jax.Array:
        there: jax.Array = jax.device_put(array, sharding).block_until_ready()
        if not array.sharding.is_equivalent_to(sharding, array.ndim):  # or both are the same memory
            array.delete()
        return there

    elsewhere: Tree = jax.tree.map(move, tree, shardings)
    return elsewhere


def outlined(tree: Tree) -> Tree:
    """Return shapes and types in place of arrays, with where they lie if they lie on devices."""
    outline: Tree = jax.tree.map(_outlined, tree)
    return outline


def _placed(array: Any, sharding: Sharding) -> Any:
    if isinstance(array, jax.ShapeDtypeStruct):
        return jax.ShapeDtypeStruct(array.shape, array.dtype, sharding=sharding)  # type: ignore[no-untyped-call]
    if n_processes() == 1:
        return jax.device_put(array, sharding)
    if isinstance(array, jax.Array) and array.sharding == sharding:
        return array
    # `device_put` would compare what processes have, by a program for every shape.
    whole = np.asarray(array)
    return jax.make_array_from_callback(whole.shape, sharding, lambda index: whole[index])


def _outlined(array: Any) -> jax.ShapeDtypeStruct:
    if isinstance(array, jax.ShapeDtypeStruct):
        return array
    sharding = array.sharding if isinstance(array, jax.Array) else None
    return jax.ShapeDtypeStruct(array.shape, array.dtype, sharding=sharding)  # type: ignore[no-untyped-call]
