"""Parameters as names write them: `threshold=300, radius=5`, of the kinds that makers ask for."""

import ast
import inspect
import math
from collections.abc import Callable, Sequence
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

_ONE = {float: "a finite number", int: "a whole number", str: "a name"}
_MANY = {float: "finite numbers", int: "whole numbers", str: "names"}
_MOST_READ, _READ = 60, 20  # characters of a value in a message, and of one that is cut


def parse(text: str | None) -> dict[str, Any] | None:
    """Read `threshold=300, radius=5`; None where it does not read so.

    Raises:
        ValueError: A parameter is given twice, or one of its numbers is not finite.
    """
    if not text:
        return {}
    try:
        call = ast.parse(f"f({text})", mode="eval").body
        if not isinstance(call, ast.Call) or call.args:
            return None
        names = [str(own.arg) for own in call.keywords]
        values = [ast.literal_eval(own.value) for own in call.keywords]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    for name in (name for name in names if names.count(name) > 1):
        raise ValueError(f"{name} is given {names.count(name)} times; give it once")
    return dict(zip(names, values, strict=True))


def require_kinds(maker: Callable[..., Any], given: dict[str, Any]) -> None:
    """Require that parameters are of the kinds that a maker asks for, and that their numbers are finite.

    Raises:
        ValueError: One is not.
    """
    asked = inspect.signature(maker).parameters
    for name, value in given.items():
        kind = asked[name].annotation
        if not _is_of(value, kind):
            raise ValueError(f"{name} must be {_words(kind)}, not {_shown(value)}")


def _is_of(value: Any, kind: Any) -> bool:
    if get_origin(kind) in (Union, UnionType):
        return any(_is_of(value, own) for own in get_args(kind))
    if get_origin(kind) is Literal:
        return isinstance(value, str) and value in get_args(kind)
    if get_origin(kind) is Sequence:
        own = get_args(kind)[0]
        return isinstance(value, tuple | list) and bool(value) and all(_is_of(each, own) for each in value)
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and _is_finite(value)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool) and _is_finite(value)
    return kind is inspect.Parameter.empty or (value is None if kind in (None, type(None)) else isinstance(value, kind))


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(float(value))
    except OverflowError:  # a whole number of more than 308 digits
        return False


def _words(kind: Any, names: dict[Any, str] = _ONE) -> str:
    """Return what a parameter is, in words."""
    if get_origin(kind) in (Union, UnionType):
        return " or ".join(_words(own, names) for own in get_args(kind) if own is not type(None))
    if get_origin(kind) is Literal:
        return " or ".join(map(repr, get_args(kind)))
    if get_origin(kind) is Sequence:
        return f"several {_words(get_args(kind)[0], _MANY)}, such as (270, 280)"
    return names.get(kind, str(kind))


def _shown(value: Any) -> str:
    """Return a value as it was written, shortened where nobody could read it."""
    try:
        text = repr(value)
    except ValueError:  # more digits than Python writes
        return "a number of thousands of digits"
    return text if len(text) <= _MOST_READ else f"{text[:_READ]}..."
