"""Conversion: every format gives back what was written, whole or not at all, and says how exact it is."""

import shutil
from collections import namedtuple
from threading import Thread

import dask
import netCDF4
import numpy as np
import pytest
import xarray as xr
from fake_data import analyses
from made_forecasts import made
from test_reduction import draw, reduce

from weatherml.errors import UserError
from weatherml.products.convert import LAYOUTS, convert, select
from weatherml.products.reading import read_forecast
from weatherml.products.rounding import describe_rounding
from weatherml.products.selection import Region
from weatherml.products.stations import Stations
from weatherml.products.store import CONVERTED, open_forecast

STATIONS = Stations(("Oslo", "Suva"), (59.9, -18.1), (10.75, 178.4))
EVERY_LAYOUT = [("a.nc", "canonical"), ("a.grib2", "canonical"), ("a.zarr", "canonical"), ("b.zarr", "weatherbench2")]
SHORT = {"geopotential": "z", "2m_temperature": "t2m", "10m_u_component_of_wind": "u10"}


@pytest.fixture(scope="module")
def forecast():
    return made(("z500", "z850", "t850", "t2m", "u10m", "sst")).chunk({"init_time": 1, "lead_time": 2, "number": 1})


@pytest.fixture(scope="module")
def statistics():
    return reduce(draw())


def test_a_canonical_store_is_the_forecast(tmp_path, forecast):
    convert(forecast, tmp_path / "copy.zarr")
    xr.testing.assert_identical(open_forecast(tmp_path / "copy.zarr").compute(), forecast.compute())


def test_netcdf_holds_the_forecast_under_short_names(tmp_path, forecast):
    convert(forecast, tmp_path / "forecast.nc")
    opened = xr.load_dataset(tmp_path / "forecast.nc", decode_timedelta=True)
    assert opened.attrs["Conventions"] == "CF-1.11"
    for name, short in SHORT.items():
        xr.testing.assert_equal(opened[short].variable, forecast[name].variable.compute())
        assert opened[short].attrs["units"] == forecast[name].attrs["units"]
    np.testing.assert_array_equal(opened["valid_time"], forecast["valid_time"])
    np.testing.assert_array_equal(opened["lead_time"], forecast["lead_time"])


def test_netcdf_tells_times_and_heights_as_cf_does(tmp_path, forecast):
    convert(forecast, tmp_path / "forecast.nc")
    with netCDF4.Dataset(tmp_path / "forecast.nc") as file:
        assert file["lead_time"].units == "hours"
        assert file["lead_time"].standard_name == "forecast_period"
        assert file["lead_time"][:].tolist() == [6, 12, 18]
        assert file["init_time"].units == "seconds since 1970-01-01"
        assert file["init_time"].standard_name == "forecast_reference_time"
        assert file["number"].standard_name == "realization"
        assert set(file["t2m"].coordinates.split()) == {"valid_time", "height_2m"}
        assert set(file["z"].coordinates.split()) == {"valid_time"}
        assert file["height_10m"][...] == 10
        assert file["height_10m"].units == "m"
        assert file["z"].chunking() == [1, 1, 1, 1, 7, 12]


def test_weatherbench_has_its_names_its_order_and_its_orientation(tmp_path, forecast):
    convert(forecast, tmp_path / "wb.zarr", layout="weatherbench2")
    opened = xr.open_zarr(tmp_path / "wb.zarr", decode_timedelta=True)
    field = opened["geopotential"]
    assert field.dims == ("time", "prediction_timedelta", "realization", "level", "longitude", "latitude")
    assert opened["latitude"].values.tolist() == sorted(forecast["latitude"].values)
    assert "valid_time" not in opened.variables
    back = field.rename(time="init_time", prediction_timedelta="lead_time", realization="number")
    np.testing.assert_array_equal(
        back.transpose(*forecast["geopotential"].dims)[..., ::-1, :], forecast["geopotential"]
    )
    assert (tmp_path / "wb.zarr" / ".zmetadata").exists()


def test_weatherbench_knows_no_realization_of_one_member(tmp_path, forecast):
    convert(forecast.isel(number=[0]), tmp_path / "wb.zarr", layout="weatherbench2")
    opened = xr.open_zarr(tmp_path / "wb.zarr", decode_timedelta=True)
    assert opened["2m_temperature"].dims == ("time", "prediction_timedelta", "longitude", "latitude")


@pytest.mark.parametrize("name", ["statistics.nc", "statistics.zarr"])
def test_statistics_are_written_too(tmp_path, statistics, name):
    convert(statistics, tmp_path / name)
    found = tmp_path / name
    opened = open_forecast(found) if found.suffix == ".zarr" else xr.load_dataset(found, decode_timedelta=True)
    for own, theirs in (("geopotential_quantile", "z_quantile"), ("temperature_850_exceedance", "t_850_exceedance")):
        stored = opened[own if found.suffix == ".zarr" else theirs]
        xr.testing.assert_equal(stored.variable.load(), statistics[own].variable)


