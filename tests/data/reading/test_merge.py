"""Pieces of one variable fit together in any way files may split them (`test_files.py` has the rest)."""

from itertools import pairwise

import numpy as np
import pytest
import source_layouts as layouts
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

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


def test_copies_that_were_packed_apart_are_told_from_others(tmp_path):
    raw = layouts.raw(TRUTH)[["t2m"]]
    for name, times in {"a.nc": [0, 1], "b.nc": [1, 2]}.items():
        layouts.write_old_cds(raw.isel(time=times), tmp_path / name)
    with pytest.raises(UserError, match=r"differs by up to 0.0\d+ K, as packing them apart leaves, between .*a.nc and"):
        open_files([tmp_path / "a.nc", tmp_path / "b.nc"])
