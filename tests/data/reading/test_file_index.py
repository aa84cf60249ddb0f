"""Many files by their index: the same dataset as by opening them all, and only those are opened that are read."""

import json
import os
import threading
from pathlib import Path

import numpy as np
import pytest
import source_layouts as layouts
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from weatherml.cli.paths import check_paths, describe_paths
from weatherml.data.quality.check import check_dataset
from weatherml.data.reading import opening as opening_module
from weatherml.data.reading.file_index import FileToRead, IndexedFiles, cache, index_files, scan
from weatherml.data.reading.file_index import reader as reader_module
from weatherml.data.reading.file_index.entry import FileEntry
from weatherml.data.reading.file_index.reader import FieldReader
from weatherml.data.reading.formats.messages import MessageTable
from weatherml.data.reading.opening import open_files
from weatherml.data.sources.files import FilesConfig
from weatherml.errors import UserError

TRUTH = layouts.truth(n_times=5, n_lat=4, n_lon=6)
RAW = layouts.raw(TRUTH)


def files_in(folder, pattern="*.nc"):
    return [FileToRead(path, {}) for path in sorted(folder.glob(pattern))]


def write(folder, pieces):
    for number, piece in enumerate(pieces):
        piece.to_netcdf(folder / f"part_{number:02d}.nc")
    return files_in(folder)


@pytest.fixture
def hourly(tmp_path):
    """A file for each time."""
    return write(tmp_path, [RAW.isel(time=[i]) for i in range(5)])


pieces_of_the_truth = st.lists(
    st.tuples(
        st.sets(st.sampled_from(range(5)), min_size=1),
        st.sets(st.sampled_from(range(3)), min_size=1),
        st.sets(st.sampled_from(sorted(RAW.data_vars)), min_size=1),
        st.booleans(),
    ),
    max_size=2,
)


@settings(max_examples=6, deadline=None)
@given(extra=pieces_of_the_truth, cuts=st.sets(st.sampled_from(range(1, 5))), by_level=st.booleans())
def test_files_by_their_index_are_the_dataset_that_merging_them_makes(tmp_path_factory, extra, cuts, by_level):
    """Whatever the truth is cut into, and whatever parts of it lie beside it once more."""
    folder = tmp_path_factory.mktemp("cut")
    pieces = [RAW.isel(time=slice(a, b)) for a, b in zip([0, *sorted(cuts)], [*sorted(cuts), 5], strict=True)]
    if by_level:
        pieces = [p for whole in pieces for p in (whole.isel(level=[0, 2]), whole[["z", "t"]].isel(level=[1]))]
    for times, levels, names, is_turned in extra:
        copy = RAW[sorted(names)].isel(time=sorted(times))
        copy = copy.isel(level=sorted(levels)) if "level" in copy.dims else copy
        pieces.append(layouts.south_first(copy) if is_turned else copy)
    files = write(folder, pieces)
    expected = open_files([file.path for file in files])
    indexed = IndexedFiles(files)
    found = indexed.read(indexed.rows)
    xr.testing.assert_identical(found.load(), expected.load())


@pytest.mark.parametrize("kind", ["grib", "zarr"])
def test_other_formats_by_their_index_are_the_same_dataset(tmp_path, kind):
    for i in range(2):
        part = RAW.isel(time=slice(2 * i, 2 * i + 2))
        if kind == "grib":
            layouts.write_grib(part, tmp_path / f"{i}.grib")
        else:
            part.to_zarr(tmp_path / f"{i}.zarr", consolidated=False)
    files = files_in(tmp_path, f"*.{kind}")
    indexed = IndexedFiles(files)
    expected = open_files([file.path for file in files])
    xr.testing.assert_identical(indexed.read(indexed.rows).load(), expected.load())


