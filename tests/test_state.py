"""Laws of the bridge between datasets and arrays."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from weatherml.errors import UserError
from weatherml.grid import LatLonGrid
from weatherml.state import Channel, StateSpec, channels_named, on_grid, parse_channels, spec_of, to_array, to_dataset
from weatherml.variables import PRESETS, VARIABLES

SURFACE = sorted(v.name for v in VARIABLES.values() if v.vertical == "surface")
PRESSURE = sorted(v.name for v in VARIABLES.values() if v.vertical == "pressure")
CHANNEL = st.one_of(
    st.sampled_from(SURFACE).map(Channel),
    st.builds(Channel, st.sampled_from(PRESSURE), st.sampled_from([50, 250, 500, 850, 1000])),
)
GRIDS = st.builds(LatLonGrid.regular, st.integers(2, 5), st.integers(2, 6))
SPECS = st.builds(StateSpec, st.lists(CHANNEL, min_size=1, max_size=7, unique=True).map(tuple), GRIDS)
LEADING = {
    "time": np.array(["2012-03-03", "2012-03-04", "2012-03-05"], "datetime64[ns]"),
    "init_time": np.array(["2015-01-01T00", "2015-01-01T06"], "datetime64[ns]"),
    "lead_time": np.array([6, 12, 18, 24], "timedelta64[h]").astype("timedelta64[ns]"),
    "number": np.arange(3),
}
LEADS = st.sampled_from([("time",), ("init_time", "lead_time"), ("init_time", "lead_time", "number")])


def coords_of(dims):
    return {name: LEADING[name] for name in dims}


def random_state(spec, coords, seed=0):
    shape = (*map(len, coords.values()), *spec.shape)
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@settings(max_examples=60)
@given(SPECS, LEADS)
def test_an_array_survives_the_way_through_a_dataset(spec, dims):
    array = random_state(spec, coords_of(dims))
    np.testing.assert_array_equal(to_array(to_dataset(array, spec, coords_of(dims)), spec), array)


@settings(max_examples=30)
@given(SPECS)
def test_a_spec_survives_json_and_stays_hashable(spec):
    again = StateSpec.from_json(spec.to_json())
    assert again == spec
    assert hash(again) == hash(spec)


@given(CHANNEL)
def test_a_channel_reads_its_own_name(channel):
    assert Channel.parse(str(channel)) == channel


@pytest.mark.parametrize(
    ("text", "channel"),
    [
        ("z500", Channel("geopotential", 500)),
        ("u250", Channel("u_component_of_wind", 250)),
        ("t2m", Channel("2m_temperature")),
        ("2t", Channel("2m_temperature")),
        ("10u", Channel("10m_u_component_of_wind")),
        ("u100m", Channel("100m_u_component_of_wind")),
        ("tcwv", Channel("total_column_water_vapour")),
    ],
)
def test_short_names_of_the_field_are_understood(text, channel):
    assert Channel.parse(text) == channel


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("z", "needs a pressure level"),
        ("sst500", "leave the level out"),
        ("geopotentail_500", "did you mean 'geopotential'"),
    ],
)
def test_an_unreadable_channel_says_how_to_write_it(text, message):
    with pytest.raises(UserError, match=message):
        Channel.parse(text)


@pytest.mark.parametrize("name", ["u10", "v10", "u100", "v100"])
def test_what_cds_calls_wind_near_the_ground_is_that_unless_there_is_such_a_level(name):
    height, component = name[1:], name[0]
    near_ground = Channel(f"{height}m_{component}_component_of_wind")
    assert Channel.parse(name) == Channel.parse(name, {50, 500}) == near_ground
    assert parse_channels(["z500", name])[1] == near_ground
    refusal = f"channel '{name}' is wind at {height} m or at {height} hPa, which is there, too; write '{name}m' or '"
    for read in (lambda: Channel.parse(name, {int(height)}), lambda: parse_channels([name, f"t{height}"])):
        with pytest.raises(UserError, match=f"{refusal}{component}_component_of_wind_{height}'"):
            read()


def test_data_tell_what_a_name_means():
    grid = LatLonGrid.regular(3, 4)
    low = StateSpec(parse_channels(["u500", "u10m"]), grid)
    high = StateSpec(parse_channels(["u_component_of_wind_10", "u10m"]), grid)
    for spec in (low, high):
        dataset = to_dataset(random_state(spec, coords_of(["time"])), spec, coords_of(["time"]))
        reads = (
            lambda spec=spec: spec.channels[spec.index("u10")],
            lambda dataset=dataset: spec_of(dataset, ["u10"]).channels[0],
            lambda spec=spec: spec.channels[channels_named("amplitude", "u10", spec)[0]],
        )
        for read in reads:
            if spec is low:
                assert read() == Channel("10m_u_component_of_wind")
            else:
                with pytest.raises(UserError, match="wind at 10 m or at 10 hPa"):
                    read()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("t2", "no channel 'temperature_2'; it is there at 850 hPa, and 't2m' is that at 2 m"),
        ("d2", "no channel 'divergence_2'; it is there at 500 hPa$"),
        ("z2", "no channel 'geopotential_2'; it is there at 500 hPa$"),
    ],
)
def test_a_level_that_was_meant_as_a_height_is_named(name, reason):
    spec = StateSpec(parse_channels(["t850", "z500", "d500"]), LatLonGrid.regular(3, 4))
    with pytest.raises(UserError, match=reason):
        spec.index(name)


def test_fields_keep_their_places_whatever_the_order_of_the_channels():
    grid = LatLonGrid.regular(3, 4)
    spec = StateSpec(parse_channels(["z500", "t2m", "z50"]), grid)
    array = random_state(spec, coords_of(["time"]))
    dataset = to_dataset(array, spec, coords_of(["time"]))
    np.testing.assert_array_equal(dataset["geopotential"].sel(level=50), array[:, 2])
    np.testing.assert_array_equal(dataset["2m_temperature"], array[:, 1])
    swapped = StateSpec(parse_channels(["t2m", "z50", "z500"]), grid)
    np.testing.assert_array_equal(to_array(dataset, swapped), array[:, [1, 2, 0]])


def test_ragged_levels_are_nan_outside_the_state():
    spec = StateSpec(parse_channels(PRESETS["fourcastnet"]), LatLonGrid.regular(3, 4))
    dataset = to_dataset(random_state(spec, coords_of(["time"])), spec, coords_of(["time"]))
    assert dataset["level"].values.tolist() == [50, 500, 850, 1000]
    assert np.isnan(dataset["temperature"].sel(level=50)).all()
    assert np.isfinite(dataset["geopotential"]).all()


def test_a_transposed_dataset_gives_the_same_array():
    spec = StateSpec(parse_channels(["z500", "t2m"]), LatLonGrid.regular(3, 4))
    array = random_state(spec, coords_of(["init_time", "lead_time"]))
    dataset = to_dataset(array, spec, coords_of(["init_time", "lead_time"]))
    turned = dataset.transpose("longitude", "lead_time", "latitude", "init_time", "level")
    np.testing.assert_array_equal(to_array(turned, spec), array)


def test_a_forecast_knows_its_valid_time():
    spec = StateSpec(parse_channels(["t2m"]), LatLonGrid.regular(3, 4))
    coords = coords_of(["init_time", "lead_time"])
    valid = to_dataset(random_state(spec, coords), spec, coords)["valid_time"]
    assert valid.dims == ("init_time", "lead_time")
    assert valid.values[1, 2] == np.datetime64("2015-01-02T00", "ns")


def test_units_travel_with_the_fields():
    spec = StateSpec(parse_channels(["z500"]), LatLonGrid.regular(3, 4))
    dataset = to_dataset(random_state(spec, coords_of(["time"])), spec, coords_of(["time"]))
    assert dataset["geopotential"].attrs["units"] == "m2 s-2"
    assert dataset["level"].attrs["units"] == "hPa"


def test_spec_of_lists_every_time_dependent_field_and_no_static_one():
    spec = StateSpec(parse_channels(["t2m", "z500", "z850"]), LatLonGrid.regular(3, 4))
    dataset = to_dataset(random_state(spec, coords_of(["time"])), spec, coords_of(["time"]))
    dataset["land_sea_mask"] = (("latitude", "longitude"), np.zeros((3, 4)))
    assert spec_of(dataset) == spec


@pytest.mark.parametrize(
    ("channels", "message"),
    [
        (["z700"], r"geopotential has no level 700 hPa; it is there at 500, 850 hPa"),
        (["q500"], "no variable 'specific_humidity'"),
        (["t2m", "2t"], "named twice"),
        ([], "at least one channel"),
    ],
)
def test_a_channel_that_is_not_there_is_named(channels, message):
    spec = StateSpec(parse_channels(["t2m", "z500", "z850"]), LatLonGrid.regular(3, 4))
    dataset = to_dataset(random_state(spec, coords_of(["time"])), spec, coords_of(["time"]))
    with pytest.raises(UserError, match=message):
        spec_of(dataset, channels)


def test_another_grid_is_refused():
    spec = StateSpec(parse_channels(["t2m"]), LatLonGrid.regular(3, 4))
    dataset = to_dataset(random_state(spec, coords_of(["time"])), spec, coords_of(["time"]))
    with pytest.raises(UserError, match="another grid"):
        to_array(dataset.isel(longitude=slice(0, 3)), spec)


def test_rows_and_columns_that_a_grid_leaves_out_are_dropped():
    spec = StateSpec(parse_channels(["t2m"]), LatLonGrid.regular(5, 8))
    dataset = to_dataset(random_state(spec, coords_of(["time"])), spec, coords_of(["time"]))
    smaller = LatLonGrid(spec.grid.latitude[:-1], spec.grid.longitude[::2])
    xr.testing.assert_equal(on_grid(dataset, smaller), dataset.isel(latitude=slice(0, 4), longitude=slice(0, 8, 2)))


@pytest.mark.parametrize("other", [LatLonGrid.regular(6, 8), LatLonGrid.regular(5, 8, poles=False)])
def test_a_grid_with_rows_that_are_not_there_is_left_to_be_refused(other):
    spec = StateSpec(parse_channels(["t2m"]), LatLonGrid.regular(5, 8))
    dataset = to_dataset(random_state(spec, coords_of(["time"])), spec, coords_of(["time"]))
    assert on_grid(dataset, other) is dataset


def test_a_wrong_shape_is_refused():
    spec = StateSpec(parse_channels(["t2m"]), LatLonGrid.regular(3, 4))
    with pytest.raises(UserError, match=r"must end in \[channel, lat, lon\] = \[1, 3, 4\], got \[1, 4, 3\]"):
        to_dataset(np.zeros((3, 1, 4, 3)), spec, coords_of(["time"]))
    with pytest.raises(UserError, match="must begin with"):
        to_dataset(np.zeros((2, 1, 3, 4)), spec, coords_of(["time"]))


def test_a_dataset_without_coordinates_is_refused():
    with pytest.raises(UserError, match="no latitude and no longitude"):
        spec_of(xr.Dataset())


def test_a_state_takes_fields_of_its_grid_whatever_their_last_digits():
    """Rows of no known grid: others are kept exactly wherever they come from."""
    grid = LatLonGrid((51.2346, 40.1, 33.3334), (3.0, 7.5, 9.0, 30.0))
    spec = StateSpec(parse_channels(["t2m"]), grid)
    array = random_state(spec, coords_of(["time"]))
    dataset = to_dataset(array, spec, coords_of(["time"]))
    moved = dataset.assign_coords(latitude=dataset["latitude"] - 1e-4)
    np.testing.assert_array_equal(to_array(moved, spec), array)
    xr.testing.assert_identical(on_grid(moved, grid)["latitude"], dataset["latitude"])
    with pytest.raises(UserError, match="another grid"):
        to_array(dataset.assign_coords(latitude=dataset["latitude"] - 0.2), spec)
