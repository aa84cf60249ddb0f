"""Laws of what single stores of an archive have: odd levels, times that come twice, masks and versions along time."""

import numpy as np
import pytest
import xarray as xr
from archive_layouts import like_arco
from fake_data import analyses
from http_store import serving

from weatherml.data.notes import preliminary
from weatherml.data.sources import ArchiveConfig, FilesConfig
from weatherml.data.sources.archive import store as archive_store
from weatherml.data.store.ingest import ingest
from weatherml.data.store.opening import open_store
from weatherml.errors import UserError
from weatherml.grid import LatLonGrid

LEVELS = (1, 2, 3, 5, 10, 50, 500, 850, 1000)
TRUTH = analyses({"temperature": LEVELS, "2m_temperature": ()}, times=8, grid=LatLonGrid.regular(5, 6))


def written(folder, fields, **options):
    fields.to_zarr(folder / "a.zarr", zarr_format=2, **options)
    return folder / "a.zarr"


def source_of(place, **keys):
    return ArchiveConfig(url=(str(place),), **keys).source(place.parent)


@pytest.mark.parametrize(
    ("name", "units", "in_a_hpa"),
    [("level", "Pa", 100), ("level", "hPa", 1), ("level", "", 100), ("isobaric", "", 1), ("p", "Pa", 100)],
)
@pytest.mark.parametrize("kept", [(500,), (500, 1000), (1, 2, 3)])
def test_a_level_is_the_same_whatever_else_is_kept(tmp_path, name, units, in_a_hpa, kept):
    """Of 500 in Pa without units, taken alone, nobody would know that it is 5 hPa; 1, 2 and 3 look like a count."""
    attrs = {"units": units} if units else {}
    stored = TRUTH.assign_coords(level=("level", np.array(LEVELS, np.float64) * in_a_hpa, attrs))
    place = written(tmp_path, stored.rename({"level": name} if name != "level" else {}))
    read = source_of(place, variables=("temperature",), levels=kept)
    assert read.levels == kept
    field = read.read(read.times()[2:4], ["temperature"])["temperature"]
    np.testing.assert_array_equal(field, TRUTH["temperature"].sel(level=list(kept))[2:4])


def test_levels_in_words_are_chosen_from(tmp_path):
    place = written(tmp_path, TRUTH.assign_coords(level=[f"{level} hPa" for level in LEVELS]))
    read = source_of(place, variables=("temperature",), levels=(500,))
    field = read.read(read.times(), ["temperature"])["temperature"]
    np.testing.assert_array_equal(field[:, 0], TRUTH["temperature"].sel(level=500))


@pytest.mark.parametrize("levels", [None, (1000,)])
@pytest.mark.parametrize("kind", [ArchiveConfig, FilesConfig])
def test_a_level_that_comes_twice_is_refused_by_name(tmp_path, kind, levels):
    place = str(written(tmp_path, TRUTH.isel(level=[6, 6, 8])))
    keys = {"url": (place,)} if kind is ArchiveConfig else {"paths": (place,)}
    with pytest.raises(UserError, match=r"a.zarr has the level 500 hPa 2 times"):
        kind(**keys, levels=levels).source(tmp_path).times()


def with_mask(change_at=None, n_times=8):
    mask = np.broadcast_to(np.arange(30.0).reshape(5, 6) > 14, (n_times, 5, 6)).astype(np.float32)
    if change_at is not None:
        mask = mask.copy()
        mask[change_at, 2, 2] = 1 - mask[change_at, 2, 2]
    return TRUTH[["2m_temperature"]].assign(land_sea_mask=(("time", "latitude", "longitude"), mask, {"units": "1"}))