def test_a_difference_between_two_files_names_them(tmp_path):
    other = RAW[["t2m"]].isel(time=[2]) + 1
    other["t2m"].attrs = RAW["t2m"].attrs
    files = write(tmp_path, [RAW.isel(time=slice(0, 2)), RAW.isel(time=slice(2, 5)), other])
    with pytest.raises(UserError, match=r"2m_temperature at .* differs by .* between .*part_01.nc and .*part_02.nc"):
        _ = IndexedFiles(files).rows


def test_the_second_opening_looks_at_no_file(hourly, tmp_path, monkeypatch):
    first = IndexedFiles(hourly, folder=tmp_path / "run")
    monkeypatch.setattr(FileEntry, "scan", lambda *_: pytest.fail("a file was looked at again"))
    second = IndexedFiles(hourly, folder=tmp_path / "run")
    assert second.entries == first.entries
    xr.testing.assert_identical(second.read(second.rows).load(), first.read(first.rows).load())


def test_the_headers_of_a_grib_file_are_read_once(tmp_path, monkeypatch):
    layouts.write_grib(RAW, tmp_path / "fields.grib")
    expected = open_files(tmp_path / "fields.grib").load()
    _ = IndexedFiles(files_in(tmp_path, "*.grib"), folder=tmp_path)
    monkeypatch.setattr(MessageTable, "scan", lambda *_: pytest.fail("headers were read again"))
    indexed = IndexedFiles(files_in(tmp_path, "*.grib"), folder=tmp_path)
    xr.testing.assert_identical(indexed.read(indexed.rows).load(), expected)


def test_a_file_that_changed_is_looked_at_again(hourly, tmp_path):
    before = IndexedFiles(hourly, folder=tmp_path / "run")
    changed = RAW.isel(time=[1]) * 2
    for name in changed.data_vars:
        changed[name].attrs = RAW[name].attrs
    changed.to_netcdf(hourly[1].path)
    with pytest.raises(UserError, match=r"part_01.nc has changed since it was looked at"):
        before.read(before.rows).load()
    after = IndexedFiles(hourly, folder=tmp_path / "run")
    found = after.read(after.rows)["2m_temperature"].values
    np.testing.assert_array_equal(found[1], 2 * TRUTH["2m_temperature"].values[1])
    np.testing.assert_array_equal(found[2], TRUTH["2m_temperature"].values[2])


def test_fields_without_time_that_every_file_has_are_compared_without_reading(tmp_path, monkeypatch):
    mask = (RAW["t2m"].isel(time=0, drop=True) > 290).astype(np.float32).assign_attrs(units="1")
    files = write(tmp_path, [RAW[["t2m"]].isel(time=[i]).assign(lsm=mask) for i in range(3)])
    with monkeypatch.context() as unread:
        unread.setattr(FieldReader, "read", lambda *_: pytest.fail("a field was read"))
        indexed = IndexedFiles(files)
        rows = indexed.rows
    np.testing.assert_array_equal(indexed.read({"land_sea_mask": rows["land_sea_mask"]})["land_sea_mask"].values, mask)
    RAW[["t2m"]].isel(time=[2]).assign(lsm=(1 - mask).assign_attrs(units="1")).to_netcdf(files[2].path)
    with pytest.raises(
        UserError, match=r"land_sea_mask has no time and differs by .* between .*part_00.nc and .*part_02.nc"
    ):
        _ = IndexedFiles(files).rows


