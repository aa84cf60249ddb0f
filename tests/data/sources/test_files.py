"""Files of every format and layout open to one dataset; files that cannot be read say so in one line."""

import pickle
import shutil
import sys

import dask
import netCDF4
import numpy as np
import pytest
import source_layouts as layouts
import xarray as xr

from weatherml.config import from_mapping
from weatherml.data.notes import preliminary
from weatherml.data.reading.file_index import joined
from weatherml.data.reading.opening import open_files
from weatherml.data.source import Source
from weatherml.data.sources.files import FilesConfig, FileSource
from weatherml.errors import UserError
from weatherml.grid import LatLonGrid

TRUTH = layouts.truth()


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """The same fields as several archives would write them; never changed by a test."""
    folder = tmp_path_factory.mktemp("archive")
    raw = layouts.raw(TRUTH)
    raw.to_netcdf(folder / "plain.nc")
    layouts.write_old_cds(raw, folder / "old_cds.nc")
    layouts.new_cds(raw).to_netcdf(folder / "new_cds.nc")
    turned = layouts.from_180_west(layouts.south_first(raw)).rename(latitude="lat", longitude="lon")
    turned.to_netcdf(folder / "south_first.nc", format="NETCDF3_CLASSIC")
    layouts.in_pascal(layouts.ground_first(raw)).to_netcdf(folder / "pascal.nc")
    layouts.write_grib(raw, folder / "fields.grib")
    layouts.write_grib(layouts.south_first(raw), folder / "south_first.grib2", edition=2)
    raw.chunk(time=2).to_zarr(folder / "fields.zarr", consolidated=False)
    return folder


def assert_same(found, expected, relative=0.0):
    assert set(found.data_vars) == set(expected.data_vars)
    for name in expected.data_vars:
        assert found[name].dims == expected[name].dims and found[name].dtype == np.float32
        spread, rounding = float(np.ptp(expected[name].values)), float(np.spacing(expected[name].values.max()))
        tolerance = relative * spread + rounding if relative else 0
        np.testing.assert_allclose(found[name].values, expected[name].values, rtol=0, atol=tolerance)
        for dim in expected[name].dims:
            np.testing.assert_array_equal(found[dim].values, expected[dim].values)


# Half a step of int16 over the range, and of 24 bits (GRIB also rounds its reference value, once a message).
@pytest.mark.parametrize(
    ("name", "relative"),
    [
        ("plain.nc", 0),
        ("old_cds.nc", 0.51 / 65000),
        ("new_cds.nc", 0),
        ("south_first.nc", 0),
        ("pascal.nc", 0),
        ("fields.grib", 2**-22),
        ("south_first.grib2", 2**-22),
        ("fields.zarr", 0),
    ],
)
def test_every_layout_opens_to_the_same_dataset(archive, name, relative):
    assert_same(open_files(archive / name), TRUTH, relative)


@pytest.mark.parametrize("name", ["plain.nc", "old_cds.nc", "new_cds.nc", "fields.grib", "fields.zarr"])
def test_opening_computes_no_field(archive, name):
    def only_coordinates(graph, keys, **_):
        found = dask.get(graph, keys)
        assert max(np.asarray(block).size for block in np.ravel(found[0])) <= 2 * TRUTH.sizes["time"]
        return found

    with dask.config.set(scheduler=only_coordinates):
        dataset = open_files(archive / name)
    assert all(field.chunks for field in dataset.data_vars.values())


def test_a_long_file_is_cut_along_time(archive):
    field_bytes = TRUTH["temperature"].isel(time=0).nbytes
    with dask.config.set({"array.chunk-size": 2 * field_bytes}):
        chunks = open_files(archive / "plain.nc")["temperature"].chunks
    assert len(chunks[0]) > 1 and all(len(c) == 1 for c in chunks[1:])


def test_reading_grib_leaves_no_index_behind(archive, tmp_path):
    shutil.copy(archive / "fields.grib", tmp_path)
    open_files(tmp_path / "fields.grib").load()
    assert [p.name for p in tmp_path.iterdir()] == ["fields.grib"]


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"paths": []}, "paths is empty; name at least 1"),
        ({"paths": [5]}, "paths.0.file: Input should be a valid string, got 5"),
        ({"variables": []}, "variables is empty"),
        ({"levels": []}, "levels is empty"),
        ({"latitude": [-90, 90]}, r"latitude: \[-90.0, 90.0\] runs north; write .* \[90, -90\]"),
        ({"latitude": [95, -95]}, r"latitude: \[95.0, -95.0\] reaches beyond a pole"),
    ],
)
def test_a_wrong_configuration_says_what_is_wanted(keys, words):
    with pytest.raises(UserError, match=words):
        from_mapping(FilesConfig, {"paths": ["a.nc"], **keys})


