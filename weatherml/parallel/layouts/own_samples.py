"""Means over samples where every device computes that of its own, and all sum up what they found in few messages."""

from collections.abc import Callable
from itertools import groupby
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.sharding import Mesh, PartitionSpec

from weatherml.parallel.layouts.mesh import DATA

Result = TypeVar("Result")

_MOST = 2**20
"""Numbers that an array of its own message has at least: of 4 MB, sending takes longer than beginning to."""


def shares_only_samples(mesh: Any) -> bool:
    """Return whether devices have nothing in common but samples, and a compiler that sends every array by itself.

    XLA does so on CPUs, where a message over a network takes 4 ms to begin for a process that has one processor.
    Compilers for accelerators put messages together, and send them while the rest is computed.
    """
    alone = isinstance(mesh, Mesh) and 1 < mesh.size == mesh.shape[DATA]
    return alone and mesh.devices.flat[0].platform == "cpu"


def mean_over_devices(function: Callable[..., Result], mesh: Mesh) -> Callable[..., Result]:
    """Return `function(shared, samples)`, a mean over samples, from those of every device's own samples.

    Args:
        function: Of what every device has, and of arrays `[batch, ...]`; traced for the samples of one device.
        mesh: Of devices that share samples alone.
    """

    def of_own(shared: Any, samples: Any) -> Any:
        return _mean(function(shared, samples))

    everywhere, cut = PartitionSpec(), PartitionSpec(DATA)  # type: ignore[no-untyped-call]
    # Unchecked: checking tells gradients of what all devices have to be summed at once, each in a message of its own.
    return jax.shard_map(of_own, mesh=mesh, in_specs=(everywhere, cut), out_specs=everywhere, check_vma=False)


def is_of_one_device() -> bool:
    """Return whether what is being traced is the program of one device alone, in which nothing is laid out."""
    return bool(jax.sharding.get_abstract_mesh().manual_axes)


def _mean(tree: Any) -> Any:
    """Return the means over devices of arrays; small ones of a type travel as one."""
    leaves, structure = jax.tree.flatten(tree)
    means: list[Any] = [_pmean(leaf) if leaf.size >= _MOST else None for leaf in leaves]
    small = [place for place, mean in enumerate(means) if mean is None]

    def kind(place: int) -> str:
        return str(leaves[place].dtype)

    for _, group in groupby(sorted(small, key=kind), key=kind):
        places = list(group)
        for place, mean in zip(places, _mean_as_one([leaves[place] for place in places]), strict=True):
            means[place] = mean
    return jax.tree.unflatten(structure, means)


def _mean_as_one(arrays: list[Array]) -> list[Array]:
    """Return the means over devices of arrays of one type, which are sent in a row."""
    mean = _pmean(jnp.concatenate([array.ravel() for array in arrays]))
    parts = jnp.split(mean, np.cumsum([array.size for array in arrays])[:-1])
    return [part.reshape(array.shape) for part, array in zip(parts, arrays, strict=True)]


def _pmean(array: Array) -> Array:
    mean: Array = lax.pmean(array, DATA)  # type: ignore[no-untyped-call]
    return mean
