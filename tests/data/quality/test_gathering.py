"""The pass keeps what brute force finds, however the values lie in blocks."""

import dask
import numpy as np
import pytest
import xarray as xr
from fake_data import analyses

from weatherml.data.quality.gathering import blocks, gather
from weatherml.data.quality.gathering.coarsening import Coarsening
from weatherml.data.quality.gathering.numbers.lags import Lagged
from weatherml.grid import LatLonGrid
from weatherml.state import Channel

T2M, Z500 = Channel("2m_temperature"), Channel("geopotential", 500)
HOURLY = analyses({"2m_temperature": (), "geopotential": (500, 850)}, times=61, step="1h", start="2001-01-30T00")
HOURLY = HOURLY + np.float32(10)
LATER = np.datetime64("2001-01-30", "ns")


def with_holes(dataset):
    """Missing cells that come and go, cells that never have a value, a time without any, and exact zeros."""
    field = dataset["2m_temperature"].copy(deep=True)
    field[5, 2:4, 1:6] = np.nan
    field[:, 6, 0] = np.inf
    field[17] = np.nan
    field[20, 0, :3] = 0.0
    return dataset.assign({"2m_temperature": field})


@pytest.fixture(params=["one block", "blocks of 2 times", "dask", "levels apart"])
def cut(request, monkeypatch):
    """Returns a dataset that is read in blocks of some kind."""
    if request.param == "blocks of 2 times":
        monkeypatch.setattr(blocks, "_BLOCK_BYTES", 1400)
    chunks = {"dask": {"time": 7}, "levels apart": {"time": 13, "level": 1}}.get(request.param)
    if request.param == "levels apart":
        monkeypatch.setattr(blocks, "_BLOCK_BYTES", 4)
    return lambda dataset: dataset.chunk(chunks) if chunks else dataset


def evidence_of(field):
    """Returns series and means over time of `[time, lat, lon]` by brute force in float64."""
    values = np.where(np.isfinite(field), field, np.nan).astype(np.float64)
    weights = np.broadcast_to(LatLonGrid.from_dataset(field).area_weights(), values.shape) * np.isfinite(values)
    with np.errstate(invalid="ignore"):
        mean = np.nansum(values * weights, (1, 2)) / weights.sum((1, 2))
        apart = np.square(values - mean[:, None, None])
        std = np.sqrt(np.nansum(apart * weights, (1, 2)) / weights.sum((1, 2)))
    return values, mean, std


