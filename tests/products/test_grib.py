"""GRIB2: what is written is what other readers read, with the keys of an ensemble."""

import numpy as np
import pytest
import xarray as xr
from fake_data import forecasts
from made_forecasts import CHANNELS, made

import weatherml as wml
from weatherml.errors import UserError
from weatherml.grid import LatLonGrid
from weatherml.products.grib import _NO_PARAMETER, _UNKNOWN_PERIODS, grib_bytes, read_grib, write_grib
from weatherml.products.selection import Region, select_region
from weatherml.variables import VARIABLES

eccodes = pytest.importorskip("eccodes")

KEYS = (
    "shortName typeOfLevel level productDefinitionTemplateNumber number perturbationNumber numberOfForecastsInEnsemble"
    " typeOfEnsembleForecast dataType dataDate dataTime stepRange stepUnits stepType validityDate validityTime gridType"
    " bitsPerValue bitmapPresent iScansNegatively jScansPositively"
).split()


def listed(path):
    """Return what grib_ls would: the keys of every message."""
    messages = []
    with open(path, "rb") as file:
        while (message := eccodes.codes_grib_new_from_file(file)) is not None:
            messages.append({key: value_of(message, key) for key in KEYS})
            eccodes.codes_release(message)
    return messages


def value_of(message, key):
    return eccodes.codes_get(message, key) if eccodes.codes_is_defined(message, key) else None


def written(tmp_path, forecast, **options):
    path = tmp_path / "forecast.grib2"
    return path, write_grib(path, forecast, **options)


@pytest.fixture(scope="module")
def forecast():
    return made()


@pytest.fixture(scope="module")
def file(forecast, tmp_path_factory):
    return written(tmp_path_factory.mktemp("grib"), forecast)


def test_all_fields_are_read_back_within_the_stated_error(tmp_path, forecast):
    path, errors = written(tmp_path, forecast.isel(init_time=[1]))
    opened = wml.read_forecast(path).load()
    assert opened["number"].values.tolist() == [0, 1, 2]
    for name in forecast.data_vars:
        expected = forecast[name].isel(init_time=[1]).values
        found = opened[name].values
        np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
        stated = max(error for channel, error in errors.items() if channel.startswith(name))
        rounding = np.spacing(np.nanmax(np.abs(expected)))  # of the reader, to float32
        assert np.nanmax(np.abs(found.astype(np.float64) - expected)) <= stated + rounding
        assert stated <= 1.01 * np.ptp(expected[~np.isnan(expected)]) / 2**16


def test_cfgrib_reads_members_and_steps(tmp_path):
    cfgrib = pytest.importorskip("cfgrib")
    forecast = made(("t2m",))
    path, _ = written(tmp_path, forecast)
    perturbed = cfgrib.open_dataset(str(path), indexpath="", filter_by_keys={"dataType": "pf"})
    assert perturbed["number"].values.tolist() == [1, 2]
    assert perturbed["step"].values.astype("timedelta64[h]").astype(int).tolist() == [6, 12, 18]
    assert perturbed["time"].values.tolist() == forecast["init_time"].values.tolist()
    assert perturbed["t2m"].attrs["units"] == "K"
    expected = forecast["2m_temperature"].sel(number=[1, 2]).transpose("number", "init_time", "lead_time", ...)
    np.testing.assert_allclose(perturbed["t2m"].transpose("number", "time", "step", ...), expected, atol=0.01)


