"""Means over samples where every device computes that of its own, and all sum up what they found in few messages."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import prod
from typing import Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from weatherml.parallel.layouts.mesh import DATA, FSDP

Weights = Mapping[str, Array]

_MOST = 2**20
"""Numbers of a message of several arrays at most: of 4 MB, sending takes longer than beginning to."""


@runtime_checkable
class Laying(Protocol):
    """Where weights lie in a program that computes with them."""

    def used(self, weights: Weights) -> dict[str, Array]:
        """Return weights as products take them."""
        ...

    def keep(self, tree: Any) -> Any:
        """Return what belongs to weights, such as gradients, as it is kept."""
        ...


OfSamples = Callable[[Laying, Weights, Any, Any], tuple[Array, Weights]]
"""From where weights lie, weights, what every device has, and samples `[batch, ...]` to a mean over samples and a mean
that has an array for each weight."""


def shares_only_samples(mesh: Any) -> bool:
    """Return whether each device is best told what to compute: they have nothing in common but samples and weights.

    Where weights are kept in parts (`fsdp`), so that gradients are in parts as soon as each is known, which compilers
    are not sure to do (on CPUs XLA never does). Where they are not, on CPUs alone: XLA sends every array by itself
    there, and a message over a network takes 4 ms to begin for a process that has one processor. Compilers for
    accelerators put messages together, and send them while the rest is computed.
    """
    alone = isinstance(mesh, Mesh) and 1 < mesh.size == mesh.shape[DATA] * mesh.shape[FSDP]
    return alone and (mesh.shape[FSDP] > 1 or mesh.devices.flat[0].platform == "cpu")


def mean_over_devices(
    function: OfSamples, kept: Mapping[str, NamedSharding], mesh: Mesh
) -> Callable[[Weights, Any, Any], tuple[Array, Weights]]:
    """Return `function` of weights, what is told and samples, from that of every device's own samples.

    Args:
        function: Traced for the samples of one device.
        kept: Where each weight lies, on a mesh of the same devices with `fsdp` in factors.
        mesh: Samples are spread over all of its axes.
    """
    cuts = {name: _Cut.of(where) for name, where in kept.items()}
    of_samples = tuple(axis for axis, size in mesh.shape.items() if size > 1)
    device = _Device(cuts, of_samples)

    def of_own(weights: Weights, told: Any, samples: Any) -> tuple[Array, Weights]:
        value, found = function(device, weights, told, samples)
        mean: Array = lax.pmean(value, of_samples)  # type: ignore[no-untyped-call]
        return mean, device.mean(found)

    everywhere, parts = PartitionSpec(), {name: where.spec for name, where in kept.items()}  # type: ignore[no-untyped-call]
    spread = PartitionSpec(of_samples)  # type: ignore[no-untyped-call]
    # Unchecked: checking tells gradients of what all devices have to be summed at once, each in a message of its own.
    return jax.shard_map(
        of_own, mesh=mesh, in_specs=(parts, everywhere, spread), out_specs=(everywhere, parts), check_vma=False
    )


@dataclass(frozen=True)
class _Cut:
    """How a weight is cut over `fsdp`.

    Attributes:
        axes: Of the mesh, by the axis of the weight that each cuts.
        sizes: The number of parts of each axis of the mesh.
    """

    axes: tuple[tuple[str, ...], ...]
    sizes: tuple[tuple[str, int], ...]

    @classmethod
    def of(cls, kept: NamedSharding) -> "_Cut":
        """Return that of a weight which lies so."""
        names = [(entry,) if isinstance(entry, str) else entry or () for entry in kept.spec]
        axes = tuple(tuple(axis for axis in cut if axis.startswith(FSDP)) for cut in names)
        return cls(axes, tuple((axis, kept.mesh.shape[axis]) for cut in axes for axis in cut))

    @property
    def over(self) -> tuple[str, ...]:
        """The axes of the mesh over which it is cut, in the order of its own."""
        return tuple(axis for axis, _ in self.sizes)

    @property
    def n_parts(self) -> int:
        """Into how many parts."""
        return prod(size for _, size in self.sizes)

    def joined(self, parts: Array, shape: tuple[int, ...]) -> Array:
        """Return a whole weight of its parts `[part, number]`, each of that shape."""
        sizes, cuts = dict(self.sizes), [*self.axes, *[()] * (len(shape) - len(self.axes))]
        order = [place for axis, cut in enumerate(cuts) for place in (*map(self.over.index, cut), len(sizes) + axis)]
        whole = [size * prod(sizes[name] for name in cut) for size, cut in zip(shape, cuts, strict=True)]
        return parts.reshape(*sizes.values(), *shape).transpose(order).reshape(whole)


@dataclass(frozen=True)
class _Device:
    """A device of those that share samples: a `Laying`.

    Attributes:
        cuts: How each weight is cut.
        of_samples: The axes of the mesh over which samples are spread.
    """

    cuts: Mapping[str, _Cut]
    of_samples: tuple[str, ...]

    def used(self, weights: Weights) -> dict[str, Array]:
        """Return weights, parts of them put together; what is derived by a whole one comes as a sum in parts."""
        whole = dict(weights)
        for names in self._messages(weights, lambda name: self.cuts[name].over if name in self.cuts else ()):
            whole |= self._joined({name: weights[name] for name in names})
        return whole

    def keep(self, tree: Any) -> Any:
        """Return the same: it is in parts already."""
        return tree

    def mean(self, found: Weights) -> dict[str, Array]:
        """Return means over devices of what each has found for its samples, of parts a sum over those that share it."""
        means = {name: array / self.cuts[name].n_parts for name, array in found.items()}
        for names in self._messages(found, self._others):
            means |= _mean_as_one({name: means[name] for name in names}, self._others(names[0]))
        return means

    def _others(self, name: str) -> tuple[str, ...]:
        """Return over which axes of the mesh devices have the same part of a weight."""
        return tuple(axis for axis in self.of_samples if axis not in self.cuts[name].over)

    def _messages(self, arrays: Weights, over: Callable[[str], tuple[str, ...]]) -> Iterator[list[str]]:
        """Yield names of arrays that travel as one: of a type, over the same axes, together no more than `_MOST`."""

        def kind(name: str) -> tuple[tuple[str, ...], str]:
            return over(name), str(arrays[name].dtype)

        for (axes, _), alike in groupby(sorted(arrays, key=kind), key=kind):
            message, n_numbers = list[str](), 0
            for name in alike if axes else ():
                size = arrays[name].size * self.cuts[name].n_parts  # of the whole: messages are there in several copies
                if message and n_numbers + size > _MOST:
                    yield message
                    message, n_numbers = [], 0
                message.append(name)
                n_numbers += size
            if message:
                yield message

    def _joined(self, parts: Weights) -> dict[str, Array]:
        """Return whole weights of one message, which are cut over the same axes."""
        over = self.cuts[next(iter(parts))].over
        gathered = lax.all_gather(_in_a_row(parts), over)
        each = _apart(gathered, parts)
        return {name: self.cuts[name].joined(own, parts[name].shape) for name, own in zip(parts, each, strict=True)}


def _mean_as_one(arrays: Weights, axes: tuple[str, ...]) -> dict[str, Array]:
    """Return the means over axes of the mesh of arrays of one type, which are sent in a row."""
    means = _apart(lax.pmean(_in_a_row(arrays), axes), arrays)  # type: ignore[no-untyped-call]
    return {name: mean.reshape(arrays[name].shape) for name, mean in zip(arrays, means, strict=True)}


def _in_a_row(arrays: Weights) -> Array:
    return jnp.concatenate([array.ravel() for array in arrays.values()])


def _apart(row: Array, arrays: Weights) -> Sequence[Array]:
    """Return what is of each array of a row `[..., number]`."""
    return jnp.split(row, np.cumsum([array.size for array in arrays.values()])[:-1], axis=-1)
