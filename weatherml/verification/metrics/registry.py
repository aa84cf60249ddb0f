"""The metrics by name, such as `rmse` or `brier(threshold=300)`.

A name is that of a function that returns a metric; its arguments are the metric's parameters. Where a forecast has
members, the metrics of one field (rmse, mse, mae, bias, acc, activity) are those of the ensemble mean.
"""

import inspect
import re
from collections.abc import Mapping, Sequence
from typing import Any

from weatherml.errors import UserError, require_kind
from weatherml.verification.metrics import contingency, deterministic, ensembles, precipitation, probabilities, spectra
from weatherml.verification.metrics.base import Metric
from weatherml.verification.metrics.entries import Maker, registry
from weatherml.verification.metrics.parameters import parse, require_kinds
from weatherml.wording import counted, listed

THEMES = (contingency, deterministic, ensembles, precipitation, probabilities, spectra)
"""Modules whose metrics are known, because they have been imported; a new one is a name here."""

_MOST_READ = 80  # characters of a name in a message
_MAE_OF_ONE = ("crps", "crps_fair")
_FAIR = "_fair"  # ends the names of scores that are made independent of how many members there are, which takes two


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
        for name, own in names.items():
            require_kind(own, Metric, f"metric {name!r}", "pass what verification.metrics.registry.find returns")
        return dict(names)
    names = [names] if isinstance(names, str) else names
    if not names:
        raise UserError(f"metrics are empty; {_known()}")
    require_kind(names, Sequence, "metrics", _known())
    return {name: find(name) for name in names}


def _known() -> str:
    return f"pass at least one of {listed(list(registry))}"


def find(name: str) -> Metric:
    """Return a metric by its name, with its parameters in brackets where it has some.

    Raises:
        UserError: It is unknown, or its parameters are not those that it has.
    """
    if not isinstance(name, str):
        raise UserError(f"a metric is named by text, not {name!r}; {_known()}")
    match = re.fullmatch(r"\s*(\w+)\s*(?:\((.*)\))?\s*", name, re.DOTALL)
    maker = registry[match[1] if match else name]
    parameters = _parameters(name, match[2] if match else None, maker)
    try:
        bound = inspect.signature(maker).bind(**parameters)
    except TypeError:
        raise UserError(f"metric {name!r} takes {_signature(maker)}; write {_example(name, maker)!r}") from None
    try:
        require_kinds(maker, bound.arguments)
        return maker(**bound.arguments)
    except (TypeError, ValueError) as error:
        told = _example(name, maker, [*dict.fromkeys((*_required(maker), *bound.arguments))])
        raise UserError(f"metric {_short(name)} cannot be: {error}; write {told!r}") from None


def _parameters(name: str, text: str | None, maker: Maker) -> dict[str, Any]:
    try:
        given = parse(text)
    except ValueError as error:
        raise UserError(f"metric {_short(name)} cannot be: {error}") from None
    if given is None:
        example = _example(name, maker) if inspect.signature(maker).parameters else "brier(threshold=300)"
        raise UserError(f"metric {_short(name)}: parameters must read name=value, such as {example}")
    return given


def _short(name: str) -> str:
    """Return a name in quotes, cut where nobody could read it."""
    return repr(name if len(name) <= _MOST_READ else f"{name[:_MOST_READ]}...")


def _required(maker: Maker) -> list[str]:
    own = inspect.signature(maker).parameters.values()
    return [parameter.name for parameter in own if parameter.default is parameter.empty]


def _signature(maker: Maker) -> str:
    own = list(inspect.signature(maker).parameters)
    return listed(own) if own else "no parameters"


def _example(name: str, maker: Maker, shown: Sequence[str] = ()) -> str:
    plain_name = re.split(r"\s*\(", name.strip())[0]
    told = ", ".join(f"{own}=..." for own in shown or _required(maker) or inspect.signature(maker).parameters)
    return f"{plain_name}({told})" if told else plain_name


def judged(metric: str, n_members: int) -> str:
    """Return what of a forecast a metric judges, in words; empty where there is but one field, or no such metric."""
    name = re.split(r"\s*\(", metric.strip())[0]
    if name not in registry:
        return ""
    if n_members < 2:
        score = "mae" if name in _MAE_OF_ONE else name.removesuffix(_FAIR) if name.endswith(_FAIR) else ""
        return f"of one member, whose {score} it is" if score else ""
    members = counted(n_members, "member")
    return f"of {members}" if find(metric).of_members else f"of the mean of {members}"
