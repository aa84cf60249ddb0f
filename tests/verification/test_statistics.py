"""What every statistic is: its name, its channels, its parts, regions and groups, against loops over numpy fields."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import xarray as xr
from fake_data import analyses, forecasts

from weatherml.errors import UserError
from weatherml.grid import LatLonGrid
from weatherml.verification import Metric, StatisticSums, accumulate, evaluate, summarize
from weatherml.verification.aggregation.regions import Region, latitude_bands, region_weights, regions
from weatherml.verification.metrics.base import itself
from weatherml.verification.metrics.deterministic.statistics import SquaredError
from weatherml.verification.metrics.registry import find, registry
from weatherml.verification.statistics.base import ClassStatistic, PointStatistic, Statistic, weighted_sums

WINDS = {"u_component_of_wind": (500, 850), "v_component_of_wind": (300, 850), "2m_temperature": ()}
GRID = LatLonGrid.regular(19, 36)


@dataclass(frozen=True)
class Exceeds(PointStatistic):
    """Whether the truth exceeds a threshold."""

    threshold: float

    def at(self, pair):
        return (pair.truth > self.threshold).astype(float)


@dataclass(frozen=True)
class SquaredVectorError(PointStatistic):
    """Of wind."""

    inputs: ClassVar = {"wind": ("u_component_of_wind", "v_component_of_wind")}

    def at(self, u, v):
        return u.error**2 + v.error**2


@dataclass(frozen=True)
class Signs(ClassStatistic):
    """Signs of forecast and truth."""

    axes: ClassVar = ("forecast_sign", "truth_sign")

    def classes(self, pair):
        return 2 * (pair.members[0] > 0) + (pair.truth > 0), (2, 2)


@dataclass(frozen=True)
class ZonalMeanError(Statistic):
    """Needs whole rows: squared error of the zonal mean."""

    def sums(self, pair, weights, **_):
        error = pair.error.mean(axis=-1, keepdims=True)
        return weighted_sums(np.broadcast_to(error**2, pair.error.shape), weights)


@pytest.fixture(scope="module")
def truth():
    return analyses(WINDS, grid=GRID)


@pytest.fixture(scope="module")
def forecast():
    made = forecasts(WINDS, grid=GRID, n_init=3)
    own = {name: made[name].where(made.level.isin(levels)) for name, levels in WINDS.items() if levels}
    return made.assign(own)  # ragged levels are NaN


def matched(forecast, truth):
    """Both by init and lead time."""
    valid = forecast["init_time"] + forecast["lead_time"]
    return forecast.drop_vars("valid_time"), truth.sel(time=valid.drop_vars("valid_time", errors="ignore")).drop_vars(
        "time"
    )


def area_mean(field, region=None):
    """Average by exact areas of cells; of those within a region."""
    areas = GRID.cell_areas()[:, None] * np.ones(GRID.shape)
    areas = areas if region is None else areas * region
    return float((field.transpose(..., "latitude", "longitude").values * areas).sum(axis=(-2, -1)).mean() / areas.sum())


def estimate(forecast, truth, statistic, axes=(), **options):
    scores = evaluate(forecast, truth, {"x": Metric((statistic,), itself, axes)}, **options)
    return scores["x"].sel(bound="estimate")


def test_two_thresholds_are_two_statistics(forecast, truth):
    metrics = {f"above {t}": Metric((Exceeds(t),), itself) for t in (0.5, 1.0)}
    scores = evaluate(forecast, truth, metrics).sel(bound="estimate", channel="2m_temperature", lead_time="6h")
    _, true = matched(forecast, truth)
    field = true["2m_temperature"].isel(lead_time=0)
    for threshold in (0.5, 1.0):
        assert scores[f"above {threshold}"] == pytest.approx(area_mean(field > threshold), rel=1e-9)
    assert Exceeds(0.5).name == "exceeds(threshold=0.5)"


def test_a_statistic_of_two_variables_is_taken_at_the_levels_of_both(forecast, truth):
    made, true = matched(forecast, truth)
    squares = sum(
        (made[name] - true[name]).sel(level=850) ** 2 for name in ("u_component_of_wind", "v_component_of_wind")
    )
    scored = estimate(forecast, truth, SquaredVectorError())
    assert scored.sel(channel="wind_850").mean() == pytest.approx(area_mean(squares), rel=1e-6)
    assert [str(c) for c in scored.channel.values if str(c).startswith("wind")] == ["wind_850"]
    assert scored.sel(channel="2m_temperature").isnull().all()


def test_classes_are_counted_by_area(forecast, truth):
    made, true = (own["2m_temperature"].isel(lead_time=1) for own in matched(forecast, truth))
    scored = estimate(forecast, truth, Signs(), ("forecast_sign", "truth_sign")).sel(channel="2m_temperature")
    for f in (0, 1):
        for t in (0, 1):
            share = area_mean(((made > 0) == f) & ((true > 0) == t))
            assert scored.isel(lead_time=1, forecast_sign=f, truth_sign=t) == pytest.approx(share, rel=1e-9)


def test_what_needs_whole_fields_gets_them(forecast, truth):
    made, true = (own["2m_temperature"] for own in matched(forecast, truth))
    squares = ((made - true).mean("longitude") ** 2).expand_dims(longitude=36, axis=-1)
    assert estimate(forecast, truth, ZonalMeanError()).sel(channel="2m_temperature").mean() == pytest.approx(
        area_mean(squares), rel=1e-6
    )


@pytest.mark.parametrize("tile_bytes", [64, 2000, 10**9])
def test_scores_do_not_depend_on_how_fields_are_cut(forecast, truth, monkeypatch, tile_bytes):
    statistics = [SquaredError(), SquaredVectorError(), Signs(), ZonalMeanError()]
    metrics = {own.name: Metric((own,), itself, own.axes) for own in statistics}
    whole = evaluate(forecast, truth, metrics)
    monkeypatch.setattr("weatherml.verification.aggregation.work.TILE_BYTES", tile_bytes)
    xr.testing.assert_allclose(evaluate(forecast, truth, metrics), whole, rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "holds"),
    [
        ("tropics", lambda lat, lon: abs(lat) <= 20),
        ("extratropics_north", lambda lat, lon: lat >= 20),
        ("europe", lambda lat, lon: (lat >= 35) & (lat <= 75) & ((lon >= 347.5) | (lon <= 42.5))),
        ("north_pacific", lambda lat, lon: (lat >= 25) & (lat <= 60) & (lon >= 145) & (lon <= 230)),
    ],
)
def test_a_region_is_the_cells_whose_centres_it_holds(forecast, truth, name, holds):
    latitude, longitude = np.meshgrid(GRID.latitude, GRID.longitude, indexing="ij")
    made, true = matched(forecast, truth)
    expected = area_mean((made["2m_temperature"] - true["2m_temperature"]) ** 2, holds(latitude, longitude))
    scores = evaluate(forecast, truth, "mse", regions=["global", name])["mse"].sel(bound="estimate")
    assert scores.dims == ("channel", "region", "lead_time")
    assert scores.sel(channel="2m_temperature", region=name).mean() == pytest.approx(expected, rel=1e-6)


def test_a_cell_half_of_which_is_land_is_land():
    grid = LatLonGrid.regular(3, 4)
    share = np.full(grid.shape, 0.5)
    assert Region(surface="land").holds(grid, share).all()
    assert not Region(surface="land").holds(grid, np.nextafter(share, 0)).any()


def test_land_and_sea_share_the_globe(forecast, truth):
    land = xr.zeros_like(truth["2m_temperature"].isel(time=0, drop=True)) + (truth["longitude"] < 100)
    scores = evaluate(forecast, truth.assign(land_sea_mask=land), "mse", regions=["land", "sea", "global"])
    parts = scores["mse"].sel(bound="estimate", channel="2m_temperature", lead_time="6h")
    share = 10 / 36
    whole = share * parts.sel(region="land") + (1 - share) * parts.sel(region="sea")
    assert parts.sel(region="global") == pytest.approx(whole.item(), rel=1e-9)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"regions": ["tropcs"]}, "unknown region 'tropcs'; did you mean 'tropics'"),
        ({"regions": ["land"]}, "a region of land needs to know where land is; give the truth a land_sea_mask"),
        ({"regions": {"mine": Region(1, 2, 3, 4)}}, "region 'mine' holds no cell of the grid 19 x 36; leave it out"),
    ],
)
def test_a_region_that_cannot_be_is_said_in_one_line(forecast, truth, options, message):
    with pytest.raises(UserError, match=message):
        evaluate(forecast, truth, "mse", **options)


def test_bands_of_latitude_fill_the_globe():
    bands = latitude_bands(30)
    assert next(iter(bands)) == "-90..-60"
    held = sum(own.holds(LatLonGrid.regular(18, 36, poles=False)).astype(int) for own in bands.values())
    assert (held == 1).all()
    with pytest.raises(UserError, match="bands of latitude of 7 degrees do not fill 180"):
        latitude_bands(7)


def test_a_row_on_the_border_of_two_bands_is_in_one():
    bands = latitude_bands(30)
    held = sum(own.holds(GRID).astype(int) for own in bands.values())
    assert (held == 1).all()
    rows = np.array(GRID.latitude)[bands["60..90"].holds(GRID)[:, 0]]
    np.testing.assert_array_equal(rows, [90, 80, 70, 60])
    assert region_weights(GRID, bands).sum() == pytest.approx(4 * np.pi)


def test_cells_of_unknown_surface_are_neither_land_nor_sea(truth):
    surface = np.repeat([1.0, 0.0, np.nan], [5, 5, 9])[:, None] * np.ones(36)
    mask = truth.assign(land_sea_mask=(("latitude", "longitude"), surface))
    land, sea = region_weights(GRID, {name: regions[name] for name in ("land", "sea")}, mask) > 0
    np.testing.assert_array_equal(land, surface == 1)
    np.testing.assert_array_equal(sea, surface == 0)


@pytest.mark.parametrize(
    ("west", "east", "n_columns"), [(180, -180, 36), (-180, 180, 36), (360, 0, 36), (10, 10, 1), (170, -170, 3)]
)
def test_a_whole_turn_is_the_whole_circle(west, east, n_columns):
    assert Region(west=west, east=east).holds(GRID)[0].sum() == n_columns


def test_regions_are_those_that_are_published():
    assert regions["north_america"] == Region(25, 60, -120, -75)


def test_months_are_in_the_order_of_time():
    truth = analyses({"2m_temperature": ()}, times=30, start="2000-12-30")
    forecast = forecasts({"2m_temperature": ()}, n_init=8, init_step="12h", start="2000-12-30")
    sums = accumulate(forecast, truth, "mse")
    assert summarize(sums, "mse", by="month")["month"].values.tolist() == ["Dec", "Jan"]


@pytest.mark.parametrize(
    ("by", "group", "chosen"),
    [
        ("init_hour", "12", lambda init, valid: init.hour == 12),
        ("valid_hour", "06", lambda init, valid: valid.hour == 6),
        ("season", "DJF", lambda init, valid: valid.month in (12, 1, 2)),
        ("month", "Mar", lambda init, valid: valid.month == 3),
    ],
)
def test_scores_by_groups_of_times(by, group, chosen):
    import pandas as pd

    truth = analyses({"2m_temperature": ()}, times=30, start="2001-02-26")
    forecast = forecasts({"2m_temperature": ()}, n_init=8, init_step="12h", start="2001-02-26")
    made, true = matched(forecast, truth)
    grid = LatLonGrid.regular(7, 12)
    squares = ((made - true)["2m_temperature"] ** 2 * xr.DataArray(grid.cell_areas(), dims="latitude")).sum(
        ["latitude", "longitude"]
    ) / (12 * grid.cell_areas().sum())
    scores = summarize(accumulate(forecast, truth, "mse"), "mse", by=by)["mse"]
    for lead in range(3):
        own = [
            float(squares[i, lead])
            for i, init in enumerate(pd.to_datetime(forecast.init_time.values))
            if chosen(init, init + pd.Timedelta(forecast.lead_time.values[lead]))
        ]
        found = scores.sel({by: group, "bound": "estimate"}).isel(lead_time=lead, channel=0)
        assert found.isnull() if not own else found == pytest.approx(np.mean(own), rel=1e-6)


def test_missing_truth_is_counted(forecast, truth):
    short = truth.isel(time=[i for i in range(29) if i != 2])  # valid at 12 h after the first init time
    with pytest.raises(UserError, match="the truth has no time 2001-01-01T12:00"):
        evaluate(forecast, short, "mse")
    scores = evaluate(forecast, short, "mse", missing="count")
    np.testing.assert_allclose(scores["share_judged"].sel(channel="2m_temperature"), np.array([1, 2 / 3, 1]), rtol=1e-9)
    rest = evaluate(forecast.isel(init_time=[1, 2]), truth, "mse")["mse"].sel(bound="estimate")
    whole = scores["mse"].sel(bound="estimate")
    np.testing.assert_allclose(whole.isel(lead_time=1), rest.isel(lead_time=1), rtol=1e-12)


def test_missing_values_are_counted(forecast, truth):
    holed = forecast.copy(deep=True)
    holed["2m_temperature"][0, 1, :9] = np.nan
    scores = evaluate(holed, truth, "mse", missing="count")
    made, true = matched(holed, truth)
    squares = (made - true)["2m_temperature"].isel(lead_time=1) ** 2
    areas = xr.where(squares.notnull(), xr.DataArray(GRID.cell_areas(), dims="latitude"), 0)
    expected = float((squares.fillna(0) * areas).sum() / areas.sum())
    found = scores["mse"].sel(bound="estimate", channel="2m_temperature").isel(lead_time=1)
    assert found == pytest.approx(expected, rel=1e-6)
    share = scores["share_judged"].sel(channel="2m_temperature").isel(lead_time=1)
    assert share == pytest.approx(float(areas.sum()) / (3 * 4 * np.pi), rel=1e-9)


def test_sums_are_kept_in_a_file(forecast, truth, tmp_path):
    sums = accumulate(forecast, truth, {"x": Metric((Exceeds(0.5),), itself)}, regions=["tropics", "global"])
    sums.save(tmp_path / "sums.nc")
    xr.testing.assert_identical(StatisticSums.load(tmp_path / "sums.nc").dataset, sums.dataset)
    forecast.to_netcdf(tmp_path / "other.nc")
    with pytest.raises(UserError, match=r"other.nc holds no sums of statistics; make it with weatherml evaluate"):
        StatisticSums.load(tmp_path / "other.nc")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("rmse(threshold=3)", r"metric 'rmse\(threshold=3\)' takes no parameters; write 'rmse'"),
        ("made_up_brier", "metric 'made_up_brier' takes threshold; write 'made_up_brier\\(threshold=...\\)'"),
        ("rmse(3)", "parameters must read name=value"),
        ("rmse(a=b)", "parameters must read name=value"),
        ("rmsse", "did you mean 'rmse'"),
    ],
)
def test_a_metric_that_cannot_be_is_said_in_one_line(name, message, monkeypatch):
    monkeypatch.setitem(registry._entries, "made_up_brier", lambda threshold: Metric((Exceeds(threshold),), itself))
    assert find("made_up_brier(threshold=300)").statistics == (Exceeds(300),)
    with pytest.raises(UserError, match=message):
        find(name)