@pytest.mark.parametrize("name", ["plain.nc", "fields.grib", "fields.zarr"])
def test_what_no_file_has_is_not_renamed(archive, name):
    rename, words = {"nothere": "2m_dewpoint_temperature"}, "rename says what 'nothere' is, but no file has such a var"
    with pytest.raises(UserError, match=words):
        open_files(archive / name, rename=rename)
    for config in ({"rename": rename}, {"variables": ("2m_dewpoint_temperature", "2t"), "rename": rename}):
        with pytest.raises(UserError, match=f"{words}|no variable '2m_dewpoint_temperature'"):
            FilesConfig(paths=(str(archive / name),), **config).open(archive).variables()


def test_a_rename_may_be_for_some_files_only_or_for_what_is_passed_over(archive, tmp_path):
    raw = layouts.raw(TRUTH)
    pattern = split(tmp_path, [raw[["t2m"]].rename(t2m="var167"), raw[["z"]], raw[["t"]].rename(t="var130")])
    rename = {"var167": "2t", "var130": "t"}
    assert set(open_files(pattern, rename=rename)) == {"2m_temperature", "geopotential", "temperature"}
    assert set(open_files(pattern, ["t"], rename=rename)) == {"temperature"}
    assert FilesConfig(paths=(str(pattern),), rename=rename).open(tmp_path).variables() != ()


def test_grib_without_cfgrib_names_the_extra(archive, monkeypatch):
    monkeypatch.setitem(sys.modules, "cfgrib", None)
    with pytest.raises(UserError, match=r"pip install 'weatherml\[grib\]'"):
        open_files(archive / "fields.grib")


def test_the_bytes_and_not_the_name_decide_the_format(archive, tmp_path):
    shutil.copy(archive / "fields.grib", tmp_path / "fields.nc")
    assert_same(open_files(tmp_path / "fields.nc"), TRUTH, 2**-22)


def split(folder, pieces):
    for number, piece in enumerate(pieces):
        piece.to_netcdf(folder / f"part_{number}.nc")
    return folder / "part_*.nc"


def test_files_join_along_time_in_any_order(tmp_path):
    raw = layouts.raw(TRUTH)
    pattern = split(tmp_path, [raw.isel(time=[3]), raw.isel(time=[0, 2]), raw.isel(time=[1])])
    assert_same(open_files(pattern), TRUTH)


def test_files_join_across_variables_and_levels(tmp_path):
    raw = layouts.raw(TRUTH)
    pieces = [raw[["t2m", "msl"]], raw[["z"]], raw[["t"]].isel(level=[2]), raw[["t"]].isel(level=[0, 1])]
    assert_same(open_files(split(tmp_path, pieces)), TRUTH)


def test_levels_that_only_one_variable_has_are_nan_in_the_other(tmp_path):
    raw = layouts.raw(TRUTH)
    found = open_files(split(tmp_path, [raw[["z"]], raw[["t"]].isel(level=[1])]))
    np.testing.assert_array_equal(found["temperature"].sel(level=500), TRUTH["temperature"].sel(level=500))
    assert np.isnan(found["temperature"].sel(level=[300, 850])).all()


def test_a_time_given_twice_with_the_same_values_is_taken_once(tmp_path):
    raw = layouts.raw(TRUTH)
    assert_same(open_files(split(tmp_path, [raw.isel(time=[0, 1, 2]), raw.isel(time=[2, 3])])), TRUTH)


def test_a_time_given_twice_with_other_values_is_an_error(tmp_path):
    raw = layouts.raw(TRUTH)
    other = raw.isel(time=[2, 3]).assign(t2m=raw["t2m"].isel(time=[2, 3]) + 1)
    other["t2m"].attrs = raw["t2m"].attrs
    with pytest.raises(
        UserError, match=r"2m_temperature at 2017-02-03T12:00 differs by up to 1 K between .*part_0.nc and .*part_1.nc"
    ):
        open_files(split(tmp_path, [raw.isel(time=[0, 1, 2]), other]))


