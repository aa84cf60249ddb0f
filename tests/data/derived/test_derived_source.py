"""A source with derived variables is a source."""

import pickle

import numpy as np
import pytest
import xarray as xr
from fake_data import FakeSource, analyses

from weatherml.cli.paths import describe_paths
from weatherml.config import from_mapping
from weatherml.data.derived import DerivedSource
from weatherml.data.notes import notes
from weatherml.data.reading.file_index.reader import FieldReader
from weatherml.data.regrid import RegridConfig
from weatherml.data.source import Source, bytes_of_a_time, inputs_of
from weatherml.data.sources import ArchiveConfig, CdsConfig, FilesConfig
from weatherml.data.sources.times import ChosenTimes, SourceAtTimes
from weatherml.data.store.ingest import ingest
from weatherml.data.store.opening import open_store
from weatherml.errors import UserError

VARIABLES = {
    "temperature": (300, 500, 1000),
    "specific_humidity": (300, 500, 1000),
    "u_component_of_wind": (300, 500, 1000),
    "v_component_of_wind": (300, 500, 1000),
    "10m_u_component_of_wind": (),
    "10m_v_component_of_wind": (),
    "total_precipitation": (),
}
HOURLY = analyses(VARIABLES, times=30, step="1h", start="2001-01-01T01")
HOURLY["temperature"] += 270
HOURLY["specific_humidity"] = abs(HOURLY["specific_humidity"]) * 1e-3
HOURLY["total_precipitation"] = abs(HOURLY["total_precipitation"]) * 1e-3
RAIN = HOURLY["total_precipitation"].rolling(time=6).sum()


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("hourly") / "hourly.nc"
    HOURLY.to_netcdf(path)
    return str(path)


def test_what_the_source_lacks_is_derived_and_what_it_has_stays():
    has_speed = FakeSource(HOURLY.assign(wind_speed=HOURLY["temperature"]))
    source = DerivedSource(has_speed, ["10m_wind_speed", "wind_speed", "tp06"])
    assert isinstance(source, Source)
    assert source.variables() == (*VARIABLES, "wind_speed", "10m_wind_speed", "total_precipitation_6hr")
    found = source.read(source.times(), ["10m_wind_speed", "wind_speed", "total_precipitation_6hr"])
    u, v = HOURLY["10m_u_component_of_wind"][5:], HOURLY["10m_v_component_of_wind"][5:]
    np.testing.assert_allclose(found["10m_wind_speed"], np.sqrt(u**2 + v**2), rtol=1e-6)
    np.testing.assert_array_equal(found["wind_speed"], HOURLY["temperature"][5:])
    np.testing.assert_allclose(found["total_precipitation_6hr"], RAIN[5:], rtol=1e-5)


def test_the_times_are_those_with_all_of_every_window():
    source = DerivedSource(FakeSource(HOURLY), ["total_precipitation_24hr", "wind_speed"])
    np.testing.assert_array_equal(source.times(), HOURLY["time"][23:])
    with pytest.raises(UserError, match="fake with derived variables has no time 2001-01-01T01"):
        source.read(HOURLY["time"].values[:1], ["wind_speed"])


def test_a_derived_variable_tells_its_window_and_whence_it_comes():
    source = DerivedSource(FakeSource(HOURLY), ["total_precipitation_6hr"])
    attributes = source.read(source.times()[:1], ["total_precipitation_6hr"])["total_precipitation_6hr"].attrs
    assert attributes["window"] == "6h" and attributes["cell_methods"] == "time: sum"
    assert attributes["units"] == "m" and attributes["derived_from"] == "total_precipitation"


def test_inputs_may_be_derived_themselves():
    """Vapour transport where relative humidity is what the archive has."""
    relative = DerivedSource(FakeSource(HOURLY), ["relative_humidity"])
    names = [n for n in relative.variables() if n != "specific_humidity"]
    source = DerivedSource(FakeSource(relative.read(relative.times(), names).load()), ["integrated_vapor_transport"])
    direct = DerivedSource(FakeSource(HOURLY), ["integrated_vapor_transport"])
    both = [s.read(s.times()[:2], s.names)["integrated_vapor_transport"] for s in (source, direct)]
    np.testing.assert_allclose(both[0], both[1], rtol=1e-4)


def test_what_cannot_be_derived_says_why():
    lacking = FakeSource(HOURLY.drop_vars("specific_humidity"))
    with pytest.raises(UserError, match=r"relative_humidity is derived from temperature, .* lack specific_humidity"):
        DerivedSource(lacking, ["relative_humidity"]).times()
    six_hourly = FakeSource(HOURLY.isel(time=slice(5, None, 6)))
    with pytest.raises(UserError, match=r"accumulated over 6 h .* \(hourly\) have total_precipitation at no time"):
        DerivedSource(six_hourly, ["total_precipitation_6hr"]).times()
    three_hourly = DerivedSource(FakeSource(HOURLY.isel(time=slice(2, None, 3))), ["tp"], "since 00 and 12 UTC")
    with pytest.raises(UserError, match="have total_precipitation every 3h only; derive sums over multiples of 3h"):
        three_hourly.times()
    with pytest.raises(UserError, match="no way to derive 'temperature'"):
        DerivedSource(FakeSource(HOURLY), ["t"])


