"""The trained arrays of a module as one flat mapping, and back."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple, TypeVar

import jax
from flax import nnx
from jax import Array

Weights = Mapping[str, Array]
"""Trained arrays by the dotted path of their place in a module, such as `network.blocks.0.mlp.expand.kernel`."""

ModuleT = TypeVar("ModuleT", bound=nnx.Module)


def weights_of(module: nnx.Module) -> dict[str, Array]:
    """Return every trained array of `module`."""
    parameters = nnx.to_flat_state(nnx.state(module, nnx.Param))
    return {_name(path): variable.get_value() for path, variable in parameters}


class Frozen(nnx.Variable[Array]):
    """An array that was trained once, and is not any more."""


class Constants(NamedTuple):
    """What of a module is not trained.

    Attributes:
        frozen: What was once, by the same names.
        others: All else.
    """

    frozen: Weights
    others: Any


def freeze(module: ModuleT, names: Collection[str]) -> None:
    """Let some trained arrays of a module stay as they are: they are then no longer among its weights.

    Args:
        module: Changed in place.
        names: Of the arrays, as `weights_of` has them.
    """
    for path, part in nnx.iter_modules(module):
        for name, variable in list(vars(part).items()):
            if isinstance(variable, nnx.Param) and _name((*path, name)) in names:
                setattr(part, name, Frozen(variable.get_value()))


def with_weights(module: ModuleT, weights: Weights) -> ModuleT:
    """Return a copy of `module` (whose own weights may be abstract) with `weights`; what is not trained is shared."""
    rebuild, constants = split_weights(module)
    return rebuild(weights, constants)


def split_weights(module: ModuleT) -> tuple[Callable[[Weights, Constants], ModuleT], Constants]:
    """Return `rebuild` and `constants` such that `rebuild(weights, constants)` is `module` with those weights.

    `rebuild` may be traced: both of its arguments are pytrees of arrays, and it keeps none itself.
    """
    graph, parameters, frozen, others = nnx.split(module, nnx.Param, Frozen, ...)  # type: ignore[misc]
    trained, untrained = (nnx.to_flat_state(jax.tree.map(_abstract, part)) for part in (parameters, frozen))

    def filled(places: Any, arrays: Weights) -> Any:
        return nnx.from_flat_state([(path, place.replace(arrays[_name(path)])) for path, place in places])

    def rebuild(weights: Weights, constants: Constants) -> ModuleT:
        parts = filled(trained, weights), filled(untrained, constants.frozen), constants.others
        rebuilt: ModuleT = nnx.merge(graph, *parts)
        return rebuilt

    return rebuild, Constants({_name(path): own.get_value() for path, own in nnx.to_flat_state(frozen)}, others)


def _abstract(array: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(array.shape, array.dtype)  # type: ignore[no-untyped-call]


def _name(path: tuple[Any, ...]) -> str:
    return ".".join(map(str, path))
