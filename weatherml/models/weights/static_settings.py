"""What is fixed in a network beside its weights, as text: networks of one shape that differ in it are not the same."""

import hashlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum
from functools import partial
from types import CodeType
from typing import Any

import jax
import numpy as np
from flax import nnx

from weatherml.errors import UserError

_PLAIN = bool | int | float | complex | str | bytes | Enum | np.dtype | slice | None
_LIBRARIES = ("jax", "jaxlib", "flax", "numpy", "weatherml")
"""Whose functions are known by name, whatever Python runs them."""
_A_PART = "(a part)"


def static_settings(module: nnx.Module) -> Iterator[str]:
    """Yield the parts of a network with what is fixed in them: values, types and functions that are no weights.

    Raises:
        UserError: A part holds something that cannot be told from others of its kind.
    """
    teller = _Teller()
    for path, node in nnx.iter_graph(module):
        if isinstance(node, nnx.Module):
            own = {name: value for name, value in sorted(vars(node).items()) if not name.startswith("_")}
            told = {name: teller.tell(value, f"{type(node).__qualname__}.{name}") for name, value in own.items()}
            yield f"{path} {type(node).__qualname__} { {k: text for k, text in told.items() if text != _A_PART} }"


@dataclass
class _Teller:
    """Writes values so that equal texts mean equal values; a function once in full, and by name from then on."""

    _met: set[int] = field(default_factory=set)

    def tell(self, value: Any, where: str) -> str:
        """Return a value as text; `where` it is, for a refusal."""
        if nnx.graph.is_graph_node(value) or isinstance(value, nnx.Variable):
            return _A_PART  # the walk comes to it by itself
        if isinstance(value, _PLAIN):
            return repr(value)
        if isinstance(value, np.ndarray | np.generic | jax.Array):
            array = np.ascontiguousarray(value)
            return f"{array.dtype}{array.shape} {hashlib.sha256(array.tobytes()).hexdigest()}"
        if isinstance(value, type):
            return _name_of(value)
        return self._tell_made(value, where)

    def _tell_made(self, value: Any, where: str) -> str:
        """Return as text what is made of other values."""
        if isinstance(value, Mapping):
            return str({repr(key): self.tell(own, where) for key, own in value.items()})
        if isinstance(value, tuple | list):
            return str([self.tell(own, where) for own in value])
        if isinstance(value, set | frozenset):
            return str(sorted(self.tell(own, where) for own in value))
        if is_dataclass(value):  # such as windows, transforms and diffusion
            named = {own.name: getattr(value, own.name) for own in fields(value)}
            return f"{_name_of(type(value))} {self.tell(named, where)}"
        if isinstance(value, partial):
            return f"partial {self.tell([value.func, value.args, value.keywords], where)}"
        if callable(value):
            return self._tell_callable(value, where)
        raise UserError(
            f"{where} is of the type {type(value).__qualname__}, by which forecasts cannot tell two networks apart;"
            " keep numbers, text, arrays, dataclasses or functions in a network"
        )

    def _tell_callable(self, value: Callable[..., Any], where: str) -> str:
        """Return a function, or an object that can be called, by its name, its code, and what it holds."""
        plain = inspect.unwrap(value)  # of what jax.jit and rules of differentiation wrap
        owner, plain = getattr(plain, "__self__", None), getattr(plain, "__func__", plain)
        if not hasattr(plain, "__name__"):
            return f"{_name_of(type(plain))} {self.tell([type(plain).__call__, vars(plain)], where)}"
        code: CodeType | None = getattr(plain, "__code__", None)
        if code is None or _is_of_library(plain) or id(plain) in self._met:
            return _name_of(plain)
        self._met.add(id(plain))
        held = [owner, inspect.getclosurevars(plain).nonlocals, plain.__defaults__, plain.__kwdefaults__]
        used = {name: plain.__globals__[name] for name in _names(code) if name in plain.__globals__}
        used = {name: own for name, own in used.items() if isinstance(own, _PLAIN) or inspect.isfunction(own)}
        return f"{_name_of(plain)} {_code(code)} {self.tell([*held, used], where)}"


def _name_of(value: Any) -> str:
    """Return the name of a function or a type; one's own module is another where it is run as a program."""
    name = getattr(value, "__qualname__", value.__name__)
    return f"{value.__module__}.{name}" if _is_of_library(value) else name


def _is_of_library(value: Any) -> bool:
    return str(value.__module__).partition(".")[0] in _LIBRARIES


def _code(code: CodeType) -> str:
    """Return a digest of what a function does, whatever file and line it stands in."""
    constants = [_code(own) if isinstance(own, CodeType) else _constant(own) for own in code.co_consts]
    told = repr([code.co_code, constants, code.co_names])
    return hashlib.sha256(told.encode()).hexdigest()


def _constant(value: object) -> str:
    return str(sorted(map(repr, value))) if isinstance(value, frozenset) else repr(value)


def _names(code: CodeType) -> list[str]:
    """Return the names that code uses, also within functions of its own."""
    inner = [name for own in code.co_consts if isinstance(own, CodeType) for name in _names(own)]
    return sorted({*code.co_names, *inner})
