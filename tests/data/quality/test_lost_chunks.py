"""A chunk that is gone from a zarr store reads as data, and is found by the list of its files."""

import numpy as np
import pytest
import source_layouts as layouts

from weatherml.cli.paths import check_paths
from weatherml.data.quality.check import check_dataset

NAME = "10m_u_component_of_wind"
WIND = layouts.truth(8)[["2m_temperature"]].rename({"2m_temperature": NAME}) - 285


def lost(path, **options):
    return [f for f in check_paths([str(path)], **options) if f.rule == "lost-chunks"]


@pytest.fixture(
    params=[(2, {}), (2, {"fill_value": 0}), (3, {}), (3, {"fill_value": 0.0}), (3, {"shards": (4, 19, 36)})]
)
def store(request, tmp_path):
    """Returns a zarr store of four, or two, files of times that another program wrote, by format and fill value."""
    zarr_format, encoding = request.param
    wind = WIND.drop_encoding()
    encoding = {NAME: {"chunks": (2, 19, 36), **encoding}}
    if "fill_value" in encoding[NAME] and zarr_format == 2:
        encoding[NAME]["_FillValue"] = encoding[NAME].pop("fill_value")
    wind.to_zarr(tmp_path / "wind.zarr", zarr_format=zarr_format, encoding=encoding, consolidated=False)
    return tmp_path / "wind.zarr"


def chunks(store):
    return sorted(p for p in (store / NAME).rglob("*") if p.is_file() and p.name[-1].isdigit())


def test_a_lost_chunk_is_an_error_that_says_when(store):
    assert lost(store) == []
    files = chunks(store)
    files[1].unlink()
    (finding,) = lost(store)
    first = {4: "2017-02-03T12 .. 2017-02-03T18", 2: "2017-02-04T00 .. 2017-02-04T18"}[len(files)]
    assert finding.severity == "error" and finding.subject == NAME
    assert f"1 of {len(files)} chunks are not in the store" in finding.message and first in finding.message
    assert lost(store, ignore=["lost-chunks"]) == []


def test_a_file_that_is_empty_is_lost(store):
    chunks(store)[0].write_bytes(b"")
    assert len(lost(store)) == 1


def test_a_variable_without_any_chunk_is_lost(store):
    for file in chunks(store):
        file.unlink()
    assert "none of its" in lost(store)[0].message


def test_a_mask_that_has_no_chunk_at_any_time_is_none(tmp_path):
    sea = WIND.where(WIND["longitude"] >= 180).drop_encoding()
    sea.to_zarr(tmp_path / "sea.zarr", encoding={NAME: {"chunks": (2, 19, 18)}}, consolidated=False)
    assert len(chunks(tmp_path / "sea.zarr")) == 4
    assert lost(tmp_path / "sea.zarr") == []


def test_rain_that_lacks_chunks_of_zeros_is_a_warning(tmp_path):
    rain = abs(WIND).rename({NAME: "total_precipitation"}) * 1e-4
    rain["total_precipitation"][2:4] = 0
    encoding = {"total_precipitation": {"chunks": (2, 19, 36), "fill_value": 0.0}}
    rain.drop_encoding().to_zarr(tmp_path / "rain.zarr", encoding=encoding, consolidated=False, zarr_format=3)
    (finding,) = lost(tmp_path / "rain.zarr")
    assert finding.severity == "warning" and "where it is 0 all over, this is right" in finding.message


@pytest.mark.parametrize("name", ["land_sea_mask", "2m_temperature"])
@pytest.mark.parametrize("dims", [{}, {"time": 2}])
def test_what_is_zero_in_whole_chunks_and_has_no_time_is_a_warning_at_most(tmp_path, name, dims):
    """The land of a sea; a static field that a store repeats at each time, too."""
    field = WIND[NAME].isel(time=0, drop=True).where(WIND["longitude"] < 100, 0).rename(name)
    field = field.expand_dims(time=WIND["time"][:2]) if dims else field
    encoding = {name: {"chunks": (*(1 for _ in dims), 10, 12), "_FillValue": 0}}
    field.drop_encoding().to_dataset().to_zarr(tmp_path / "a.zarr", zarr_format=2, encoding=encoding)
    (finding,) = lost(tmp_path / "a.zarr")
    may_be_right = name == "land_sea_mask" or not dims
    assert finding.severity == ("warning" if may_be_right else "error")


def test_four_times_of_zero_wind_are_found_by_value_wherever_they_came_from():
    field = WIND.copy(deep=True)
    field[NAME][2:6] = 0
    assert any(f.severity == "error" and "2017-02-03T12" in f.message for f in check_dataset(field))
    assert np.all(field[NAME][2:6] == 0)
