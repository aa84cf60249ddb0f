"""Pieces of one variable fit together in any way files may split them (`test_files.py` has the rest)."""

import re
from itertools import pairwise

import numpy as np
import pytest
import source_layouts as layouts
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from weatherml.data.notes import notes
from weatherml.data.reading.file_index import FileToRead, IndexedFiles
from weatherml.data.reading.merge import Part, merge
from weatherml.data.reading.opening import open_files
from weatherml.errors import UserError

TRUTH = layouts.truth(n_times=5, n_lat=3, n_lon=4)


@settings(max_examples=15, deadline=None)
@given(order=st.permutations(range(5)), cuts=st.sets(st.integers(1, 4)), level=st.integers(0, 3))
def test_any_split_in_time_and_level_merges_to_the_whole(order, cuts, level):
    edges = [0, *sorted(cuts), 5]
    pieces = [TRUTH.isel(time=sorted(order[a:b])) for a, b in pairwise(edges)]
    pieces = [piece.isel(level=part) for piece in pieces for part in (slice(level), slice(level, None))]
    pieces = [piece if piece.sizes["level"] else piece[["2m_temperature"]] for piece in pieces]
    merged = merge([Part(str(number), piece) for number, piece in enumerate(pieces)])
    for name in TRUTH.data_vars:
        np.testing.assert_array_equal(merged[name], TRUTH[name])


def test_members_that_differ_are_refused():
    one, two = (TRUTH[["2m_temperature"]].expand_dims(number=[n], axis=1).isel(time=[t]) for n, t in ((0, 0), (1, 1)))
    with pytest.raises(UserError, match="other members"):
        merge([Part("a", one), Part("b", two)])


def test_files_whose_coordinates_differ_in_the_last_digits_are_of_one_grid():
    """Rows of no known grid, of which one file rounds up what another rounds down."""
    rows = np.array([51.23455, 40.1, 33.33335])
    pieces = [TRUTH.isel(time=[t]).assign_coords(latitude=np.round(rows + 1e-5 * (-1) ** t, 4)) for t in range(5)]
    assert not pieces[0]["latitude"].equals(pieces[1]["latitude"])
    merged = merge([Part(str(number), piece) for number, piece in enumerate(pieces)])
    for name in TRUTH.data_vars:
        np.testing.assert_array_equal(merged[name], TRUTH[name])
    with pytest.raises(UserError, match="different grids"):
        merge([Part("a", pieces[0]), Part("b", pieces[1].assign_coords(latitude=rows + 1))])


def test_static_fields_that_differ_are_refused():
    mask = xr.Dataset({"land_sea_mask": TRUTH["2m_temperature"].isel(time=0, drop=True) * 0})
    with pytest.raises(UserError, match="no time and differs by up to 1 between a and b"):
        merge([Part("a", mask), Part("b", mask + 1)])


@pytest.fixture
def packed_apart(tmp_path):
    """Two files of 1500 points that share a time, each packed by a scale of its own."""
    raw = layouts.raw(layouts.truth(n_times=3, n_lat=30, n_lon=50))[["t2m"]]
    for name, times in {"a.nc": [0, 1], "b.nc": [1, 2]}.items():
        layouts.write_old_cds(raw.isel(time=times), tmp_path / name)
    return [tmp_path / "a.nc", tmp_path / "b.nc"]


def by_index(paths, folder):
    indexed = IndexedFiles([FileToRead(path, {}) for path in paths], folder=folder)
    return indexed.read(indexed.rows)


def test_copies_that_were_packed_apart_are_one_field_and_a_note_says_so(packed_apart, tmp_path):
    first, second = (xr.open_dataset(path)["t2m"].values.astype(np.float32) for path in packed_apart)
    assert not np.array_equal(first[1], second[0])
    for found in (open_files(packed_apart), *(by_index(packed_apart, tmp_path) for _ in range(2))):
        np.testing.assert_array_equal(found["2m_temperature"], [*first, second[1]])
        (note,) = notes(found)
        assert re.search(r"1 field of .*a\.nc come again, packed apart, and differ by up to 0\.0\d+ K; those of", note)