def test_sums_since_midnight_are_not_told_as_hourly_ones():
    """ERA5-Land's total_precipitation at 05 UTC is of five hours."""
    day = HOURLY.isel(time=slice(0, 24))
    land = day.assign(total_precipitation=day["total_precipitation"].cumsum("time").assign_coords(time=day["time"]))
    plain = DerivedSource(FakeSource(land), ["wind_speed"], "since 00 UTC")
    assert "total_precipitation" not in plain.variables()
    hourly = DerivedSource(FakeSource(land), ["total_precipitation"], "since 00 UTC")
    found = hourly.read(hourly.times(), ["total_precipitation"])["total_precipitation"]
    np.testing.assert_allclose(found, day["total_precipitation"], atol=1e-7)


def test_a_configuration_derives_then_chooses_times_then_regrids(file, tmp_path):
    keys = {
        "name": "files",
        "paths": [file],
        "variables": ["wind_speed"],
        "derive": ["wind_speed", "tp06"],
        "every": "6h",
        "regrid": "30deg",
    }
    config = from_mapping(FilesConfig, keys)
    source = config.source(tmp_path)
    assert source.variables() == ("wind_speed", "total_precipitation_6hr"), "inputs are read, not told"
    ingest(source, tmp_path / "store")
    store = open_store(tmp_path / "store")
    np.testing.assert_array_equal(store["time"], HOURLY["time"][5::6])
    np.testing.assert_allclose(store["total_precipitation_6hr"], RAIN[5::6], rtol=1e-5)
    told = describe_paths([str(tmp_path / "store")])
    assert told["regridding"] == ["conservative, from 7 x 12"]
    assert "wind_speed: length of the wind vector, from u_component_of_wind, v_component_of_wind" in told["derived"]


def made_of(kind, file, folder, **keys):
    """Return a source of a kind that holds the same data."""
    if kind == "files":
        chosen = {"name": kind, "paths": [file], "variables": ["t", "q"], "levels": [500]}
        return from_mapping(FilesConfig, {**chosen, **keys}).source(folder)
    HOURLY.chunk(time=10).to_zarr(folder / "archive.zarr", zarr_format=2)
    chosen = {"name": kind, "url": str(folder / "archive.zarr"), "channels": ["t500", "q500"]}
    return from_mapping(ArchiveConfig, {**chosen, **keys}).source(folder)


@pytest.mark.parametrize("kind", ["files", "archive"])
def test_what_is_summed_over_levels_is_so_over_all_whichever_are_kept(kind, file, tmp_path):
    source = made_of(kind, file, tmp_path, derive=["ivt", "wind_speed"])
    assert source.levels == (500,) and "u_component_of_wind" not in source.variables()
    found = source.read(source.times()[:3], source.variables()).load()
    assert found["level"].values.tolist() == [500] and found["wind_speed"].dims == found["temperature"].dims
    np.testing.assert_array_equal(found["temperature"], HOURLY["temperature"][:3].sel(level=[500]))
    whole = DerivedSource(FakeSource(HOURLY), ["ivt"])
    expected = whole.read(whole.times()[:3], whole.names)["integrated_vapor_transport"]
    np.testing.assert_allclose(found["integrated_vapor_transport"], expected, rtol=1e-6)
    assert found["integrated_vapor_transport"].attrs["derivation"].endswith("on the levels 300 500 1000 hPa")


def test_of_other_variables_only_the_levels_that_are_kept_are_read(file, tmp_path, monkeypatch):
    fields = []

    def read(self, numbers, *region, original=FieldReader.read):
        fields.append(numbers.size)
        return original(self, numbers, *region)

    monkeypatch.setattr(FieldReader, "read", read)
    source = made_of("files", file, tmp_path, derive=["ivt", "wind_speed"], levels=[300, 1000])
    for name, n_fields in (("temperature", 2), ("wind_speed", 2 * 2), ("integrated_vapor_transport", 3 * 3)):
        fields.clear()
        source.read(source.times()[:1], [name]).load()
        assert sum(fields) == n_fields, name


def test_a_level_that_is_kept_must_be_there(file, tmp_path):
    with pytest.raises(UserError, match="no level 501 hPa; they have 300, 500, 1000"):
        _ = made_of("files", file, tmp_path, derive=["ivt"], levels=[501]).levels


def test_too_few_levels_are_refused_before_anything_is_fetched(tmp_path):
    keys = {"name": "cds", "channels": ["q500", "u500", "v500", "q1000", "u1000", "v1000"], "derive": ["ivt"]}
    source = from_mapping(CdsConfig, {**keys, "periods": [["2020-01-01", "2020-01-02"]]}).source(tmp_path)
    with pytest.raises(UserError, match=r"\(500, 1000\) do not span; .*where channels are named"):
        source.times()


