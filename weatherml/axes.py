"""Names of the axes of activations, by which a network says what its arrays are and knows no device.

`lay(x, "batch", "lat", "lon", None)` returns `x` itself, unless whoever traces the program has said by `laying` what
such axes are worth: a layout then tells the compiler over which devices each is split.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

ArrayT = TypeVar("ArrayT")

Rule = Callable[[Any, tuple[str | None, ...]], Any]
"""`(x, names)` to the same values, laid out."""

_RULE: ContextVar[Rule | None] = ContextVar("rule", default=None)


def lay(x: ArrayT, *names: str | None) -> ArrayT:
    """Return `x`, laid out by the names of its axes where there is a rule for them.

    Args:
        x: An array within a program that is being traced.
        names: One for each axis; None where it is of no account.
    """
    rule = _RULE.get()
    if rule is None:
        return x
    laid: ArrayT = rule(x, names)
    return laid


@contextmanager
def laying(rule: Rule) -> Iterator[None]:
    """Lay out by `rule` what is traced within."""
    token = _RULE.set(rule)
    try:
        yield
    finally:
        _RULE.reset(token)