def test_variables_of_other_times_are_an_error_unless_left_out(tmp_path):
    raw = layouts.raw(TRUTH)
    pattern = split(tmp_path, [raw[["t2m"]], raw[["msl"]].isel(time=[0, 1, 3])])
    with pytest.raises(UserError, match=r"2m_temperature and mean_sea_\S+ differ in 1 time, the first \S{16};"):
        open_files(pattern)
    assert_same(open_files(pattern, variables=["t2m"]), TRUTH[["2m_temperature"]])


def test_files_on_other_grids_are_an_error(tmp_path):
    raw = layouts.raw(TRUTH)
    with pytest.raises(UserError, match=r"19 x 36.*10 x 36.*different grids"):
        open_files(split(tmp_path, [raw[["t2m"]], raw[["msl"]].isel(latitude=slice(None, None, 2))]))


def test_overlapping_forecasts_in_grib_are_an_error(tmp_path):
    raw = layouts.raw(TRUTH)[["t2m"]].isel(time=[0])
    layouts.write_grib(raw, tmp_path / "one.grib")
    layouts.write_grib(raw + 1, tmp_path / "two.grib")
    (tmp_path / "both.grib").write_bytes((tmp_path / "one.grib").read_bytes() + (tmp_path / "two.grib").read_bytes())
    with pytest.raises(UserError, match="2 different fields of 2 metre temperature"):
        open_files(tmp_path / "both.grib")


def test_a_repeated_grib_message_is_taken_once(tmp_path):
    raw = layouts.raw(TRUTH)[["t2m"]]
    layouts.write_grib(raw, tmp_path / "one.grib")
    (tmp_path / "twice.grib").write_bytes(2 * (tmp_path / "one.grib").read_bytes())
    assert_same(open_files(tmp_path / "twice.grib"), TRUTH[["2m_temperature"]], 2**-22)