@pytest.mark.filterwarnings("ignore:.*(empty slice|All-NaN|Degrees of freedom).*")
@pytest.mark.parametrize("channel", [T2M, Z500])
def test_series_and_cells_are_those_of_brute_force(cut, channel):
    dataset = with_holes(HOURLY)
    gathered = gather(cut(dataset))
    field = dataset[channel.variable].sel(level=channel.level) if channel.level else dataset[channel.variable]
    values, mean, std = evidence_of(field)
    own = gathered.channels[channel]
    np.testing.assert_allclose(own.series.mean, mean, rtol=1e-6)
    np.testing.assert_allclose(own.series.std, std, rtol=1e-4)
    np.testing.assert_array_equal(own.series.minimum, np.nanmin(values, (1, 2)))
    np.testing.assert_array_equal(own.series.maximum, np.nanmax(values, (1, 2)))
    np.testing.assert_array_equal(own.series.n_missing, np.isnan(values).sum((1, 2)))
    np.testing.assert_array_equal(own.series.n_zero, (values == 0).sum((1, 2)))
    np.testing.assert_allclose(own.cells.mean, np.nanmean(values, 0), rtol=1e-6)
    np.testing.assert_allclose(own.cells.std, np.nanstd(values, 0), rtol=1e-4)
    cubes = np.nanmean((values - np.nanmean(values, 0)) ** 3, 0) / np.nanstd(values, 0) ** 3
    np.testing.assert_allclose(own.cells.skewness, cubes, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(own.cells.presence, np.isfinite(values).mean(0))


@pytest.mark.filterwarnings("ignore:.*(empty slice|Mean of empty).*")
def test_changes_reach_over_blocks_and_days(cut):
    dataset = with_holes(HOURLY)
    series = gather(cut(dataset)).channels[T2M].series
    values, _, _ = evidence_of(dataset["2m_temperature"])
    weights = LatLonGrid.from_dataset(dataset).area_weights()[None]

    def change(lag):
        squares = np.square(values[lag:] - values[:-lag])
        total = np.nansum(squares * weights, (1, 2)) / (np.isfinite(squares) * weights).sum((1, 2))
        return np.concatenate([np.full(lag, np.nan), np.sqrt(total)])

    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(series.change, change(1), rtol=1e-5)
        np.testing.assert_allclose(series.day_change, change(24), rtol=1e-5)


def test_months_and_hours_are_apart(cut):
    cells = gather(cut(HOURLY)).channels[Z500].cells
    field = HOURLY["geopotential"].sel(level=500)
    for group, means, n_groups in (("month", cells.by_month, 2), ("hour", cells.by_hour, 24)):
        expected = field.groupby(f"time.{group}").mean()
        places = expected[group].values - (group == "month")
        np.testing.assert_allclose(means[places], expected.values, rtol=1e-6)
        assert np.isfinite(means).any((1, 2)).sum() == n_groups


def test_masks_tell_never_from_sometimes(cut):
    gathered = gather(cut(with_holes(HOURLY)))
    own, whole = gathered.channels[T2M], gathered.channels[Z500]
    assert own.never.sum() == 1 and own.never[6, 0]
    assert own.sometimes.sum() == 10 and own.sometimes[2:4, 1:6].all()
    assert whole.never is None and whole.sometimes is None


def test_equal_fields_and_no_others_have_equal_fingerprints(cut):
    dataset = HOURLY.copy(deep=True)
    dataset["2m_temperature"][40] = dataset["2m_temperature"][3]
    dataset["2m_temperature"][41] = dataset["2m_temperature"][3].values[:, ::-1]
    prints = gather(cut(dataset)).channels[T2M].series.fingerprint
    assert prints[40] == prints[3] and len(set(prints)) == 60


def test_rows_and_columns_are_compared_with_their_neighbours(cut):
    rows = gather(cut(HOURLY)).channels[T2M].rows
    field = HOURLY["2m_temperature"].values.astype(np.float64)
    np.testing.assert_allclose(rows.zonal_std, field.std(2).mean(0), rtol=1e-5)
    np.testing.assert_allclose(rows.row_change, np.sqrt(np.square(np.diff(field, axis=1)).mean((0, 2))), rtol=1e-5)
    around = np.square(np.roll(field, -1, axis=2) - field)
    np.testing.assert_allclose(rows.column_change, np.sqrt(around.mean((0, 1))), rtol=1e-5)


def test_snapshots_are_of_all_channels_at_the_same_times(cut):
    gathered = gather(cut(HOURLY))
    assert list(gathered.channels) == [T2M, Z500, Channel("geopotential", 850)]
    for time, fields in zip(gathered.snapshots.times, gathered.snapshots.values, strict=True):
        np.testing.assert_array_equal(fields[0], HOURLY["2m_temperature"].sel(time=time))
        np.testing.assert_array_equal(fields[1:], HOURLY["geopotential"].sel(time=time))


def test_members_of_a_time_count_together():
    members = xr.concat([HOURLY + k for k in range(3)], "number").transpose("time", "number", "level", ...)
    one, three = gather(HOURLY).channels[T2M], gather(members.astype(np.float32)).channels[T2M]
    np.testing.assert_allclose(three.series.mean, one.series.mean + 1, rtol=1e-6)
    np.testing.assert_allclose(three.series.maximum, one.series.maximum + 2, rtol=1e-6)
    np.testing.assert_allclose(three.series.change, one.series.change, rtol=1e-3)
    np.testing.assert_allclose(three.cells.mean, one.cells.mean + 1, rtol=1e-6)


def test_static_fields_stay_whole_beside_others():
    mask = HOURLY["2m_temperature"].isel(time=0, drop=True).rename("land_sea_mask")
    gathered = gather(HOURLY[["2m_temperature"]].assign(land_sea_mask=mask))
    assert list(gathered.channels) == [T2M]
    np.testing.assert_array_equal(gathered.static["land_sea_mask"], mask)
    alone = gather(mask.to_dataset())
    assert not alone.channels and alone.static.keys() == {"land_sea_mask"} and alone.times.size == 0


def test_fields_without_a_time_are_one_field():
    gathered = gather(HOURLY[["2m_temperature"]].isel(time=0, drop=True))
    assert gathered.times.size == 0 and gathered.channels[T2M].series.mean.shape == (1,)
    assert gathered.snapshots.values.shape == (1, 1, 7, 12)


@pytest.mark.parametrize("scheduler", ["synchronous", "threads", "client"])
def test_any_scheduler_of_dask_gathers_the_same(scheduler):
    distributed = pytest.importorskip("distributed")
    dataset, expected = HOURLY.chunk(time=20), gather(HOURLY).channels[Z500].cells
    own = dask.config.set(scheduler=scheduler) if scheduler != "client" else distributed.Client(processes=False)
    with own:
        cells = gather(dataset).channels[Z500].cells
    np.testing.assert_allclose(cells.std, expected.std, rtol=1e-5)


# ---- Small fields


@pytest.mark.parametrize(
    ("grid", "shape"),
    [
        (LatLonGrid.regular(721, 1440), (73, 144)),
        (LatLonGrid.regular(720, 1440, poles=False), (72, 144)),
        (LatLonGrid.regular(73, 144), (73, 144)),
        (LatLonGrid.regular(181, 360), (91, 180)),
        (LatLonGrid.gaussian(160, 320), (80, 160)),
        (LatLonGrid((50.0, 49.0, 48.0, 47.0, 46.0), (0.0, 1.0, 2.0, 358.0, 359.0)), (3, 3)),
    ],
)
def test_coarse_grids_are_as_wide_as_2_5_degrees_allow(grid, shape):
    assert Coarsening.of(grid).coarse.shape == shape


@pytest.mark.parametrize("n_lat", [361, 360])
def test_block_means_of_a_plane_lie_in_the_plane(n_lat):
    coarsening = Coarsening.of(LatLonGrid.regular(n_lat, 720, poles=n_lat == 361))
    fine, coarse = (
        np.add.outer(np.asarray(grid.latitude), 0.1 * np.asarray(grid.longitude))
        for grid in (coarsening.grid, coarsening.coarse)
    )
    assert fine.size == pytest.approx(25 * coarse.size, rel=0.02)
    np.testing.assert_allclose(coarsening.means(fine[None].astype(np.float32), None)[0], coarse, atol=1e-3)


def test_block_means_pass_over_what_is_missing():
    grid = LatLonGrid.regular(181, 360)
    finite = np.ones((1, 181, 360), bool)
    finite[0, 1, 0], finite[0, 89:92, 10:12] = False, False
    means = Coarsening.of(grid).means(np.where(finite, np.float32(3), np.float32(0)), finite)
    assert np.isnan(means).sum() == 1 and np.isnan(means[0, 45, 5]) and np.nanmax(np.abs(means - 3)) == 0


def test_what_is_missing_is_not_zero_to_a_fingerprint(cut):
    holes = HOURLY.copy(deep=True)
    holes["2m_temperature"][:3] = holes["2m_temperature"][0]
    holes["2m_temperature"][0, 2, 2] = 0
    holes["2m_temperature"][1:3, 2, 2] = [np.nan, np.inf]  # neither is a value
    zero, *missing = gather(cut(holes)).channels[T2M].series.fingerprint[:3]
    assert missing[0] == missing[1] != zero


@pytest.mark.parametrize("order", ["rising", "falling", "the same"])
def test_fields_that_are_held_for_later_blocks_are_those_of_a_day_at_most(order):
    times = HOURLY["time"].values[:: 1 if order == "rising" else -1] if order != "the same" else np.repeat(LATER, 61)
    fields = np.zeros((61, 1, 1, 2, 2), np.float32)
    held = Lagged(times[:1], fields[:1])
    for start in range(1, 61, 10):
        held = (held + Lagged(times[start : start + 10], fields[start : start + 10])).last_day()
    assert len(held.times) == (25 if order == "rising" else 1)