def test_copies_are_compared_once(tmp_path, monkeypatch):
    files = write(tmp_path, [RAW.isel(time=slice(0, 3)), RAW.isel(time=slice(2, 5))])
    expected = {name: field.values for name, field in IndexedFiles(files, folder=tmp_path).rows.items()}
    with monkeypatch.context() as unread:
        unread.setattr(FieldReader, "read", lambda *_: pytest.fail("copies were compared again"))
        found = IndexedFiles(files, folder=tmp_path).rows
    assert all(np.array_equal(found[name].values, values) for name, values in expected.items())
    other = RAW.isel(time=slice(2, 5)).assign(t2m=(RAW["t2m"] * 2).assign_attrs(units="K").isel(time=slice(2, 5)))
    other.to_netcdf(files[1].path)
    with pytest.raises(UserError, match=r"2m_temperature at .* differs"):
        _ = IndexedFiles(files, folder=tmp_path).rows


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "nonsense"])
def test_a_damaged_index_is_made_again(hourly, tmp_path, damage):
    expected = index_files(hourly, folder=tmp_path)
    path = tmp_path / cache.NAME
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes({"cut": content[:-9], "flipped": content, "empty": b"", "nonsense": b"\xff\n{}"}[damage])
    assert cache.load(tmp_path) == {}
    assert index_files(hourly, folder=tmp_path) == expected
    assert len(cache.load(tmp_path)) == 5


def test_of_processes_that_begin_at_once_one_looks_and_the_others_find_all_done(hourly, tmp_path, monkeypatch):
    looked, really = [], FileEntry.scan
    monkeypatch.setattr(FileEntry, "scan", lambda file, wanted: looked.append(file) or really(file, wanted))
    found = []
    openings = [threading.Thread(target=lambda: found.append(index_files(hourly, None, tmp_path))) for _ in range(4)]
    for opening in openings:
        opening.start()
    for opening in openings:
        opening.join()
    assert looked == hourly
    assert len(found) == 4 and all(entries == found[0] for entries in found)
    assert {p.name for p in tmp_path.iterdir()} == {cache.NAME, *(file.path.name for file in hourly)}


def test_entries_of_several_openings_are_kept_together(hourly, tmp_path):
    openings = [threading.Thread(target=index_files, args=([file], None, tmp_path)) for file in hourly]
    for opening in openings:
        opening.start()
    for opening in openings:
        opening.join()
    assert len(cache.load(tmp_path)) == 5


def test_several_processes_find_what_one_finds(hourly, tmp_path, monkeypatch):
    (tmp_path / "text.nc").write_text("time,lat,lon")
    files = [*hourly, FileToRead(tmp_path / "text.nc", {})]
    alone = scan.scan_files(files)
    monkeypatch.setattr(scan, "_TRIAL", 1)
    monkeypatch.setattr(scan, "_SECONDS_TO_BEGIN", 1e-6)
    monkeypatch.setattr(scan, "_n_cores", lambda: 2)
    together = scan.scan_files(files)
    assert together[:5] == alone[:5] and str(together[5]) == str(alone[5])
    assert "text.nc is not GRIB, NetCDF or zarr" in str(together[5])


def test_what_a_process_did_not_get_to_is_looked_at_here(hourly, monkeypatch):
    monkeypatch.setattr(scan, "_TRIAL", 1)
    monkeypatch.setattr(scan, "_SECONDS_TO_BEGIN", 1e-6)
    monkeypatch.setattr(scan, "_n_cores", lambda: 2)
    monkeypatch.setattr(scan.sys, "executable", "/bin/false")
    assert scan.scan_files(hourly) == [FileEntry.scan(file) for file in hourly]


def test_only_files_that_hold_what_is_read_are_opened(hourly):
    indexed = IndexedFiles(hourly)
    rows = indexed.rows
    for file in (hourly[0], *hourly[2:]):
        os.unlink(file.path)
    found = indexed.read({"temperature": rows["temperature"]}).isel(time=1)
    np.testing.assert_array_equal(found["temperature"].values, TRUTH["temperature"].values[1])
    with pytest.raises(UserError, match=r"part_00.nc is gone since it was looked at"):
        indexed.read({"temperature": rows["temperature"]}).isel(time=0).load()


def test_a_bounded_number_of_files_is_open_at_once(hourly, monkeypatch):
    monkeypatch.setattr(reader_module, "_MOST_OPEN", 2)
    indexed = IndexedFiles(hourly)
    np.testing.assert_array_equal(indexed.read(indexed.rows)["temperature"].values, TRUTH["temperature"].values)
    assert len(indexed._reader._open) == 2


