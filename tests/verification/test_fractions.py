"""Shares of neighbourhoods against loops over all pairs of points, and the laws of the score of them."""

import numpy as np
import pytest
from fake_data import analyses, as_forecast, forecasts

from weatherml.errors import UserError
from weatherml.grid import LatLonGrid
from weatherml.sphere import EARTH_RADIUS
from weatherml.verification import evaluate
from weatherml.verification.metrics.contingency.neighbourhoods import Neighbourhoods

GLOBE = LatLonGrid.regular(7, 12)
REGION = LatLonGrid.from_coordinates(60 - 5.0 * np.arange(5), 10 + 5.0 * np.arange(6))


def looped(field, mask, grid, near, areas):
    """The mean over the points that are near each, by the differences of their rows and columns."""
    found = np.zeros(grid.shape)
    for i in range(grid.n_lat):
        for j in range(grid.n_lon):
            own = np.array(
                [[near(i, other, abs(j - k)) for k in range(grid.n_lon)] for other in range(grid.n_lat)], bool
            )
            weights = own * mask * areas
            found[i, j] = (field * weights).sum() / (weights.sum() or 1)
    return found


def columns_apart(grid, apart):
    return min(apart, grid.n_lon - apart) if grid.is_cyclic else apart


@pytest.fixture(scope="module", params=[GLOBE, REGION], ids=["globe", "region"])
def case(request):
    rng = np.random.default_rng(0)
    return request.param, rng.random(request.param.shape), rng.random(request.param.shape) > 0.2


@pytest.mark.parametrize("radius", [0, 700, 3400, 30_000])
def test_a_neighbourhood_in_km_is_as_wide_everywhere(case, radius):
    grid, field, mask = case
    latitude = np.radians(grid.latitude)
    spacing = np.radians(grid.longitude[1] - grid.longitude[0])

    def near(i, other, apart):
        along = columns_apart(grid, apart) * spacing * EARTH_RADIUS * np.cos(latitude[other])
        return abs(latitude[i] - latitude[other]) * EARTH_RADIUS <= radius + 1e-3 and along <= radius + 1e-3

    expected = looped(field, mask, grid, near, grid.cell_areas()[:, None])
    np.testing.assert_allclose(Neighbourhoods.within(grid, radius).mean(field, mask), expected, atol=1e-12)


@pytest.mark.parametrize("name", ["fss(radius=2, threshold=0.3, unit='points')", "fss(radius=4000, threshold=0.3)"])
def test_a_region_across_greenwich_has_the_neighbours_that_it_has_elsewhere(name):
    variables, columns = {"2m_temperature": ()}, np.arange(4, 10)
    truth, forecast = (own(variables).isel(longitude=columns) for own in (analyses, forecasts))

    def score(first):
        longitude = (first + 30.0 * np.arange(6)) % 360
        moved = (own.assign_coords(longitude=longitude).sortby("longitude") for own in (forecast, truth))
        return evaluate(*moved, name, interval="none")[name].values

    np.testing.assert_allclose(score(270.0), score(90.0), rtol=1e-12)


@pytest.mark.parametrize("radius", [1, 3, 9])
def test_a_neighbourhood_in_points_counts_each_alike(case, radius):
    grid, field, mask = case
    expected = looped(field, mask, grid, lambda i, k, n: max(abs(i - k), columns_apart(grid, n)) <= radius, 1.0)
    np.testing.assert_allclose(Neighbourhoods.of_points(grid, radius).mean(field, mask), expected, atol=1e-12)


def test_fss_is_of_mean_squares_over_init_times_and_of_shares_of_members():
    truth, forecast = analyses(), forecasts(n_members=3)
    name = "fss(threshold=0.3, radius=1, unit='points')"
    score = evaluate(forecast, truth, name)[name].sel(bound="estimate", channel="2m_temperature")
    around, mask = Neighbourhoods.of_points(GLOBE, 1), np.ones(GLOBE.shape, bool)
    made = (forecast["2m_temperature"].transpose("number", "init_time", ...).values > 0.3).mean(0)
    true = as_forecast(truth, forecast)["2m_temperature"].values > 0.3
    made, true = around.mean(made, mask), around.mean(true, mask)
    share = GLOBE.cell_areas()[:, None] / (12 * GLOBE.cell_areas().sum())
    difference, of_made, of_true = (
        (x * share).sum(axis=(-2, -1)).mean(0) for x in ((made - true) ** 2, made**2, true**2)
    )
    np.testing.assert_allclose(score, 1 - difference / (of_made + of_true), rtol=1e-9)


def test_a_forecast_that_is_right_but_for_two_columns_is_right_in_large_neighbourhoods():
    truth = analyses({"2m_temperature": ()})
    forecast = as_forecast(truth, forecasts({"2m_temperature": ()})).roll(longitude=2)
    names = [f"fss(threshold=0.8, radius={km})" for km in (0, 3500, 7000, 40_000)]
    scores = evaluate(forecast, truth, names).sel(bound="estimate").isel(channel=0, lead_time=0)
    found = [float(scores[name]) for name in names]
    assert found == sorted(found)
    assert found[0] < 0.5
    assert found[-1] == pytest.approx(1)


def test_neighbourhoods_leave_out_what_is_missing():
    truth, forecast = analyses(), forecasts(n_init=1)
    holed = forecast.copy(deep=True)
    holed["2m_temperature"][0, 0, 2:5, 3:9] = np.nan
    name = "fss(threshold=-9, radius=1, unit='points')"  # always exceeded, where there is something
    score = evaluate(holed, truth, name, missing="count")[name].sel(bound="estimate", channel="2m_temperature")
    np.testing.assert_allclose(score, 1)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("fss(threshold=1)", r"metric 'fss\(threshold=1\)' takes radius, threshold, unit; write 'fss\(radius=...\)'"),
        ("fss(radius=-1)", "a neighbourhood has a radius of 0 or more km or points, not -1.0 km"),
        ("fss(radius=3, unit='miles')", "unit must be 'km' or 'points', not 'miles'"),
    ],
)
def test_a_neighbourhood_without_a_size_is_refused_in_one_line(name, message):
    with pytest.raises(UserError, match=message):
        evaluate(forecasts(), analyses(), name)
