"""The metrics by name, such as `rmse` or `brier(threshold=300)`.

A name is that of a function that returns a metric; its arguments are the metric's parameters. Where a forecast has
members, the metrics of one field (rmse, mse, mae, bias, acc, activity) are those of the ensemble mean.
"""

import re
from collections.abc import Mapping, Sequence

from weatherml.errors import UserError, require_kind
from weatherml.errors.wording import counted, listed
from weatherml.verification.brackets import made, required
from weatherml.verification.metrics.base import Metric
from weatherml.verification.metrics.contingency import metrics as contingency
from weatherml.verification.metrics.deterministic import metrics as deterministic
from weatherml.verification.metrics.ensembles import metrics as ensembles
from weatherml.verification.metrics.entries import registry
from weatherml.verification.metrics.precipitation import metrics as precipitation
from weatherml.verification.metrics.probabilities import metrics as probabilities
from weatherml.verification.metrics.spectra import metrics as spectra

THEMES = (contingency, deterministic, ensembles, precipitation, probabilities, spectra)
"""Modules whose metrics are known, because they have been imported; a new theme is a name here."""

_MAE_OF_ONE = ("crps", "crps_fair")
_FAIR = "_fair"  # ends the names of scores that are made independent of how many members there are, which takes two


def plain() -> tuple[str, ...]:
    """Return the names of the metrics that need no parameters, and no reference but a climatology."""
    names = (name for name in registry if not required(registry[name]))
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
    metric: Metric = made(name, registry, "brier(threshold=300)")
    return metric


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
