"""Rivers planted in fields: as long, wide and directed as they are, and no other than the definition says."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from planted_rivers import band, fields

from weatherml.errors import UserError
from weatherml.extremes.hazards.registry import find
from weatherml.extremes.hazards.rivers import FIXED, STRONG, Definition, climatology, probability, rivers, transport
from weatherml.extremes.thresholds import local_quantile
from weatherml.grid import LatLonGrid
from weatherml.references import ConstantReference

GRID = LatLonGrid.regular(121, 240)
CELL = 167.0  # km


def apart(one, other, turn=360):
    """Degrees between two directions."""
    return abs((one - other + turn / 2) % turn - turn / 2)


@pytest.mark.parametrize(
    ("grid", "cell", "centre", "turn", "length", "width"),
    [
        (GRID, CELL, (40, 180), 30, 4000, 500),
        (GRID, CELL, (40, 179), 45, 3000, 600),
        (GRID, CELL, (-45, 0), 150, 5000, 600),
        (GRID, CELL, (60, 300), 20, 3500, 500),
        (GRID, CELL, (40, 100), 0, 3000, 500),
        (LatLonGrid.gaussian(96, 192), 208.0, (35, 359), 60, 4500, 600),
        (LatLonGrid.regular(73, 144), 278.0, (-40, 181), 120, 5000, 700),
    ],
)
def test_a_river_has_the_length_width_and_direction_that_it_was_planted_with(grid, cell, centre, turn, length, width):
    labels, table = rivers(fields(grid, band(grid, centre, turn, length, width)), FIXED)
    assert table.sizes["record"] == 1 and labels.max() == 1
    own = {name: table[name].item() for name in table.data_vars if name != "time"}
    assert own["length"] == pytest.approx(length, abs=0.6 * cell)
    assert own["width"] == pytest.approx(width, abs=0.6 * cell)
    assert apart(own["axis"], turn, 180) < 2
    assert apart(own["direction"], turn) < 2
    assert own["latitude"] == pytest.approx(centre[0], abs=1)
    assert apart(own["longitude"], centre[1]) < 1
    assert own["transport"] == pytest.approx(600) and own["maximum"] == pytest.approx(600)
    assert own["coherent_share"] == 1


def test_a_river_that_bends_is_as_long_as_it_is():
    """Along 50 N from 150 E to 210 E, a third longer than the great circle; poleward drift so that it is one."""
    latitude, longitude = np.meshgrid(GRID.latitude, GRID.longitude, indexing="ij")
    inside = (abs(latitude - 50) < 2.3) & (longitude > 134) & (longitude < 226)
    flow = np.where(inside, 600.0, 10.0)
    given = fields(GRID, (flow * np.sin(np.radians(60)), flow * np.cos(np.radians(60))))
    _, table = rivers(given, replace(FIXED, coherent_share=0))
    along = np.radians(1.5 * np.ptp(np.flatnonzero(inside.any(axis=0))) + 1.5) * 6371 * np.cos(np.radians(50))
    assert table["length"].item() == pytest.approx(along, rel=0.06)


def test_over_a_pole_transport_runs_on_in_one_direction():
    over, table = rivers(fields(GRID, band(GRID, (88, 10), 0, 4000, 600)), replace(FIXED, poleward=-1000.0))
    assert over.values[0, 0].all()
    assert table["coherent_share"].item() > 0.9
    assert apart(table["direction"].item(), table["axis"].item(), 180) < 5


STRAIGHT = (40, 180), 30, 4000, 500


@pytest.mark.parametrize(
    ("planted", "changed"),
    [
        (((40, 180), 30, 1700, 500), {"length": 1500.0}),
        (((40, 180), 30, 2600, 1600), {"length_to_width": 1.2}),
        (((40, 180), 150, 4000, 500), {"poleward": -1000.0}),
        (((40, 180), 30, 4000, 500, 600.0, 60.0), {"axis_angle": 70.0, "poleward": -1000.0}),
        (((40, 180), 30, 4000, 500, 240.0), {"transport": 200.0}),
        (((12, 180), 60, 2400, 300), {"least_latitude": 0.0, "coherent_share": 0.0}),
    ],
)
def test_each_threshold_alone_keeps_out_what_is_no_river(planted, changed):
    given = fields(GRID, band(GRID, *planted))
    assert not rivers(given, FIXED)[0].any()
    assert (rivers(given, replace(FIXED, **changed))[0].max() == 1).all()


def test_a_band_whose_transport_runs_apart_is_none():
    eastward, northward = band(GRID, *STRAIGHT)
    chaos = np.random.default_rng(0).uniform(-1, 1, GRID.shape) * np.pi
    turned = np.cos(chaos) * eastward + np.sin(chaos) * northward, np.cos(chaos) * northward - np.sin(chaos) * eastward
    lax = replace(FIXED, poleward=-1000.0, axis_angle=90.0)
    assert not rivers(fields(GRID, turned), lax)[0].any()
    assert rivers(fields(GRID, turned), replace(lax, coherent_share=0.0))[0].any()


def test_rivers_are_numbered_at_each_time_and_those_left_out_are_not():
    both = tuple(np.where(abs(one) > abs(other), one, other) for one, other in zip(
        band(GRID, *STRAIGHT), band(GRID, (-45, 20), 150, 4000, 500), strict=True
    ))  # fmt: skip
    short = band(GRID, (40, 180), 30, 800, 500)
    labels, table = rivers(fields(GRID, both, short, both), FIXED)
    assert labels.max(["latitude", "longitude"]).values.tolist() == [2, 0, 2]
    assert table["label"].values.tolist() == [1, 2, 1, 2]
    np.testing.assert_array_equal(table["time"], labels["time"].values[[0, 0, 2, 2]])
    for time, number, area in zip(table["time"], table["label"], table["area"], strict=True):
        cells = GRID.cell_areas()[:, None] * (labels.sel(time=time) == number)
        assert area == pytest.approx(cells.sum().item() * 6371**2)


def test_one_time_is_read_after_the_other():
    given = fields(GRID, *[band(GRID, *STRAIGHT)] * 3)
    read = []

    def reading(block, block_info):
        read.append(block_info[0]["array-location"][0][0] if block.size else None)
        return block

    lazy = given.chunk(time=1).map(lambda own: own.copy(data=own.data.map_blocks(reading, dtype=own.dtype)))
    labels, _ = rivers(lazy, FIXED)
    assert (labels.max(["latitude", "longitude"]) == 1).all()
    known = [number for number in read if number is not None]
    assert known == sorted(known) and set(known) == {0, 1, 2} and len(known) == 6


def test_transport_above_the_climatological_percentile_counts():
    given = fields(GRID, *[band(GRID, *STRAIGHT, strength=300.0 + i) for i in range(10)])
    normal = climatology(given, ("2020", "2020"))
    last = given.isel(time=[9])
    assert (rivers(last, Definition(), normal)[1]["label"] == [1]).all()
    assert not rivers(given.isel(time=[2]), Definition(), normal)[0].any()
    exact = local_quantile(transport(given)[["integrated_vapor_transport"]], 0.85, ("2020", "2020"))
    xr.testing.assert_equal(rivers(last, Definition(), ConstantReference(exact))[0], rivers(last, threshold=normal)[0])


def test_without_a_climatology_the_message_says_what_to_pass():
    with pytest.raises(UserError, match=r"exceed the 85th percentile .* or a definition with percentile=None"):
        rivers(fields(GRID, band(GRID, *STRAIGHT)))


def test_transport_is_of_humidity_and_wind_where_there_are_no_fluxes():
    levels = {"level": [300, 500, 850, 1000], "latitude": [10.0, 0.0], "longitude": [0.0, 10.0, 20.0]}
    one = xr.DataArray(np.ones((4, 2, 3)), levels)
    given = xr.Dataset(
        {"specific_humidity": 0.01 * one, "u_component_of_wind": 3 * one, "v_component_of_wind": 4 * one}
    )
    own = transport(given)
    np.testing.assert_allclose(own["integrated_vapor_transport"], 0.01 * 5 * 70000 / 9.80665, rtol=1e-6)
    ground = given.assign(surface_pressure=xr.full_like(one[0], 65000.0))
    np.testing.assert_allclose(transport(ground)["integrated_vapor_transport"], 0.05 * 35000 / 9.80665, rtol=1e-6)
    with pytest.raises(UserError, match="transport of vapour needs specific_humidity, and the fields have"):
        transport(given.drop_vars("specific_humidity"))


def test_probability_is_the_share_of_members_with_a_river():
    moved = [band(GRID, (40, east), 30, 4000, 500) for east in (174, 177, 180)]
    member = [fields(GRID, own, own).rename(time="lead_time") for own in moved]
    leads = np.array([6, 12]) * np.timedelta64(1, "h").astype("timedelta64[ns]")
    forecast = xr.concat(member, "number").assign_coords(lead_time=leads, number=[0, 1, 2])
    forecast = forecast.expand_dims(init_time=[np.datetime64("2020-01-01", "ns")])
    share = probability(forecast, FIXED)
    assert share.dims == ("init_time", "lead_time", "latitude", "longitude")
    each = np.mean([rivers(fields(GRID, own), FIXED)[0].values[0] > 0 for own in moved], axis=0)
    np.testing.assert_allclose(share[0, 1], each, rtol=1e-6)
    assert set(np.round(3 * np.unique(share)).astype(int)) == {0, 1, 2, 3}


def test_cases_know_rivers():
    hazard = find("atmospheric_river")
    given = fields(GRID, band(GRID, *STRAIGHT))
    strong = hazard.define({"percentile": None, "transport": 500, "least_latitude": 15})
    assert strong == STRONG
    assert hazard.event(given, strong, None).dtype == bool and hazard.event(given, strong, None).any()
    assert hazard.index(given, strong, None).attrs["units"] == "kg m-1 s-1"
    with pytest.raises(UserError, match="percentile must lie between 0 and 100, got 101"):
        Definition(percentile=101)


@pytest.mark.parametrize("wrong", [{"transport": -5.0}, {"length": -1.0}, {"window_days": 4}])
def test_a_river_of_less_than_nothing_is_refused(wrong):
    with pytest.raises(UserError, match="is no atmospheric river"):
        Definition(**wrong)


def test_where_a_member_is_missing_there_is_no_probability():
    one = fields(GRID, band(GRID, (40, 180), 30, 4000, 500)).rename(time="lead_time")
    lacking = one.where(one["longitude"] != 180)
    leads = np.array([6]) * np.timedelta64(1, "h").astype("timedelta64[ns]")
    forecast = xr.concat([one, lacking], "number").assign_coords(lead_time=leads, number=[0, 1])
    share = probability(forecast.expand_dims(init_time=[np.datetime64("2020-01-01", "ns")]), FIXED)
    assert (share.isnull() == (share["longitude"] == 180)).all()
