"""Wind vectors and centred anomalies, against loops over numpy fields."""

import numpy as np
import pytest
from fake_data import analyses, forecasts

from weatherml.errors import UserError
from weatherml.grid import LatLonGrid
from weatherml.verification import evaluate

GRID = LatLonGrid.regular(9, 14)
AREAS = GRID.cell_areas()[:, None] * np.ones(14)
WINDS = {
    "u_component_of_wind": (500, 850),
    "v_component_of_wind": (300, 850),
    "10m_u_component_of_wind": (),
    "10m_v_component_of_wind": (),
}


@pytest.fixture(scope="module")
def truth():
    return analyses(WINDS, times=14, grid=GRID)


@pytest.fixture(scope="module")
def forecast():
    made = forecasts(WINDS, n_init=3, n_lead=2, grid=GRID)
    return made.assign({name: made[name].where(made.level.isin(own)) for name, own in WINDS.items() if own})


@pytest.fixture(scope="module")
def climatology():
    return analyses(WINDS, times=14, grid=GRID, seed=5) + np.float32(0.7)


def at(dataset, forecast, lead, name):
    """Fields of all init times at a lead time `[init, ..., lat, lon]`, of analyses or of the forecast."""
    if "init_time" in dataset.dims:
        return dataset[name].isel(lead_time=lead).values.astype(float)
    times = forecast.init_time.values + forecast.lead_time.values[lead]
    return dataset[name].sel(time=times).values.astype(float)


def mean(field, area=AREAS):
    return (field * area).sum(axis=(-2, -1)) / area.sum()


def test_wind_is_a_vector_at_levels_of_both_components_and_at_10_m(forecast, truth):
    scores = evaluate(forecast, truth, "wind_vector_rmse")["wind_vector_rmse"].sel(bound="estimate")
    told = scores.dropna("channel", how="all")
    assert list(told.channel.values) == ["wind_850", "10m_wind"]
    errors = [at(forecast, forecast, 1, name) - at(truth, forecast, 1, name) for name in WINDS]
    at_850 = mean(errors[0][:, -1] ** 2 + errors[1][:, -1] ** 2).mean()
    at_10_m = mean(errors[2] ** 2 + errors[3] ** 2).mean()
    np.testing.assert_allclose(told.isel(lead_time=1), np.sqrt([at_850, at_10_m]), rtol=1e-6)


@pytest.mark.parametrize("kept", [["10m_u_component_of_wind"], ["u_component_of_wind", "10m_v_component_of_wind"]])
def test_half_a_wind_is_refused_in_one_line(forecast, truth, kept):
    with pytest.raises(UserError, match=r"metric 'wind_vector_rmse' needs u_component_of_wind and .* leave it out"):
        evaluate(forecast[kept], truth, ["wind_vector_rmse", "rmse"])


def test_components_without_a_level_in_common_are_refused(forecast, truth):
    apart = forecast[["u_component_of_wind", "v_component_of_wind"]].copy()
    apart["u_component_of_wind"] = apart["u_component_of_wind"].where(apart.level == 500)
    apart["v_component_of_wind"] = apart["v_component_of_wind"].where(apart.level == 850)
    with pytest.raises(UserError, match="at a level that they share; the forecast has u_component_of_wind_500, v_comp"):
        evaluate(apart, truth, "wind_vector_rmse")


def test_centred_correlation_takes_the_mean_anomaly_of_each_forecast_out(forecast, truth, climatology):
    band = (abs(np.array(GRID.latitude)) <= 20)[:, None] * AREAS
    scores = evaluate(forecast, truth, ["acc", "acc_centred"], climatology, regions=["global", "tropics"])
    own = scores.sel(bound="estimate", channel="10m_u_component_of_wind").isel(lead_time=1)
    name = "10m_u_component_of_wind"
    expected = at(climatology, forecast, 1, name)
    f, t = at(forecast, forecast, 1, name) - expected, at(truth, forecast, 1, name) - expected
    for region, area in {"global": AREAS, "tropics": band}.items():
        a, b = (x - mean(x, area)[:, None, None] for x in (f, t))
        centred = mean(a * b, area).mean() / np.sqrt(mean(a**2, area).mean() * mean(b**2, area).mean())
        plain = mean(f * t, area).mean() / np.sqrt(mean(f**2, area).mean() * mean(t**2, area).mean())
        assert own["acc_centred"].sel(region=region) == pytest.approx(centred, rel=1e-5)
        assert own["acc"].sel(region=region) == pytest.approx(plain, rel=1e-5)
        assert plain - centred > 0.03  # the climatology is 0.7 too high for both