@pytest.mark.parametrize("change_at", [1, 4, 7])
def test_a_mask_that_changes_is_refused_as_of_files(tmp_path, change_at):
    place = written(tmp_path, with_mask(change_at))
    with pytest.raises(UserError, match=r"land_sea_mask in .* changes with time, but stands for what does not"):
        ingest(source_of(place), tmp_path / "store.zarr")
    assert not (tmp_path / "store.zarr" / "manifest.json").exists()
    times = TRUTH["time"].values
    without = source_of(place, exclude=(str(times[change_at]),))
    np.testing.assert_array_equal(without.read(without.times(), ["land_sea_mask"])["land_sea_mask"].sum(), 15)


def test_of_a_mask_at_many_times_some_are_compared_from_the_first_to_the_last(tmp_path, monkeypatch):
    monkeypatch.setattr(archive_store, "_FEWEST_LOOKS", 3)
    monkeypatch.setattr(archive_store, "_BYTES_OF_LOOKS", 1)
    like_arco(with_mask(), tmp_path / "arco")
    with serving(tmp_path) as server:
        source = ArchiveConfig(url=(f"{server.url}/arco",)).source(tmp_path)
        read = source.read(source.times()[:2], ["land_sea_mask"])["land_sea_mask"]
        chunks = server.chunks("arco/land_sea_mask")
    assert read.dims == ("latitude", "longitude") and float(read.sum()) == 15
    assert [int(key.rpartition("/")[2].split(".")[0]) for key in sorted(chunks)] == [2, 5, 9]  # data begin at 2
    (other := tmp_path / "b").mkdir()
    place = written(other, with_mask(change_at=7), encoding={"land_sea_mask": {"chunks": (1, 5, 6)}})
    with pytest.raises(UserError, match="changes with time"):
        source_of(place).read(TRUTH["time"].values[:1], ["land_sea_mask"])


def test_times_that_come_twice_are_refused_by_name_and_may_be_left_out(tmp_path):
    fields = TRUTH[["2m_temperature"]]
    place = written(tmp_path, fields.isel(time=[0, 1, 2, 2, 3, 4]))
    twice = np.datetime_as_string(fields["time"].values[2], "m")
    with pytest.raises(UserError, match=f"a.zarr has 1 time more than once, the first {twice}; leave .*source.exclude"):
        source_of(place).times()
    without = source_of(place, exclude=(twice,))
    read = without.read(without.times(), ["2m_temperature"])
    xr.testing.assert_equal(read, fields.isel(time=[0, 1, 3, 4]))
    files = FilesConfig(paths=(str(place),)).source(tmp_path)  # the other way that the line names
    xr.testing.assert_equal(files.read(files.times(), ["2m_temperature"]).load(), fields.isel(time=slice(5)))


def test_a_time_axis_that_only_its_standard_name_tells_is_read(tmp_path):
    fields = TRUTH[["2m_temperature"]]
    stored = fields.rename(time="t")
    stored["t"].attrs["standard_name"] = "time"
    source = source_of(written(tmp_path, stored))
    read = source.read(source.times()[3:5], ["2m_temperature"])
    np.testing.assert_array_equal(read["2m_temperature"], fields["2m_temperature"][3:5])


def test_preliminary_times_of_a_dimension_of_versions_are_told(tmp_path):
    values = TRUTH["2m_temperature"].values
    both = np.full((8, 2, 5, 6), np.nan, np.float32)
    both[:5, 0], both[5:, 1] = values[:5], values[5:]
    dims = ("time", "expver", "latitude", "longitude")
    attrs = TRUTH["2m_temperature"].attrs
    stored = TRUTH[["2m_temperature"]].assign({"2m_temperature": (dims, both, attrs)}).assign_coords(expver=[1, 5])
    source = source_of(written(tmp_path, stored))
    ingest(source, tmp_path / "store.zarr", shard_length=3)
    made = open_store(tmp_path / "store.zarr")
    np.testing.assert_array_equal(made["2m_temperature"], values)
    (told,) = preliminary(made)
    first, last = (np.datetime_as_string(TRUTH["time"].values[i], "h") for i in (5, 7))
    assert told.endswith(f"3 of 8 times, {first} .. {last}")
