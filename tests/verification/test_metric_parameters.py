"""Parameters of metrics are of the kind that is asked for, finite and given once, or refused in one line."""

import pytest

from weatherml.errors import UserError
from weatherml.verification.metrics.registry import find, metrics_named

NINES = "9" * 400


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("fss(radius=1e999, threshold=280)", "radius must be a finite number, not inf"),
        (f"csi(threshold={NINES})", "threshold must be a finite number"),
        ("variogram_score(tile=10, power=1e999)", "power must be a finite number"),
        ("rps(thresholds=(270, 1e999))", "thresholds must be several finite numbers or names"),
        ("brier(threshold=280, threshold=290)", "threshold is given 2 times"),
        ("csi(threshold=True)", "threshold must be a finite number, not True"),
        ("csi(threshold='280')", "threshold must be a finite number, not '280'"),
        ("fss(radius=1.5, threshold=280, unit='points')", "a whole number, not 1.5"),
        ("fss(radius=1, threshold=280, unit='miles')", "unit must be 'km' or 'points', not 'miles'"),
        ("forecast_probability(threshold=280, n_bins=1.5)", "n_bins must be a whole number, not 1.5"),
        ("rps(thresholds=280)", "such as (270, 280), not 280"),
        ("rps(thresholds=())", "such as (270, 280), not ()"),
        ("quantile_score(quantile='a')", "quantile must be a finite number, not 'a'"),
        ("variogram_score(tile=10, power=0)", "variogram_score(tile=..., power=...)"),
        ("twcrps(threshold=280, tail=3)", "tail must be 'upper' or 'lower', not 3"),
    ],
)
def test_a_parameter_that_cannot_be_is_refused_by_its_name(name, told):
    with pytest.raises(UserError) as caught:
        find(name)
    message = str(caught.value)
    assert told in message
    assert "\n" not in message
    assert len(message) < 300


def test_parameters_of_the_kinds_that_are_asked_for_are_taken():
    for name in (
        "fss(radius=2, threshold=280, unit='points')",
        "rps(thresholds=[270, 280.5])",
        "rps(thresholds=('cold', 'warm'))",
        "economic_value(threshold=280, cost_loss=0.5)",
        "crps_decomposition(lowest=None)",
        "forecast_probability(threshold=280, n_bins=5)",
    ):
        assert find(name).statistics


@pytest.mark.parametrize("metrics", [5, [5], {"own": 5}, [None]])
def test_what_names_no_metric_is_refused(metrics):
    with pytest.raises(UserError, match="metric"):
        metrics_named(metrics)


@pytest.mark.parametrize("name", ["rps", "rps_fair"])
def test_thresholds_that_fall_are_refused(name):
    with pytest.raises(UserError, match="thresholds rise, and 5, 0 do not"):
        find(f"{name}(thresholds=(5, 0))")