def test_a_grib_file_and_a_netcdf_file_of_the_same_time_are_one_field(packed_apart, tmp_path):
    raw = layouts.raw(layouts.truth(n_times=3, n_lat=30, n_lon=50))[["t2m"]]
    layouts.write_grib(raw.isel(time=[0]), tmp_path / "c.grib")
    found = open_files([tmp_path / "c.grib", packed_apart[0]])
    assert found.sizes["time"] == 2 and len(notes(found)) == 1


@pytest.mark.parametrize("by", [0.003, 1.0])
def test_copies_that_differ_by_more_are_refused_with_where_and_how_much(packed_apart, by):
    other = layouts.raw(layouts.truth(n_times=3, n_lat=30, n_lon=50))[["t2m"]].isel(time=[1, 2])
    other["t2m"][0, 4, 7] += by
    layouts.write_old_cds(other, packed_apart[1])
    where = f"most at {np.linspace(90, -90, 30)[4]:g} N, {7 * 360 / 50:g} E"
    for read in (open_files, lambda paths: by_index(paths, None)):
        with pytest.raises(UserError, match=rf"T06:00 differs by up to [\d.]+ K between .*, {where}; leave"):
            read(packed_apart)


def test_copies_in_one_file_that_differ_are_told_of_that_file(tmp_path):
    twice = layouts.raw(layouts.truth(n_times=3, n_lat=30, n_lon=50))[["t2m"]].isel(time=[0, 1, 1, 2])
    twice["t2m"][2, 4, 7] += 1
    layouts.write_old_cds(twice, tmp_path / "one.nc")
    with pytest.raises(UserError, match=r"is twice in \S*one.nc, and differs by up to .* keep that one alone"):
        open_files(tmp_path / "one.nc")


def test_values_of_one_scale_that_differ_are_different(tmp_path):
    """As kinds of soil do, or counts, by one."""
    raw = layouts.raw(layouts.truth(n_times=1, n_lat=30, n_lon=50))[["t2m"]]
    for number in range(2):
        raw["t2m"][...] = np.arange(50.0) + 250
        raw["t2m"][0, 0, 0] += number
        raw.to_netcdf(tmp_path / f"{number}.nc")
    with pytest.raises(UserError, match="differs by up to 1 K"):
        open_files([tmp_path / "0.nc", tmp_path / "1.nc"])


@pytest.mark.parametrize("write", [layouts.write_old_cds, layouts.write_grib])
def test_times_that_come_again_with_equal_values_are_read_once_and_a_note_says_so(tmp_path, write):
    raw = layouts.raw(layouts.truth(n_times=3, n_lat=30, n_lon=50))[["t2m"]]
    for name, times in {"a": [0, 1], "b": [1, 2]}.items():
        write(raw.isel(time=times).round(), tmp_path / name)
    for found in (open_files([tmp_path / "a", tmp_path / "b"]), by_index([tmp_path / "a", tmp_path / "b"], tmp_path)):
        (note,) = (text for text in notes(found) if "again" in text)
        assert re.fullmatch(
            r"1 time of \S*/a comes again in \S*/b with the same values, the first \S+: read once", note
        )


def test_messages_that_come_twice_in_a_file_are_read_once_and_a_note_says_so(tmp_path):
    raw = layouts.raw(layouts.truth(n_times=3, n_lat=30, n_lon=50))[["t2m"]]
    layouts.write_grib(raw.isel(time=[0, 1, 1]), tmp_path / "a.grib")
    found = open_files(tmp_path / "a.grib")
    assert found.sizes["time"] == 2
    assert notes(found) == ["1 message of t2m come again with the same values: read once"]