def test_a_damaged_chunk_names_its_file(hourly):
    path, checked = hourly[0].path, {"chunksizes": (1, 4, 6), "fletcher32": True}
    RAW.isel(time=[0]).to_netcdf(path, encoding={"t2m": checked})
    content = bytearray(path.read_bytes())
    content[content.index(RAW["t2m"].values[0].tobytes())] ^= 255
    path.write_bytes(content)
    indexed = IndexedFiles(hourly)
    found = indexed.read({"2m_temperature": indexed.rows["2m_temperature"]})["2m_temperature"]
    np.testing.assert_array_equal(found[1].values, TRUTH["2m_temperature"].values[1])
    with pytest.raises(UserError, match=r"cannot read .* in .*part_00.nc .*it may be damaged, download it again"):
        found[0].load()


@pytest.mark.parametrize("chosen", [[0, 1, 1, 3], [0, 2, 1, 3], [3, 2, 1, 0], [2, 2], [1], []])
@pytest.mark.parametrize("dim", ["latitude", "longitude", "time"])
def test_rows_are_read_in_the_order_and_as_often_as_they_are_asked_for(hourly, dim, chosen):
    indexed = IndexedFiles(hourly)
    found = indexed.read(indexed.rows)["2m_temperature"].isel({dim: chosen})
    np.testing.assert_array_equal(found.values, TRUTH["2m_temperature"].isel({dim: chosen}).values)


def test_what_is_selected_decides_what_is_read(hourly):
    indexed = IndexedFiles(hourly)
    found = indexed.read(indexed.rows)["temperature"]
    chosen = {"time": [4, 0], "level": slice(1, None), "latitude": 2, "longitude": [5, 1]}
    np.testing.assert_array_equal(found.isel(chosen).values, TRUTH["temperature"].isel(chosen).values)
    np.testing.assert_array_equal(found.isel(time=3, level=0).values, TRUTH["temperature"].values[3, 0])


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="only Linux counts the bytes that a process reads")
@pytest.mark.parametrize("chunks", [(1, 64, 128), (4, 64, 128), None])
def test_bytes_are_read_once(tmp_path, chunks):
    shape = (24, 64, 128)
    noise = np.random.default_rng(0).normal(280, 10, shape).astype(np.float32)
    coords = {
        "time": np.datetime64("2020-01-01", "ns") + np.arange(24) * np.timedelta64(6, "h"),
        "latitude": np.linspace(90, -90, 64),
        "longitude": np.arange(128) * 360 / 128,
    }
    field = xr.Dataset({"t2m": (tuple(coords), noise, {"units": "K"})}, coords)
    field.to_netcdf(tmp_path / "long.nc", encoding={"t2m": {"chunksizes": chunks, "zlib": chunks is not None}})
    indexed = IndexedFiles(files_in(tmp_path))
    lazy = indexed.read(indexed.rows)["2m_temperature"]
    lazy[:1].load()  # opened
    before = _bytes_read()
    for start in range(0, 24, 8):
        np.testing.assert_array_equal(lazy[start : start + 8].values, noise[start : start + 8])
    assert _bytes_read() - before < 1.1 * (tmp_path / "long.nc").stat().st_size