TEXTS = {
    "empty.nc": (b"", "is empty"),
    "text.nc": (b"time,lat,lon\n", "is not GRIB, NetCDF or zarr"),
    "page.nc": (b"\n<!DOCTYPE html><html>Forbidden</html>", "is an HTML or XML page"),
    "archive.zip": (b"PK\x03\x04rest", "is a ZIP archive"),
    "fields.nc.gz": (b"\x1f\x8b\x08rest", "is gzip-compressed"),
    "damaged.nc": (b"\x89HDF\r\n\x1a\n" + bytes(100), "cannot read .*damaged.nc as netcdf4"),
    "damaged.grib": (b"GRIB" + bytes(100) + b"7777", "cannot read .*damaged.grib as GRIB"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_file_that_is_not_data_says_what_it_is(tmp_path, name):
    content, message = TEXTS[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        open_files(tmp_path / name)
    assert name in str(caught.value) and "\n" not in str(caught.value)


# A classic file cut short reads as garbage, and a GRIB file as fewer messages, without a word from their libraries.
@pytest.mark.parametrize("share", [0.3, 0.7, 0.995])
@pytest.mark.parametrize("name", ["plain.nc", "old_cds.nc", "south_first.nc", "fields.grib"])
def test_a_truncated_file_is_refused(archive, tmp_path, name, share):
    content = (archive / name).read_bytes()
    (tmp_path / name).write_bytes(content[: int(share * len(content))])
    with pytest.raises(UserError, match=r"cut off|cannot read") as caught:
        open_files(tmp_path / name)
    assert name in str(caught.value)


def test_a_grib_file_cut_in_the_first_bytes_of_a_message_is_refused(archive, tmp_path):
    content = (archive / "fields.grib").read_bytes()
    (tmp_path / "short.grib").write_bytes(content[: content.rindex(b"GRIB") + 3])
    with pytest.raises(UserError, match="cut off in the middle of a GRIB message"):
        open_files(tmp_path / "short.grib")


def test_a_truncated_file_with_an_unlimited_time_is_refused(tmp_path):
    with netCDF4.Dataset(tmp_path / "whole.nc", "w", format="NETCDF3_CLASSIC") as file:
        for name, size in {"time": None, "latitude": 3, "longitude": 5}.items():
            file.createDimension(name, size)
            file.createVariable(name, "f8", (name,))[:] = np.arange(size or 4)
        file["time"].units = "hours since 2017-01-01"
        file.createVariable("t2m", "i2", ("time", "latitude", "longitude"))[:] = np.full((4, 3, 5), 280)
    open_files(tmp_path / "whole.nc")
    (tmp_path / "short.nc").write_bytes((tmp_path / "whole.nc").read_bytes()[:-16])
    with pytest.raises(UserError, match="cut off"):
        open_files(tmp_path / "short.nc")


def test_missing_paths_and_patterns_are_named(tmp_path):
    with pytest.raises(UserError, match=r"absent.nc does not exist"):
        open_files(tmp_path / "absent.nc")
    with pytest.raises(UserError, match=r"\*.grib matches no file"):
        open_files(str(tmp_path / "*.grib"))
    with pytest.raises(UserError, match="without a zarr store"):
        open_files(tmp_path)


# ---- FileSource


def test_a_file_source_is_a_source(archive):
    assert isinstance(FileSource(FilesConfig(paths=(str(archive / "plain.nc"),))), Source)


def test_a_file_source_reads_what_is_asked(archive):
    source = FileSource(FilesConfig(paths=(str(archive / "new_cds.nc"),), variables=("t2m", "t"), levels=(850, 300)))
    assert source.variables() == ("2m_temperature", "temperature")
    assert source.levels == (300, 850)
    assert source.grid == LatLonGrid.regular(19, 36)
    np.testing.assert_array_equal(source.times(), TRUTH["time"].values)
    found = source.read(source.times()[[1, 3]], ["temperature"])
    assert_same(found, TRUTH[["temperature"]].isel(time=[1, 3]).sel(level=[300, 850]))


def test_a_file_source_leaves_out_the_rows_beyond_its_latitudes(archive):
    source = FileSource(FilesConfig(paths=(str(archive / "plain.nc"),), latitude=(90, -80)))
    assert source.grid.latitude == LatLonGrid.regular(19, 36).latitude[:-1]


def test_a_file_source_refuses_what_is_not_there(archive):
    paths = (str(archive / "plain.nc"),)
    with pytest.raises(UserError, match="unknown variable 't3m'; "):
        FileSource(FilesConfig(paths=paths, variables=("t3m",))).times()
    with pytest.raises(UserError, match="the data have no variable 'surface_pressure'"):
        FileSource(FilesConfig(paths=paths, variables=("sp", "t2m"))).times()
    with pytest.raises(UserError, match=r"no level 700 hPa; they have 300, 500, 850"):
        FileSource(FilesConfig(paths=paths, levels=(500, 700))).times()
    with pytest.raises(UserError, match=r"no row lies between latitudes 89.9 and 89.8; rows run"):
        FileSource(FilesConfig(paths=paths, latitude=(89.9, 89.8))).times()
    with pytest.raises(UserError, match=r"no time 2020-01-01.*they have 2017-02-03T00"):
        FileSource(FilesConfig(paths=paths)).read(np.array(["2020-01-01"], "datetime64[ns]"), ["t2m"])


def test_a_file_without_time_cannot_be_a_source(tmp_path):
    layouts.raw(TRUTH).isel(time=0, drop=True).to_netcdf(tmp_path / "still.nc")
    with pytest.raises(UserError, match=r"still\.nc has no time"):
        FileSource(FilesConfig(paths=(str(tmp_path / "still.nc"),))).times()


def test_the_digest_follows_the_data_and_not_the_place(archive, tmp_path):
    def digest(path, **options):
        return FileSource(FilesConfig(paths=(str(path),), **options)).digest()

    shutil.copytree(archive, tmp_path / "moved")
    for name in ("south_first.nc", "fields.zarr"):
        assert digest(archive / name) == digest(tmp_path / "moved" / name)
    assert digest(archive / "plain.nc") != digest(archive / "plain.nc", levels=(500,))
    assert digest(archive / "plain.nc") != digest(archive / "plain.nc", rename={"t2m": "sea_surface_temperature"})
    with open(tmp_path / "moved" / "south_first.nc", "r+b") as file:
        file.seek(-1, 2)
        file.write(b"\xff")
    assert digest(archive / "south_first.nc") != digest(tmp_path / "moved" / "south_first.nc")


def test_the_digest_of_a_zarr_store_follows_its_metadata_and_its_chunks(archive, tmp_path):
    shutil.copytree(archive / "fields.zarr", tmp_path / "fields.zarr")

    def digest():
        return FileSource(FilesConfig(paths=(str(tmp_path / "fields.zarr"),))).digest()

    digests = [digest()]
    chunk = max(
        (p for p in (tmp_path / "fields.zarr" / "t2m").rglob("*") if p.is_file()), key=lambda p: p.stat().st_size
    )
    chunk.write_bytes(chunk.read_bytes() + b"\0")
    digests.append(digest())
    chunk.unlink()
    digests.append(digest())
    metadata = tmp_path / "fields.zarr" / "t2m" / "zarr.json"
    metadata.write_text(metadata.read_text().replace('"K"', '"k"'))
    digests.append(digest())
    assert len(set(digests)) == 4


# ---- Groups of files, and files of other times


def orography():
    """As old CDS files have it: the geopotential of the ground under the name of that in the air."""
    height = TRUTH["2m_temperature"].isel(time=0, drop=True) * 10
    return xr.Dataset({"z": height.assign_attrs(units="m**2 s**-2")})


def test_names_mean_something_else_in_a_group_of_files(archive, tmp_path):
    orography().to_netcdf(tmp_path / "orography.nc")
    groups = (
        str(archive / "plain.nc"),
        {"paths": (str(tmp_path / "oro*.nc"),), "rename": {"z": "geopotential_at_surface"}},
    )
    source = FilesConfig(paths=groups).open(tmp_path)
    found = source.read(source.times(), ["geopotential", "geopotential_at_surface"])
    np.testing.assert_array_equal(found["geopotential"].values, TRUTH["geopotential"].values)
    np.testing.assert_array_equal(found["geopotential_at_surface"].values, orography()["z"].values)


def test_of_two_groups_that_hold_a_file_that_with_names_of_its_own_counts(tmp_path):
    layouts.raw(TRUTH).to_netcdf(tmp_path / "fields.nc")
    orography().to_netcdf(tmp_path / "orography.nc")
    named = {"paths": (str(tmp_path / "orography.nc"),), "rename": {"z": "geopotential_at_surface"}}
    for groups in ((str(tmp_path / "*.nc"), named), (named, str(tmp_path / "*.nc"))):
        assert "geopotential_at_surface" in FilesConfig(paths=groups).open(tmp_path).variables()


def test_a_group_of_files_refuses_urls_and_no_names():
    with pytest.raises(UserError, match="https"):
        FilesConfig(paths=({"paths": ("https://example.org/a.nc",), "rename": {}},))
    with pytest.raises(UserError, match="rename"):
        FilesConfig(paths=({"paths": ("a.nc",)},))


@pytest.fixture
def hourly_and_daily(tmp_path):
    """Hourly precipitation, in two files, beside fields every six hours."""
    hours = np.arange(24) * np.timedelta64(1, "h") + TRUTH["time"].values[0]
    rain = TRUTH["2m_temperature"].interp(time=hours, kwargs={"fill_value": "extrapolate"}).astype(np.float32) / 1e5
    raw = xr.Dataset({"tp": rain.assign_attrs(units="m")})
    raw.isel(time=slice(0, 10)).to_netcdf(tmp_path / "rain_1.nc")
    raw.isel(time=slice(10, 24)).to_netcdf(tmp_path / "rain_2.nc", encoding={"tp": {"chunksizes": (4, 19, 36)}})
    layouts.raw(TRUTH).to_netcdf(tmp_path / "fields.nc")
    return str(tmp_path / "*.nc"), rain


def test_files_of_other_times_are_joined_on_the_times_asked_for(hourly_and_daily, tmp_path):
    pattern, rain = hourly_and_daily
    source = FilesConfig(paths=(pattern,), every="6h").source(tmp_path)
    np.testing.assert_array_equal(source.times(), TRUTH["time"].values)
    found = source.read(source.times(), ["total_precipitation", "temperature"])
    np.testing.assert_array_equal(found["total_precipitation"].values, rain.values[::6])
    np.testing.assert_array_equal(found["temperature"].values, TRUTH["temperature"].values)


def test_files_of_other_times_are_refused_unless_times_are_chosen_that_all_have(hourly_and_daily, tmp_path):
    pattern, _ = hourly_and_daily
    with pytest.raises(UserError, match=r"differ in 20 times.*source.every"):
        FilesConfig(paths=(pattern,)).source(tmp_path).times()
    with pytest.raises(UserError, match=r"lacks 4 of the 8 times that are chosen, the first 2017-02-03T03:00"):
        FilesConfig(paths=(pattern,), every="3h").source(tmp_path).times()


def test_a_variable_can_be_read_at_times_that_others_lack(hourly_and_daily, tmp_path):
    """As sums over several hours need it."""
    pattern, rain = hourly_and_daily
    source = FilesConfig(paths=(pattern,), every="6h").open(tmp_path)
    found = source.read(rain["time"].values[[3, 12]], ["total_precipitation"])
    np.testing.assert_array_equal(found["total_precipitation"].values, rain.values[[3, 12]])
    with pytest.raises(UserError, match=r"no time 2017-02-03T03.* of temperature"):
        source.read(rain["time"].values[[3]], ["temperature"])


def test_pieces_begin_where_files_and_their_chunks_do(hourly_and_daily, tmp_path):
    pattern, _ = hourly_and_daily
    source = FilesConfig(paths=(pattern,), variables=("tp",)).open(tmp_path)
    assert source.piece_starts("total_precipitation").tolist() == [*range(10), 10, 14, 18, 22]
    source = FilesConfig(paths=(pattern,), variables=("tp", "t2m"), every="6h").open(tmp_path)
    assert source.piece_starts("total_precipitation").tolist() == [0, 1, 2, 3]


def test_what_a_source_reads_is_lazy_in_blocks_of_whole_chunks(tmp_path, monkeypatch):
    raw = layouts.raw(layouts.truth(n_times=12))[["t2m"]]
    raw.to_netcdf(tmp_path / "fields.nc", encoding={"t2m": {"chunksizes": (4, 19, 36)}})
    source = FilesConfig(paths=(str(tmp_path / "fields.nc"),)).open(tmp_path)
    assert source.read(source.times(), ["t2m"])["2m_temperature"].chunks[0] == (12,)
    monkeypatch.setattr(joined, "_BLOCK_BYTES", 5 * raw["t2m"][0].nbytes)
    found = source.read(source.times(), ["t2m"])["2m_temperature"]
    assert found.chunks == ((4, 4, 4), (19,), (36,))
    assert source.read(source.times()[2:9], ["t2m"])["2m_temperature"].chunks[0] == (2, 5)
    np.testing.assert_array_equal(found.values, raw["t2m"].values)
    assert pickle.loads(pickle.dumps(found)).equals(found)


def test_a_source_of_files_reaches_another_process_without_its_index(archive, tmp_path):
    source = FilesConfig(paths=(str(archive / "plain.nc"),)).open(tmp_path)
    source.times()
    again = pickle.loads(pickle.dumps(source))
    assert len(pickle.dumps(source)) < 2000
    np.testing.assert_array_equal(
        again.read(again.times(), ["t2m"])["2m_temperature"].values, TRUTH["2m_temperature"].values
    )


# ---- Real files

DAYS, SURFACE = ("time", "latitude", "longitude"), ("latitude", "longitude")
UPPER = ("time", "level", "latitude", "longitude")
REAL = {
    "era5_eda_zt_850_500_3deg_20170101.grib": (
        ["geopotential", "temperature"],
        ("time", "number", "level", "latitude", "longitude"),
        (4, 10, 2, 61, 120),
    ),
    "era5_msl_0p25deg_20251201.nc": (["mean_sea_level_pressure"], SURFACE, (721, 1440)),
    "era5_vo850_0p25deg_20251201.nc": (["vorticity"], SURFACE, (721, 1440)),
    "era5_t2m_0p25deg_20170101T12_south_first_lon180.nc": (["2m_temperature"], DAYS, (1, 721, 1440)),
    "era5_t2m_0p25deg_20221001.grib": (["2m_temperature"], DAYS, (1, 721, 1440)),
    "era5t_u10v10_regional_20251104_new_cds_layout.nc": (
        ["10m_u_component_of_wind", "10m_v_component_of_wind"],
        DAYS,
        (24, 32, 37),
    ),
    "era_tz_850_500_1deg_20070101.grib": (["geopotential", "temperature"], UPPER, (1, 2, 181, 360)),
    "era_tz_850_500_1deg_20070101.nc": (["geopotential", "temperature"], UPPER, (1, 2, 181, 360)),
    "erainterim_sst_daily_2p5deg_2012.nc": (["sea_surface_temperature"], DAYS, (182, 73, 144)),
    "erainterim_sst_daily_2p5deg_2015.nc": (["sea_surface_temperature"], DAYS, (182, 73, 144)),
    "erainterim_t2m_dailymax_2p5deg_2012.nc": (["2m_temperature"], DAYS, (182, 73, 144)),
    "erainterim_t2m_dailymax_2p5deg_2015.nc": (["2m_temperature"], DAYS, (182, 73, 144)),
    "erainterim_t_37levels_1p5deg_20050123_old_cds_layout.nc": (["temperature"], UPPER, (1, 37, 121, 240)),
    "erainterim_u_37levels_1p5deg_20050123_old_cds_layout.nc": (["u_component_of_wind"], UPPER, (1, 37, 121, 240)),
    "erainterim_v_37levels_1p5deg_20050123_old_cds_layout.nc": (["v_component_of_wind"], UPPER, (1, 37, 121, 240)),
}


@pytest.mark.parametrize("name", REAL)
def test_real_files_open_canonically(shared, name):
    variables, dims, shape = REAL[name]
    dataset = open_files(shared(f"reanalysis/{name}"))
    assert sorted(dataset.data_vars) == variables
    for field in dataset.data_vars.values():
        assert (field.dims, field.shape, field.dtype) == (dims, shape, np.float32)
    LatLonGrid.from_dataset(dataset)  # raises unless canonical
    assert "level" not in dataset or (np.diff(dataset["level"]) > 0).all()


def test_grib_and_netcdf_of_the_same_fields_agree(shared):
    grib = open_files(shared("reanalysis/era_tz_850_500_1deg_20070101.grib"))
    netcdf = open_files(shared("reanalysis/era_tz_850_500_1deg_20070101.nc"))
    # The NetCDF file packs int16 in steps of 0.001226 K and 0.7605 m2 s-2: half a step, and one float32 spacing.
    for name, step in {"temperature": 0.0012256, "geopotential": 0.76053}.items():
        difference = np.abs(grib[name].astype(float) - netcdf[name].astype(float))
        assert 0 < float(difference.max()) < step / 2 + np.spacing(np.float32(netcdf[name].max()))


def test_south_first_columns_from_180_west_land_where_they_belong(shared):
    path = shared("reanalysis/era5_t2m_0p25deg_20170101T12_south_first_lon180.nc")
    with xr.open_dataset(path) as raw:
        expected = raw["t2m"].sel(lat=-33.75, lon=-70.5).item()
    assert float(open_files(path)["2m_temperature"].sel(latitude=-33.75, longitude=289.5)[0]) == expected


def test_preliminary_data_say_so(shared):
    dataset = open_files(shared("reanalysis/era5t_u10v10_regional_20251104_new_cds_layout.nc"))
    assert "24 of 24 times" in preliminary(dataset)[0]


def test_two_years_and_two_variables_merge(shared):
    shared("reanalysis/erainterim_sst_daily_2p5deg_2012.nc")
    pattern = str(shared("reanalysis") / "erainterim_*_2p5deg_20*.nc")
    dataset = open_files(pattern)
    assert set(dataset.data_vars) == {"2m_temperature", "sea_surface_temperature"}
    assert dataset.sizes["time"] == 364 and (np.diff(dataset["time"]) > np.timedelta64(0, "ns")).all()
    with xr.open_dataset(shared("reanalysis/erainterim_t2m_dailymax_2p5deg_2015.nc")) as raw:
        np.testing.assert_array_equal(dataset["2m_temperature"][200], raw["t2m"][200 - 182].astype(np.float32))


WINTER = [f"era5_{name}_2025-2026_djf_2.5x2.5.zarr" for name in ("msl", "vo850")]


def test_two_zarr_stores_of_a_winter_are_one_source(shared, tmp_path):
    paths = [str(shared(f"reanalysis/{name}")) for name in WINTER]
    source = from_mapping(FilesConfig, {"name": "files", "paths": paths}, "the test").open(tmp_path)
    assert sorted(source.variables()) == ["mean_sea_level_pressure", "vorticity"]
    assert (source.grid.shape, source.levels, len(source.times())) == ((73, 144), (850,), 360)
    dataset = source.read(source.times()[122:126], source.variables())
    assert "2 of 4 times, 2026-01-01T00" in preliminary(dataset)[0]  # expver 0001, then 0005 from the new year on
    for path, raw, name in zip(paths, ("msl", "vo"), ("mean_sea_level_pressure", "vorticity"), strict=True):
        with xr.open_zarr(path) as store:
            np.testing.assert_array_equal(dataset[name].squeeze(), store[raw][122:126].squeeze())
