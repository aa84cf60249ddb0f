"""Fingerprints of analyses, and what a forecast refuses of them before it reads a value."""

import numpy as np
import pytest
from tiny_forecast import SPEC, TIMES, make_analysis, make_forecaster

from weatherml.errors import UserError
from weatherml.forecast import ForecastConfig
from weatherml.forecast.analyses import Analyses

MANY = TIMES[0] + np.arange(40) * np.timedelta64(6, "h")


def fingerprint(analysis, times):
    return Analyses(analysis, make_forecaster().suites[0].normalizer).fingerprint(times)


def changed(analysis, position, variable="temperature"):
    """Return analyses one value of which is another."""
    other = analysis.copy(deep=True)
    other[variable][position, 0, 4, 1] += 0.5
    return other


@pytest.mark.parametrize("position", range(3))
def test_another_value_at_any_initial_time_is_another_fingerprint(analysis, position):
    assert fingerprint(changed(analysis, position), TIMES[:3]) != fingerprint(analysis, TIMES[:3])


def test_what_no_forecast_starts_from_does_not_count(analysis):
    other = changed(analysis, 5).assign(unknown=analysis["temperature"])
    assert fingerprint(other, TIMES[:3]) == fingerprint(analysis, TIMES[:3])


@pytest.mark.parametrize("position", [0, 17, 39])
def test_of_small_analyses_all_are_read(position):
    analysis = make_analysis(MANY)
    assert fingerprint(changed(analysis, position), MANY) != fingerprint(analysis, MANY)


def test_of_many_large_analyses_sixteen_are_read(monkeypatch):
    monkeypatch.setattr("weatherml.forecast.analyses._MOST_BYTES", 0)
    analyses, read = Analyses(make_analysis(MANY), make_forecaster().suites[0].normalizer), []
    monkeypatch.setattr(Analyses, "read", lambda self, time, member: read.append(time) or np.zeros(SPEC.shape, "f4"))
    analyses.fingerprint(MANY)
    assert len(set(read)) == 16
    assert np.diff(read).max() == np.timedelta64(18, "h")


def test_every_member_counts(analysis):
    members = analysis.expand_dims(number=3).copy(deep=True)
    other = members.copy(deep=True)
    other["geopotential"][2, 1, 0, 3, 3] += 1
    assert fingerprint(other, TIMES[:3]) != fingerprint(members, TIMES[:3])


def test_the_request_tells_forecasts_apart(analysis):
    forecaster, config = make_forecaster(), ForecastConfig(lead_time="6h")
    request = forecaster.request(analysis, TIMES[:2], config)
    assert request == forecaster.run(analysis, TIMES[:2], config).attrs["request"]
    others = [
        forecaster.request(changed(analysis, 1), TIMES[:2], config),
        forecaster.request(analysis, TIMES[:3], config),
        forecaster.request(analysis, TIMES[:2], ForecastConfig(lead_time="12h")),
    ]
    assert len({request, *others}) == 4


def test_a_time_that_is_not_there_is_refused_with_the_range(analysis):
    analyses = Analyses(analysis, make_forecaster().suites[0].normalizer)
    message = "no init_time 2020-03-01T00:00; choose among its 9 times from 2020-02-27T00:00 to 2020-02-29T00:00"
    with pytest.raises(UserError, match=message):
        analyses.require(np.array(["2020-03-01"], "datetime64[ns]"), has_members=False)
    with pytest.raises(UserError, match=r"nearest 2020-02-28T00:00 and 2020-02-28T06:00$"):
        analyses.require(np.array(["2020-02-28T03"], "datetime64[ns]"), has_members=False)
    with pytest.raises(UserError, match=r"nearest 2020-02-28T00:00$"):
        Analyses(analysis.sel(time=["2020-02-28"]), analyses.normalizer).require(TIMES[:1] - 1, has_members=False)
    with pytest.raises(UserError, match="analysis has no times"):
        Analyses(analysis.isel(time=[]), analyses.normalizer).require(TIMES[:1], has_members=False)