@pytest.mark.parametrize("kind", ["files", "archive"])
def test_what_is_lacking_for_a_derived_variable_is_told_with_that(kind, file, tmp_path):
    with pytest.raises(UserError, match=r"100m_wind_speed \(source.derive\) is derived from 100m_u.*'100m_u_component"):
        made_of(kind, file, tmp_path, derive=["ws100m"]).variables()


def test_a_derived_field_of_files_is_lazy(file, tmp_path):
    config = FilesConfig(paths=(file,), derive=("relative_humidity", "total_precipitation_12hr", "tisr06"))
    source = config.source(tmp_path)
    found = source.read(source.times(), config.derive)
    assert all(field.chunks is not None for field in found.data_vars.values())
    assert found.load()["relative_humidity"].dtype == np.float32
    assert source.digest() != config.model_copy(update={"derive": ("wind_speed",)}).source(tmp_path).digest()


def test_sums_of_many_times_are_made_in_pieces():
    """However many are asked for at once, memory holds a day of them and their windows."""
    many = analyses({"total_precipitation": ()}, times=100, step="1h")
    source = DerivedSource(FakeSource(many.chunk(time=1)), ["total_precipitation_6hr"])
    found = source.read(source.times(), source.names)["total_precipitation_6hr"]
    assert max(found.chunks[0]) == 24
    expected = np.maximum(many["total_precipitation"].rolling(time=6).sum()[5:], 0)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_source_goes_to_other_processes(file, tmp_path):
    names = ("relative_humidity", "total_precipitation_6hr", "toa_incident_solar_radiation")
    source = FilesConfig(paths=(file,), derive=names, regrid=RegridConfig(grid="30deg")).source(tmp_path)
    times = source.times()[:2]  # what was found out goes along
    there = pickle.loads(pickle.dumps(source))
    xr.testing.assert_identical(there.read(times, names).compute(), source.read(times, names).compute())


def test_what_is_read_for_a_derived_variable_is_told():
    class Eager(FakeSource):
        def bytes_of_a_time(self, variable):
            return self.dataset[variable][0].nbytes

    fields = analyses({"10m_u_component_of_wind": (), "10m_v_component_of_wind": ()}, times=2)
    source = SourceAtTimes(DerivedSource(Eager(fields), ("10m_wind_speed",)), ChosenTimes(every="12h"))
    assert bytes_of_a_time(source, "10m_wind_speed") == 2 * bytes_of_a_time(source, "10m_u_component_of_wind") > 0
    assert bytes_of_a_time(DerivedSource(FakeSource(fields), ("10m_wind_speed",)), "10m_wind_speed") == 0


def test_pieces_are_those_of_the_first_that_a_variable_is_made_from():
    class InPieces(FakeSource):
        def piece_starts(self, variable):
            return np.arange(0, 30, {"total_precipitation": 6, "specific_humidity": 10}.get(variable, 30))

    names = ["tp06", "vertical_integral_of_eastward_water_vapour_flux", "cosine_of_solar_zenith_angle"]
    source = DerivedSource(InPieces(HOURLY), names)  # begins five hours later
    assert [source.piece_starts(name).tolist() for name in source.names] == [
        [0, 1, 7, 13, 19],
        [0, 5, 15],
        [*range(25)],
    ]
    assert source.piece_starts("temperature").tolist() == [0]


def test_an_unknown_derivation_is_refused_by_the_configuration(file):
    with pytest.raises(UserError, match=r"derive.*no way to derive 'geopotential'"):
        from_mapping(FilesConfig, {"name": "files", "paths": [file], "derive": ["z"]})


def test_hourly_rain_is_summed_beside_six_hourly_fields(tmp_path):
    """Rain in the hours between the fields' times is in the sums; the first time has no six hours before it."""
    HOURLY[["total_precipitation"]].to_netcdf(tmp_path / "rain.nc")
    HOURLY[["temperature"]].isel(time=slice(5, None, 6)).to_netcdf(tmp_path / "fields.nc")
    config = FilesConfig(
        paths=(str(tmp_path / "*.nc"),), variables=("temperature",), derive=("total_precipitation_6hr",), every="6h"
    )
    source = config.source(tmp_path)
    np.testing.assert_array_equal(source.times(), HOURLY["time"][5::6])
    found = source.read(source.times(), source.variables())
    np.testing.assert_allclose(found["total_precipitation_6hr"], RAIN[5::6], rtol=1e-5)
    np.testing.assert_array_equal(found["temperature"], HOURLY["temperature"][5::6])
    assert not any("own hour alone" in text for text in notes(found)), "no hour of the sums is left out"


def test_sums_made_of_what_has_their_own_name_are_read_as_that():
    source = DerivedSource(FakeSource(HOURLY), ["total_precipitation", "wind_speed"], accumulated="since 00 UTC")
    assert inputs_of(source, "total_precipitation") == {"total_precipitation"}
    assert inputs_of(source, "wind_speed") == {"u_component_of_wind", "v_component_of_wind"}
    assert bytes_of_a_time(source, "total_precipitation") == 0
