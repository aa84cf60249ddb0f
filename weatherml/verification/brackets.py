"""Names with parameters in brackets, such as `csi(threshold=300)`."""

import inspect
import re
from collections.abc import Callable, Sequence
from typing import Any

from weatherml.errors import UserError
from weatherml.errors.wording import listed
from weatherml.registry import Registry
from weatherml.verification.parameters import parse, require_kinds

_MOST_READ, _LONG = 80, 40  # characters of a name in a message, and of a default


def made(name: str, makers: Registry[Any], example: str) -> Any:
    """Make what a name with parameters means.

    Args:
        name: Of a maker, with its parameters in brackets where it has some.
        makers: What makes each, by name.
        example: Of a name with parameters, for messages.

    Raises:
        UserError: The name is unknown, or its parameters are not those that it has.
    """
    match = re.fullmatch(r"\s*(\w+)\s*(?:\((.*)\))?\s*", name, re.DOTALL)
    maker, kind = makers[match[1] if match else name], makers.kind
    parameters = _parameters(kind, name, match[2] if match else None, maker, example)
    try:
        bound = inspect.signature(maker).bind(**parameters)
    except TypeError:
        raise UserError(f"{kind} {name!r} takes {_names(maker)}; write {_example(name, maker)!r}") from None
    try:
        require_kinds(maker, bound.arguments)
        return maker(**bound.arguments)
    except (TypeError, ValueError) as error:
        told = _example(name, maker, [*dict.fromkeys((*required(maker), *bound.arguments))])
        raise UserError(f"{kind} {_short(name)} cannot be: {error}; write {told!r}") from None


def required(maker: Callable[..., Any]) -> list[str]:
    """Return the parameters that have no default."""
    own = inspect.signature(maker).parameters.values()
    return [parameter.name for parameter in own if parameter.default is parameter.empty]


def signature(maker: Callable[..., Any]) -> str:
    """Return the parameters as they are written, with their defaults: `radius, threshold=None`."""
    own = inspect.signature(maker).parameters.values()
    return ", ".join(p.name if p.default is p.empty else f"{p.name}={_default(p.default)}" for p in own)


def _default(value: object) -> str:
    return repr(value) if len(repr(value)) < _LONG else "..."


def _parameters(kind: str, name: str, text: str | None, maker: Callable[..., Any], example: str) -> dict[str, Any]:
    try:
        given = parse(text)
    except ValueError as error:
        raise UserError(f"{kind} {_short(name)} cannot be: {error}") from None
    if given is None:
        own = _example(name, maker) if inspect.signature(maker).parameters else example
        raise UserError(f"{kind} {_short(name)}: parameters must read name=value, such as {own}")
    return given


def _short(name: str) -> str:
    """Return a name in quotes, cut where nobody could read it."""
    return repr(name if len(name) <= _MOST_READ else f"{name[:_MOST_READ]}...")


def _names(maker: Callable[..., Any]) -> str:
    own = list(inspect.signature(maker).parameters)
    return listed(own) if own else "no parameters"


def _example(name: str, maker: Callable[..., Any], shown: Sequence[str] = ()) -> str:
    plain_name = re.split(r"\s*\(", name.strip())[0]
    told = ", ".join(f"{own}=..." for own in shown or required(maker) or inspect.signature(maker).parameters)
    return f"{plain_name}({told})" if told else plain_name
