"""Reduction: statistics of an ensemble are those of its members, whatever the batches."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from in_memory_statistics import Accumulator
from tiny_forecast import SPEC, TIME_STEP, TIMES

from weatherml.config import from_mapping
from weatherml.errors import UserError
from weatherml.forecast.statistics.config import StatisticsConfig
from weatherml.forecast.statistics.dataset import assemble
from weatherml.state import Channel, to_dataset

LEADS = np.arange(1, 4) * TIME_STEP
CONFIG = StatisticsConfig(
    minimum=True, maximum=True, quantiles=(0.1, 0.5), thresholds={"t850": (250.0, 260.0), "sst": (271.0,)}
)
Z500 = Channel("geopotential", 500)


def draw(n_members=7):
    """Return members [member, lead, channel, lat, lon] with a mask and a failed member."""
    members = np.random.default_rng(5).normal(255, 9, (n_members, 3, *SPEC.shape)).astype(np.float32)
    members[:, :, SPEC.index("sst"), 2:5, 3:7] = np.nan
    members[4, 1:] = np.nan
    return members


def reduce(members, config=CONFIG, batches=(3, 5)):
    results = []
    for position, channel in enumerate(SPEC.channels):
        accumulator = Accumulator(config, channel, members.shape[1:2] + SPEC.grid.shape)
        for batch in np.split(members[:, :, position], batches):
            accumulator.update(batch)
        results.append(accumulator.results())
    return assemble(results, SPEC, config, TIMES[0], LEADS)


@pytest.fixture(scope="module")
def members():
    coords = {"init_time": TIMES[:1], "lead_time": LEADS, "number": np.arange(7)}
    return to_dataset(np.moveaxis(draw(), 0, 1)[None], SPEC, coords)


@pytest.fixture(scope="module")
def reduced():
    return reduce(draw())


@pytest.mark.filterwarnings("ignore:.*(empty slice|NaN|Degrees)")
@pytest.mark.parametrize("variable", ["geopotential", "temperature", "sea_surface_temperature"])
def test_every_statistic_is_that_of_the_members_that_did_not_fail(members, reduced, variable):
    field = members[variable].astype(np.float64)
    expected = {
        "mean": field.mean("number"),
        "spread": field.std("number", ddof=1),
        "minimum": field.min("number"),
        "maximum": field.max("number"),
        "quantile": field.quantile([0.1, 0.5], "number").transpose("init_time", "lead_time", "quantile", ...),
        "count": field.notnull().sum("number"),
    }
    for statistic, values in expected.items():
        found = reduced[f"{variable}_{statistic}"]
        assert found.dims == values.dims
        np.testing.assert_allclose(found.values, values.values, rtol=1e-6)


def test_exceedance_is_the_share_of_members_above(members, reduced):
    field = members["temperature"].sel(level=850, drop=True)
    for threshold in (250, 260):
        expected = (field > threshold).sum("number") / field.notnull().sum("number")
        found = reduced["temperature_850_exceedance"].sel(temperature_850_threshold=threshold, drop=True)
        np.testing.assert_allclose(found.values, expected.values, rtol=1e-6)
    assert np.isnan(reduced["sea_surface_temperature_exceedance"].values[..., 3, 4]).all()


def test_names_units_and_cell_methods_say_what_the_fields_are(reduced):
    assert reduced["geopotential_mean"].attrs == {
        "units": "m2 s-2",
        "long_name": "ensemble mean of geopotential",
        "standard_name": "geopotential",
        "cell_methods": "realization: mean",
        "ancillary_variables": "geopotential_count",
    }
    assert reduced["geopotential_spread"].attrs["cell_methods"] == "realization: standard_deviation"
    assert reduced["geopotential_count"].dtype == np.int32
    assert reduced["geopotential_count"].attrs["units"] == "1"
    assert reduced["temperature_850_threshold"].attrs["units"] == "K"
    assert reduced["temperature_850_exceedance"].attrs["long_name"] == (
        "share of members with temperature 850 hPa above a threshold"
    )
    assert reduced["valid_time"].dims == ("init_time", "lead_time")


@given(st.permutations(range(7)), st.integers(0, 7))
def test_merged_accumulators_are_those_of_all_members_in_any_order(order, cut):
    members = draw()[list(order), :, 0]
    merged, other = (Accumulator(CONFIG, Z500, members.shape[1:]) for _ in range(2))
    merged.update(members[:cut])
    other.update(members[cut:])
    merged.merge(other)
    whole = Accumulator(CONFIG, Z500, members.shape[1:])
    whole.update(draw()[:, :, 0])
    for name, expected in whole.results().items():
        np.testing.assert_allclose(merged.results()[name], expected, rtol=1e-5)


def test_only_what_is_asked_for_is_kept():
    reduced = reduce(draw(), StatisticsConfig(spread=False))
    assert {str(name).rsplit("_", 1)[1] for name in reduced.data_vars} == {"mean", "count"}
    assert Accumulator(StatisticsConfig(), Z500, (2,)).sketch is None


@pytest.mark.parametrize("n_members", [5, 100])
def test_memory_of_a_cell_is_what_its_arrays_take(n_members):
    accumulator = Accumulator(CONFIG.model_copy(update={"sketch_size": 16}), Channel("temperature", 850), (1,))
    accumulator.update(np.ones((n_members, 1), np.float32))
    moments = sum(array.nbytes for array in vars(accumulator.moments).values())
    moments += accumulator.n_above.nbytes
    sketch = sum(level.slots.nbytes for level in accumulator.sketch._levels)
    stated = CONFIG.model_copy(update={"sketch_size": 16}).bytes_per_cell(n_members, Channel("temperature", 850))
    assert stated == moments + sketch


def test_the_size_of_the_result_is_foreseen(reduced):
    ragged = sum(
        reduced[f"{name}_{s}"].nbytes for name in ("geopotential", "u_component_of_wind") for s in CONFIG.fields
    )
    ragged += sum(reduced[f"{name}_count"].nbytes for name in ("geopotential", "u_component_of_wind"))
    ragged += sum(reduced[f"{name}_quantile"].nbytes for name in ("geopotential", "u_component_of_wind"))
    whole = sum(field.nbytes for field in reduced.data_vars.values())
    assert len(LEADS) * CONFIG.result_bytes(SPEC) == whole - ragged // 2  # each has one of two levels


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"quantiles": [0.5, 0.1]}, r"quantiles must rise within 0 .. 1, got \[0.5, 0.1\]"),
        ({"quantiles": [90]}, "quantiles must rise within 0 .. 1"),
        ({"thresholds": {"t851x": [1]}}, "unknown variable 't851x'"),
        ({"thresholds": {"t850": []}}, "thresholds of t850 must rise"),
        ({"sketch_size": 7}, "sketch_size"),
        ({"mean": False, "spread": False}, "no statistic is asked for"),
    ],
)
def test_wrong_configurations_are_refused(wrong, message):
    with pytest.raises(UserError, match=message):
        from_mapping(StatisticsConfig, wrong)


def test_thresholds_of_channels_that_are_not_kept_are_refused():
    with pytest.raises(UserError, match="the state has no channel 'geopotential_850'"):
        StatisticsConfig(thresholds={"z850": (1.0,)}).require_channels(SPEC)


def test_a_dataset_of_statistics_opens_as_it_was_written(tmp_path, reduced):
    reduced.to_netcdf(tmp_path / "statistics.nc")
    opened = xr.load_dataset(tmp_path / "statistics.nc", decode_timedelta=True)
    xr.testing.assert_allclose(opened, reduced)