@pytest.mark.parametrize("name", ["stations.nc", "stations.zarr"])
def test_stations_are_written_too(tmp_path, forecast, name):
    chosen = select(forecast, ["z500", "t2m"], stations=STATIONS)
    convert(chosen, tmp_path / name)
    found = tmp_path / name
    opened = open_forecast(found) if found.suffix == ".zarr" else xr.load_dataset(found, decode_timedelta=True)
    assert opened["station"].values.tolist() == ["Oslo", "Suva"]
    assert opened.attrs["featureType"] == "timeSeries"
    stored = opened["2m_temperature" if found.suffix == ".zarr" else "t2m"]
    np.testing.assert_array_equal(stored, chosen["2m_temperature"])


@pytest.fixture(scope="module")
def of_every_layout(tmp_path_factory):
    """Return the paths of an ensemble in every layout, by name."""
    pytest.importorskip("eccodes")
    folder = tmp_path_factory.mktemp("layouts")
    ensemble = made(("z500", "t2m")).chunk(init_time=1, number=2)
    for name, layout in EVERY_LAYOUT:
        convert(ensemble, folder / name, layout)
    return {name: folder / name for name, _ in EVERY_LAYOUT}


@pytest.mark.parametrize(("name", "layout"), EVERY_LAYOUT)
@pytest.mark.parametrize("source", [name for name, _ in EVERY_LAYOUT])
def test_an_ensemble_in_any_layout_becomes_one_in_any_other(tmp_path, of_every_layout, source, name, layout):
    given = read_forecast(of_every_layout[source])
    errors = convert(given, tmp_path / name, layout)
    found = read_forecast(tmp_path / name)
    assert found["number"].values.tolist() == [0, 1, 2] and set(found.data_vars) == set(given.data_vars)
    for channel, field in given.data_vars.items():
        error = max((e for of, e in errors.items() if of.startswith(channel)), default=0.0)
        np.testing.assert_allclose(found[channel], field, rtol=1e-6 if error else 0, atol=error)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("source", ["a.nc", "a.zarr", "b.zarr"])
def test_names_of_stations_are_kept_in_any_layout_by_any_reader(tmp_path, forecast, source):
    places = Stations(("Oslo", "Malmö"), STATIONS.latitude, STATIONS.longitude)
    convert(select(forecast, ["t2m"], stations=places), tmp_path / source, dict(EVERY_LAYOUT)[source])
    for name, layout in (("c.nc", "canonical"), ("c.zarr", "canonical"), ("d.zarr", "weatherbench2")):
        convert(read_forecast(tmp_path / source), tmp_path / name, layout)
        assert read_forecast(tmp_path / name)["station"].values.tolist() == ["Oslo", "Malmö"]


def test_channels_and_a_region_are_a_part_of_the_forecast(forecast):
    part = select(forecast, ["t850", "t2m"], Region.parse("60,-60,0,60"))
    assert part["temperature"].shape == (2, 3, 3, 1, 3, 5)
    xr.testing.assert_equal(
        part["2m_temperature"].sel(longitude=-60, drop=True),
        forecast["2m_temperature"].sel(longitude=300, latitude=[60, 30, 0], drop=True),
    )


def test_forecast_names_the_files_that_convert_can_make_of_a_store():
    assert {*CONVERTED, ".zarr"} == set(LAYOUTS["canonical"])


@pytest.mark.parametrize("name", ["a.nc", "a.zarr", "a.grib2"])
def test_what_is_there_stays_until_its_replacement_is_whole(tmp_path, forecast, name):
    path, part = tmp_path / name, forecast[["2m_temperature"]]
    convert(part, path)
    with pytest.raises(UserError, match="exists; choose another path"):
        convert(part, path)
    before = sorted(f.read_bytes() for f in (path.rglob("*") if path.is_dir() else [path]) if f.is_file())
    broken = part.map(lambda field: field.copy(data=field.data.map_blocks(fail, dtype=np.float32)))
    with pytest.raises(ZeroDivisionError):
        convert(broken, path, overwrite=True)
    assert before == sorted(f.read_bytes() for f in (path.rglob("*") if path.is_dir() else [path]) if f.is_file())
    convert(part + 1, path, overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["a.nc", "a.zarr"])
def test_a_conversion_that_meets_another_waits_and_does_not_replace_what_that_has_made(tmp_path, forecast, name):
    path, part, refusals = tmp_path / name, forecast[["2m_temperature"]], []

    def meet():
        with pytest.raises(UserError) as refusal:
            convert(part + 1, path)
        refusals.append(str(refusal.value))

    second = Thread(target=meet)

    def start(block):
        if block.size and second.ident is None:
            second.start()
            second.join(0.3)
            assert second.is_alive()
        return block

    with dask.config.set(scheduler="synchronous"):
        convert(part.map(lambda field: field.copy(data=field.data.map_blocks(start, dtype=np.float32))), path)
    second.join()
    assert "exists; choose another path" in refusals[0]
    xr.testing.assert_equal(read_forecast(path)[["2m_temperature"]], part)