def test_every_message_says_what_it_is(file):
    messages = listed(file[0])
    assert len(messages) == len(CHANNELS) * 2 * 3 * 3
    levels = {(m["shortName"], m["typeOfLevel"], m["level"]) for m in messages}
    assert levels == {
        ("z", "isobaricInhPa", 500),
        ("z", "isobaricInhPa", 850),
        ("t", "isobaricInhPa", 850),
        ("2t", "heightAboveGround", 2),
        ("10u", "heightAboveGround", 10),
        ("100u", "heightAboveGround", 100),
        ("msl", "meanSea", 0),
        ("sp", "surface", 0),
        ("sst", "surface", 0),
        ("tcwv", "entireAtmosphere", 0),
        ("tp", "surface", 0),
    }
    (first,) = (
        m
        for m in messages
        if m["shortName"] == "2t" and m["number"] == 0 and m["validityTime"] == 600 and m["dataDate"] == 20010102
    )
    expected = {
        "productDefinitionTemplateNumber": 1,
        "perturbationNumber": 0,
        "numberOfForecastsInEnsemble": 3,
        "typeOfEnsembleForecast": 1,
        "dataType": "cf",
        "dataTime": 0,
        "stepRange": "6",
        "stepType": "instant",
        "gridType": "regular_ll",
        "bitmapPresent": 0,
        "bitsPerValue": 16,
    }
    assert {key: first[key] for key in expected} == expected
    assert {(m["dataType"], m["typeOfEnsembleForecast"]) for m in messages if m["number"] > 0} == {("pf", 3)}


def test_precipitation_is_over_a_period(file):
    rain = [m for m in listed(file[0]) if m["shortName"] == "tp"]
    assert {m["productDefinitionTemplateNumber"] for m in rain} == {11}
    assert {(m["stepRange"], m["stepType"]) for m in rain} == {("0-6", "accum"), ("6-12", "accum"), ("12-18", "accum")}
    assert {m["validityTime"] for m in rain if m["stepRange"] == "12-18"} == {1800}


def test_missing_values_are_a_bitmap(file):
    messages = listed(file[0])
    assert {m["bitmapPresent"] for m in messages if m["shortName"] == "sst"} == {1}
    assert {m["bitmapPresent"] for m in messages if m["shortName"] == "2t" and m["number"] < 2} == {0}


def test_a_deterministic_forecast_is_no_ensemble(tmp_path):
    path, _ = written(tmp_path, made(("t2m", "total_precipitation_6hr"), numbers=(0,), n_init=1))
    messages = listed(path)
    assert {m["productDefinitionTemplateNumber"] for m in messages} == {0, 8}
    assert {m["dataType"] for m in messages} == {"fc"}


@pytest.mark.parametrize("name", sorted(VARIABLES))
def test_every_variable_is_read_back_under_its_name_or_refused(tmp_path, name):
    """At a lead of a day, so that sums of a day fit in."""
    levels = (500,) if VARIABLES[name].vertical == "pressure" else ()
    options = {"n_init": 1, "n_lead": 1, "step": "24h", "grid": LatLonGrid.regular(3, 4)}
    try:
        path, _ = written(tmp_path, forecasts({name: levels}, **options))
    except UserError as error:
        assert str(error).startswith("GRIB2 ") and name in str(error)
        assert name in (*_NO_PARAMETER, *_UNKNOWN_PERIODS)
        return
    assert list(wml.read_forecast(path).data_vars) == [name]


def test_some_members_of_a_larger_ensemble_say_how_large_it_is(tmp_path):
    path, _ = written(tmp_path, made(("t2m",), numbers=(0, 37)).assign_attrs(forecast_config='{"members": 50}'))
    assert {(m["number"], m["numberOfForecastsInEnsemble"]) for m in listed(path)} == {(0, 50), (37, 50)}


def test_leads_in_parts_of_hours_are_in_minutes(tmp_path):
    forecast = made(("t2m",), numbers=(0,), n_init=1, n_lead=4, step="30m")
    path, _ = written(tmp_path, forecast)
    assert [m["validityTime"] for m in listed(path)] == [30, 100, 130, 200]
    np.testing.assert_array_equal(wml.read_forecast(path)["valid_time"], forecast["valid_time"])


@pytest.mark.parametrize(
    "grid",
    [
        LatLonGrid.gaussian(8, 16),
        LatLonGrid.regular(9, 14, poles=False),
        LatLonGrid((12.5,), (0.0, 0.25, 0.5)),
        LatLonGrid((12.5, 12.25), (359.75,)),
    ],
    ids=["gaussian", "no poles", "one row", "one column"],
)
def test_grids_come_back(tmp_path, grid):
    forecast = made(("t2m",), n_init=1, grid=grid)
    path, _ = written(tmp_path, forecast)
    assert LatLonGrid.from_dataset(wml.read_forecast(path)) == grid