def _bytes_read():
    lines = Path("/proc/self/io").read_text().splitlines()
    return json.loads(next(line.split()[1] for line in lines if line.startswith("rchar")))


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda content: content[: content.rindex(b"GRIB") + 40], "is cut off in the middle of a GRIB message"),
        (lambda content: content[:60] + content[90:], "as GRIB"),
        (lambda content: content[:8] + bytes(80) + content[88:], "as GRIB"),
        (lambda content: b"GRIB" + bytes(100) + b"7777", "as GRIB"),
    ],
    ids=["cut off", "shorter than it says", "without a header", "one message of nothing"],
)
def test_a_damaged_grib_file_is_refused_in_one_line(tmp_path, spoil, reason):
    layouts.write_grib(RAW[["t2m"]], tmp_path / "fields.grib")
    (tmp_path / "fields.grib").write_bytes(spoil((tmp_path / "fields.grib").read_bytes()))
    with pytest.raises(UserError, match=rf"fields\.grib.*{reason}.*; .*again") as caught:
        index_files(files_in(tmp_path, "*.grib"))
    assert "\n" not in str(caught.value)


@pytest.fixture
def many(tmp_path, monkeypatch):
    """More files than are opened one by one, and nothing learnt of them yet."""
    monkeypatch.setenv(cache.FOLDER, str(tmp_path / "user"))
    for number in range(12):
        later = RAW.isel(time=[0]).assign_coords(time=RAW["time"][:1] + np.timedelta64(number, "D"))
        later.to_netcdf(tmp_path / f"part_{number:02d}.nc")
    return [str(path) for path in sorted(tmp_path.glob("*.nc"))]


def refuse_to_look(monkeypatch):
    monkeypatch.setattr(scan, "scan_files", lambda *_: pytest.fail("a file was looked at again"))


def as_a_source(paths, folder):
    source = FilesConfig(paths=tuple(paths)).source(folder)
    return source.read(source.times(), source.variables())


@pytest.mark.parametrize("first", ["open_files", "source"])
def test_every_way_to_open_many_files_finds_what_another_has_learnt(many, first, tmp_path, monkeypatch):
    expected = merge_one_by_one(many, monkeypatch).load()
    if first == "open_files":
        open_files(many)
    else:
        as_a_source(many, tmp_path / "run")
    refuse_to_look(monkeypatch)
    assert describe_paths(many)["times"]["n"] == 12
    assert errors(check_paths(many)) == errors(check_dataset(expected))
    xr.testing.assert_identical(open_files(many).load(), expected)
    xr.testing.assert_identical(as_a_source(many, tmp_path / "another run").load(), expected)


def errors(findings):
    return [finding for finding in findings if finding.severity == "error"]


def merge_one_by_one(paths, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(opening_module, "_FEW", len(paths))
        return open_files(paths)


@pytest.mark.parametrize("is_full", [True, False], ids=["full", "read-only"])
def test_files_are_read_where_nothing_can_be_kept_of_them(many, is_full, small_disk, monkeypatch, caplog):
    monkeypatch.setenv(cache.FOLDER, str(small_disk.folder / "user"))
    if is_full:
        small_disk.fill(0)
    else:
        small_disk.protect()
    expected = merge_one_by_one(many, monkeypatch).load()
    xr.testing.assert_identical(open_files(many).load(), expected)
    xr.testing.assert_identical(as_a_source(many, small_disk.folder / "run").load(), expected)
    assert "what is in which file is not kept" in caplog.text


def test_a_forecast_among_many_files_is_said_to_be_one(many, tmp_path):
    (RAW.isel(time=[0]).assign_coords(step=6).to_netcdf(tmp_path / "part_99.nc"))
    with pytest.raises(UserError, match=r"part_99.nc is a model or a forecast; check analyses"):
        check_paths([*many, str(tmp_path / "part_99.nc")])


def test_files_that_are_gone_leave_the_index(many, tmp_path):
    open_files(many)
    Path(many[0]).unlink()
    (index,) = (tmp_path / "user").rglob(cache.NAME)
    RAW.assign_coords(time=RAW["time"] + np.timedelta64(999, "D")).to_netcdf(tmp_path / "part_99.nc")
    open_files([*many[1:], str(tmp_path / "part_99.nc")])
    assert {cache.path_of(key).name for key in cache.load(index.parent)} == {
        *(Path(path).name for path in many[1:]),
        "part_99.nc",
    }