def fail(block):
    return block / (1 // (block.size < 1))


@pytest.mark.parametrize("name", ["a.nc", "a.zarr", "a.grib2"])
def test_without_room_nothing_is_begun(tmp_path, forecast, name, monkeypatch):
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(1000))
    with dask.config.set(scheduler=lambda *_, **__: pytest.fail("read")), pytest.raises(UserError, match="needs up to"):
        convert(forecast, tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "layout", "message"),
    [
        ("a.csv", "canonical", r"forecasts in canonical layout cannot end in '.csv'; choose one of .nc, .grib2, .zarr"),
        ("a.nc", "weatherbench2", r"in weatherbench2 layout cannot end in '.nc'; choose one of .zarr"),
        ("a.zarr", "weatherbench", "unknown layout 'weatherbench'; did you mean 'weatherbench2'"),
    ],
)
def test_unknown_formats_are_refused(tmp_path, forecast, name, layout, message):
    with pytest.raises(UserError, match=message):
        convert(forecast, tmp_path / name, layout)


@pytest.mark.parametrize(
    ("name", "layout"), [("a.nc", "canonical"), ("a.zarr", "canonical"), ("b.zarr", "weatherbench2")]
)
def test_every_format_says_what_rounding_did_and_does_no_more(tmp_path, name, layout):
    exact = made(("z500", "z850", "t2m"), numbers=(0, 1))
    rounded = exact.assign(geopotential=np.rint(exact["geopotential"] / 64).astype("float32") * 64)
    rounded["geopotential"].attrs = exact["geopotential"].attrs
    rounded.attrs = {
        **exact.attrs,
        **describe_rounding({"geopotential_500": 32, "geopotential_850": 32, "2m_temperature": 0}),
    }
    assert convert(rounded, tmp_path / name, layout) == {}
    opened = xr.open_dataset(
        tmp_path / name,
        decode_timedelta=True,
        engine="netcdf4" if name == "a.nc" else "zarr",
        **({} if name == "a.nc" else {"consolidated": layout == "weatherbench2"}),
    )
    field = opened["z" if name == "a.nc" else "geopotential"].load()
    assert field.attrs["largest_rounding_error"] == 32
    assert "largest_rounding_error" not in opened["t2m" if name == "a.nc" else "2m_temperature"].attrs
    if layout == "weatherbench2":
        field = field.transpose(..., "latitude", "longitude")[..., ::-1, :]
    difference = np.abs(field.values - exact["geopotential"].values)
    assert 16 < difference.max() <= 32


def test_a_store_of_analyses_is_never_replaced(tmp_path, forecast):
    path = tmp_path / "data.zarr"
    analyses({"2m_temperature": ()}, 2).to_zarr(path, zarr_format=3, consolidated=False)
    before = xr.open_zarr(path, consolidated=False).load()
    with pytest.raises(UserError, match="exists and is no forecast, so it is not replaced"):
        convert(forecast, path, overwrite=True)
    xr.testing.assert_identical(xr.open_zarr(path, consolidated=False).load(), before)


@pytest.mark.parametrize("name", ["a.nc", "a.grib2"])
def test_a_file_that_is_no_forecast_is_never_replaced(tmp_path, forecast, name):
    analyses({"2m_temperature": ()}, 2).to_netcdf(tmp_path / "a.nc")
    (tmp_path / "a.grib2").write_text("notes")
    before = (tmp_path / name).read_bytes()
    with pytest.raises(UserError, match="exists and is no forecast, so it is not replaced"):
        convert(forecast, tmp_path / name, overwrite=True)
    assert (tmp_path / name).read_bytes() == before


def test_nothing_is_written_into_a_store(tmp_path, forecast):
    convert(forecast, tmp_path / "f.zarr")
    with pytest.raises(UserError, match=r"part.nc would lie inside the store .*f.zarr; choose another path"):
        convert(forecast, tmp_path / "f.zarr" / "part.nc")
    assert not (tmp_path / "f.zarr" / "part.nc").exists()


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (lambda f: f.isel(init_time=0), r"a forecast has the dimension 'init_time'; select one with a list"),
        (lambda f: f.isel(number=[]), "there is nothing to write: no number was selected"),
        (lambda f: f[[]], "there is nothing to write: no field was selected"),
    ],
)
def test_an_empty_selection_is_one_line(tmp_path, forecast, part, message):
    with pytest.raises(UserError, match=message):
        convert(part(forecast), tmp_path / "f.nc")
    assert not list(tmp_path.iterdir())


def test_stations_and_statistics_are_no_grib(tmp_path, forecast, statistics):
    for part, message in ((select(forecast, stations=STATIONS), "on a grid"), (statistics, "holds members")):
        with pytest.raises(UserError, match=message):
            convert(part, tmp_path / "f.grib2")
    with pytest.raises(UserError, match=r"the forecast is on no grid, it has dimensions .*'station'"):
        select(select(forecast, stations=STATIONS), region=Region.parse("60,0,0,60"))


@pytest.mark.parametrize("layout", ["canonical", "weatherbench2"])
def test_a_forecast_is_replaced_in_either_layout(tmp_path, forecast, layout):
    path = tmp_path / "f.zarr"
    convert(forecast, path, layout)
    convert(forecast.isel(number=[0]), path, overwrite=True)
    assert open_forecast(path).sizes["number"] == 1
