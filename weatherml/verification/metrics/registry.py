"""The metrics by name, such as `rmse` or `brier(threshold=300)`.

A name is that of a function that returns a metric; its arguments are the metric's parameters. Where a forecast has
members, the metrics of one field (rmse, mse, mae, bias, acc, activity) are those of the ensemble mean.
"""

import ast
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from weatherml.errors import UserError
from weatherml.registry import Registry
from weatherml.verification import formulas
from weatherml.verification.metrics.base import Metric, itself
from weatherml.verification.statistics import deterministic, ensembles
from weatherml.verification.statistics.base import Statistic
from weatherml.wording import counted, listed

Maker = Callable[..., Metric]

registry: Registry[Maker] = Registry("metric")
"""What makes each metric from its parameters."""

_OF_MEMBERS = ("crps", "crps_fair", "spread", "spread_skill")


def plain() -> tuple[str, ...]:
    """Return the names of the metrics that need no parameters."""
    return tuple(name for name in registry if not _required(registry[name]))


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
    return maker(**bound.arguments)


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
    required = ", ".join(f"{own}=..." for own in _required(maker))
    return f"{plain_name}({required})" if required else plain_name


def judged(metric: str, n_members: int) -> str:
    """Return what of a forecast a metric judges, in words; empty where there is but one field."""
    if n_members < 2:
        return "of one member, whose mae it is" if metric in _OF_MEMBERS else ""
    members = counted(n_members, "member")
    return f"of {members}" if metric in _OF_MEMBERS else f"of the mean of {members}"


def _enter(name: str, statistics: Sequence[Statistic], function: Callable[..., Any]) -> None:
    registry.register(name)(lambda: Metric(tuple(statistics), function))


_anomalies = (
    deterministic.AnomalyCovariance(),
    deterministic.SquaredForecastAnomaly(),
    deterministic.SquaredTruthAnomaly(),
)
_squared_error = deterministic.SquaredError()

_enter("rmse", [_squared_error], np.sqrt)
_enter("mse", [_squared_error], itself)
_enter("mae", [deterministic.AbsoluteError()], itself)
_enter("bias", [deterministic.Error()], itself)
_enter("acc", _anomalies, formulas.anomaly_correlation)
# How lively the forecast is: its root-mean-square anomaly. The truth's own activity is the rmse of the climatology
# forecast, so a forecast whose activity falls below that is blurred.
_enter("activity", [deterministic.SquaredForecastAnomaly()], np.sqrt)
_enter("crps", [ensembles.Crps()], itself)
_enter("crps_fair", [ensembles.CrpsFair()], itself)
# The square root of the mean variance, not the mean standard deviation, so that it compares with the rmse.
_enter("spread", [ensembles.EnsembleVariance()], np.sqrt)
# Spread over the rmse of the ensemble mean, 1 for a reliable ensemble whatever its size.
_enter("spread_skill", [ensembles.ExpectedSquaredError(), _squared_error], formulas.spread_skill)
