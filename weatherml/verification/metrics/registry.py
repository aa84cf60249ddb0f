"""The metrics by name, such as `rmse` or `brier(threshold=300)`.

A name is that of a function that returns a metric; its arguments are the metric's parameters. Where a forecast has
members, the metrics of one field (rmse, mse, mae, bias, acc, activity) are those of the ensemble mean.
"""

import ast
import inspect
import re
from collections.abc import Mapping, Sequence
from typing import Any

from weatherml.errors import UserError
from weatherml.verification.metrics import contingency, deterministic, ensembles, precipitation, probabilities, spectra
from weatherml.verification.metrics.base import Metric
from weatherml.verification.metrics.entries import Maker, registry
from weatherml.wording import counted, listed

THEMES = (contingency, deterministic, ensembles, precipitation, probabilities, spectra)
"""Modules whose metrics are known, because they have been imported; a new one is a name here."""

_MAE_OF_ONE = ("crps", "crps_fair")


def plain() -> tuple[str, ...]:
    """Return the names of the metrics that need no parameters, and no reference but a climatology."""
    names = (name for name in registry if not _required(registry[name]))
    return tuple(name for name in names if find(name).references <= {"climatology"})


def metrics_named(names: str | Sequence[str] | Mapping[str, Metric]) -> dict[str, Metric]:
    """Return metrics by their names; those that are given with their metrics as they are.

    Raises:
        UserError: There are none, one is unknown, or its parameters are not those that it has.
    """
    if isinstance(names, Mapping):
        return dict(names)
    names = [names] if isinstance(names, str) else names
    if not names:
        raise UserError(f"metrics are empty; pass at least one of {listed(list(registry))}")
    return {name: find(name) for name in names}


def find(name: str) -> Metric:
    """Return a metric by its name, with its parameters in brackets where it has some.

    Raises:
        UserError: It is unknown, or its parameters are not those that it has.
    """
    match = re.fullmatch(r"\s*(\w+)\s*(?:\((.*)\))?\s*", name, re.DOTALL)
    maker = registry[match[1] if match else name]
    parameters = _parameters(name, match[2] if match else None)
    try:
        bound = inspect.signature(maker).bind(**parameters)
    except TypeError:
        raise UserError(f"metric {name!r} takes {_signature(maker)}; write {_example(name, maker)!r}") from None
    try:
        return maker(**bound.arguments)
    except (TypeError, ValueError) as error:
        raise UserError(f"metric {name!r} cannot be: {error}; write {_example(name, maker)!r}") from None


def _parameters(name: str, text: str | None) -> dict[str, Any]:
    """Read `threshold=300, radius=5`."""
    if not text:
        return {}
    try:
        call = ast.parse(f"f({text})", mode="eval").body
        if isinstance(call, ast.Call) and not call.args:
            return {str(own.arg): ast.literal_eval(own.value) for own in call.keywords}
    except (SyntaxError, ValueError):
        pass
    raise UserError(f"metric {name!r}: parameters must read name=value, such as brier(threshold=300)")


def _required(maker: Maker) -> list[str]:
    own = inspect.signature(maker).parameters.values()
    return [parameter.name for parameter in own if parameter.default is parameter.empty]


def _signature(maker: Maker) -> str:
    own = list(inspect.signature(maker).parameters)
    return listed(own) if own else "no parameters"


def _example(name: str, maker: Maker) -> str:
    plain_name = re.split(r"\s*\(", name.strip())[0]
    told = ", ".join(f"{own}=..." for own in _required(maker) or inspect.signature(maker).parameters)
    return f"{plain_name}({told})" if told else plain_name


def judged(metric: str, n_members: int) -> str:
    """Return what of a forecast a metric judges, in words; empty where there is but one field, or no such metric."""
    if re.split(r"\s*\(", metric.strip())[0] not in registry:
        return ""
    if n_members < 2:
        return "of one member, whose mae it is" if metric in _MAE_OF_ONE else ""
    members = counted(n_members, "member")
    return f"of {members}" if find(metric).of_members else f"of the mean of {members}"
