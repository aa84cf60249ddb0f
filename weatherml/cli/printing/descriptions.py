"""What something is, in words on a terminal or as JSON."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape

from weatherml.cli.printing.text_table import paragraph

_out = Console(highlight=False)
_DIGEST = 12  # characters that tell one digest from another
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def print_description(description: Mapping[str, Any], as_json: bool) -> None:
    """Print what something is; for people without what is empty, for programs all of it."""
    if as_json:
        print(json.dumps(description, indent=1, default=str))
        return
    shown = {key: _SHOWN.get(key, _words)(value) for key, value in description.items()}
    indent = max(map(len, shown)) + 2
    for key, text in shown.items():
        if text:
            lines = paragraph(key, text, indent, _out.width)
            _out.print(f"[bold]{escape(lines[: len(key)])}[/]{escape(lines[len(key) :])}", soft_wrap=True)


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_nested(part)}" for key, part in value.items() if part not in (None, {}, [], ()))
    if isinstance(value, list):
        is_long = bool(value) and (isinstance(value[0], Mapping) or " " in str(value[0]))
        return ("\n" if is_long else " ").join(map(_words, value))
    return f"{value:.6g}" if isinstance(value, float) else "" if value is None else str(value)


def _nested(value: Any) -> str:
    return f"({_words(value)})" if isinstance(value, Mapping) else _words(value)


def _named(value: Any) -> str:
    """Write a kind with its parameters, such as a network with its sizes."""
    if not isinstance(value, Mapping) or "name" not in value:
        return _words(value)
    others = _words({key: part for key, part in value.items() if key != "name"})
    return f"{value['name']}: {others}" if others else str(value["name"])


def _variables(value: Any) -> str:
    """Write a variable a line: name, units, sizes, and what the file calls it where that differs."""
    lines = []
    for variable in value:
        source = variable["source_name"]
        called = "" if source == variable["name"] else f", in the file {source}"
        lines.append(f"{variable['name']} [{variable['units']}]: {_words(variable['dims'])}{called}")
    return "\n".join(lines)


def _channels(value: Any) -> str:
    """Write the channels of a variable in one line, with their levels."""
    levels: dict[str, list[str]] = {}
    for channel in value:
        variable, _, level = channel.rpartition("_")
        name, own = (variable, [level]) if variable and level.isdecimal() else (channel, [])
        levels.setdefault(name, []).extend(own)
    return "\n".join(f"{name} at {' '.join(own)} hPa" if own else name for name, own in levels.items())


def _size(value: Any) -> str:
    amount, unit = float(value), 0
    while amount >= 1000 and unit < len(_UNITS) - 1:
        amount, unit = amount / 1000, unit + 1
    return f"{amount:.3g} {_UNITS[unit]}"


_SHOWN: dict[str, Callable[[Any], str]] = {
    "size": _size,
    "unpacked": _size,
    "channels": _channels,
    "variables": _variables,
    "model": _named,
    "perturbation": _named,
    "parameters": lambda value: value if isinstance(value, str) else f"{value:,}",
    "data": lambda value: str(value)[:_DIGEST],
    "config": lambda value: "",  # its parts are told above; programs want it whole
}
