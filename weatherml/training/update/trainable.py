"""Which weights are trained, by their names; the others stay as they are."""

import re
from collections.abc import Collection, Sequence
from typing import Annotated

from flax import nnx
from pydantic import AfterValidator

from weatherml.errors import UserError
from weatherml.errors.wording import listed
from weatherml.models.weights import freeze, weights_of


def _is_pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise UserError(f"{text!r} is no regular expression ({error}); write a part of a name, such as head") from None
    return text


Pattern = Annotated[str, AfterValidator(_is_pattern)]
"""A regular expression that is found anywhere in a name."""


def frozen_names(names: Collection[str], trainable: Sequence[str] | None) -> set[str]:
    """Return which weights stay as they are.

    Args:
        names: Dotted names of all weights.
        trainable: Patterns of those that are trained, such as `head` or `blocks.(10|11)\\.`; all are when None.

    Raises:
        UserError: A pattern is found in no name.
    """
    if trainable is None:
        return set()
    for pattern in trainable:
        if not any(re.search(pattern, name) for name in names):
            parts = listed(dict.fromkeys(name.removeprefix("network.").partition(".")[0] for name in names))
            raise UserError(f"training.trainable: {pattern!r} is in the name of no weight; the network has {parts}")
    return {name for name in names if not any(re.search(pattern, name) for pattern in trainable)}


def freeze_others(module: nnx.Module, trainable: Sequence[str] | None) -> None:
    """Freeze all weights of a module but those that a pattern names: there is no gradient, moment or average of them.

    Args:
        module: A step, or a diagnostic; changed in place.
        trainable: As `frozen_names` has them.

    Raises:
        UserError: A pattern is found in no name.
    """
    freeze(module, frozen_names(weights_of(module), trainable))