def test_a_region_across_0_degrees_comes_back(tmp_path):
    region = select_region(made(("t2m",), numbers=(0,), n_init=1), Region.parse("60,-60,-30,90"))
    path, _ = written(tmp_path, region)
    opened = wml.read_forecast(path)
    assert opened["longitude"].values.tolist() == [0, 30, 60, 90, 300, 330]
    ordered = region.assign_coords(longitude=region["longitude"] % 360).sortby("longitude")["2m_temperature"]
    np.testing.assert_allclose(opened["2m_temperature"][0, 0, 0], ordered[0, 0, 0], atol=0.01)


def test_more_bits_are_a_smaller_error(tmp_path):
    forecast = made(("z500",), numbers=(0,), n_init=1)
    coarse, fine = (written(tmp_path, forecast, bits=bits)[1]["geopotential_500"] for bits in (12, 24))
    assert fine < coarse / 1000


def test_the_size_is_foreseen(file, forecast):
    assert file[0].stat().st_size <= grib_bytes(forecast)
    assert file[0].stat().st_size > grib_bytes(forecast) / 4  # the grid is tiny, headers are not


def test_reading_is_piece_by_piece(tmp_path, forecast):
    chunked = forecast.chunk({"init_time": 1, "lead_time": 2, "number": 2})
    path, errors = written(tmp_path, chunked)
    assert errors == written(tmp_path, forecast)[1]
    assert len(listed(path)) == len(CHANNELS) * 18


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: made(("t2m",), numbers=(0, 255)), "GRIB2 numbers members up to 254, the forecast has number 255"),
        (lambda: made(("maximum_2m_temperature",)), "must say over which time maximum_2m_temperature is taken"),
        (lambda: made(("total_precipitation_6hr",), step="3h"), "at lead 3h is accumulated from before the initial"),
        (lambda: made(("t2m",)).isel(latitude=[0, 1, 3]), "GRIB2 holds regular and whole Gaussian grids"),
        (
            lambda: made(("t2m",)).mean("number").rename({"2m_temperature": "2m_temperature_mean"}),
            "write statistics to",
        ),
        (lambda: made(("t2m",)) * np.nan, "the forecast is missing everywhere; there is nothing"),
    ],
)
def test_what_grib_cannot_hold_is_refused_and_nothing_is_left(tmp_path, make, message):
    with pytest.raises(UserError, match=message):
        written(tmp_path, make())
    assert not list(tmp_path.iterdir())


def test_a_channel_that_is_missing_at_first_is_kept_from_where_it_is_there(tmp_path):
    late = made(("t2m", "msl"), numbers=(0, 1))
    late["2m_temperature"][:, 0] = np.nan
    path, errors = written(tmp_path, late)
    assert set(errors) == {"2m_temperature", "mean_sea_level_pressure"}
    found = read_grib(path)["2m_temperature"].transpose("init_time", "lead_time", "number", ...).load()
    np.testing.assert_allclose(found, late["2m_temperature"], atol=0.01)
    assert found.isnull().any() and found.notnull().any()


def test_a_rounded_forecast_is_off_by_the_sum_of_both_errors_at_most(tmp_path):
    exact = made(("z500",), numbers=(0,), n_init=1)
    rounded = exact.copy()
    rounded["geopotential"] = xr.where(
        exact["geopotential"].notnull(), np.rint(exact["geopotential"] / 64) * 64, np.nan
    )
    path, errors = written(tmp_path, rounded.assign_attrs(exact.attrs))
    found = wml.read_forecast(path)["geopotential"].values.squeeze()
    difference = np.abs(found - exact["geopotential"].values[0, :, 0, 0]).max()
    assert 16 < difference <= 32 + errors["geopotential_500"]
