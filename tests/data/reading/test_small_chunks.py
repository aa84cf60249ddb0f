"""Stores of small chunks are read in blocks of several, none of which is torn apart."""

import numpy as np
import pytest
import source_layouts as layouts
import xarray as xr

from weatherml.data.reading.formats import local
from weatherml.data.reading.opening import open_files

TRUTH = layouts.truth(n_times=10)[["temperature", "2m_temperature"]]
FIELD = 4 * TRUTH["2m_temperature"][0].size


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize(
    ("stored", "n_fields", "expected"),
    [
        (1, 12, {"2m_temperature": (10,), "temperature": (4, 4, 2)}),  # of three levels
        (3, 18, {"2m_temperature": (10,), "temperature": (6, 4)}),
        (4, 3, {"2m_temperature": (4, 4, 2), "temperature": (4, 4, 2)}),
    ],
)
def test_blocks_are_whole_chunks_of_so_many_bytes(tmp_path, monkeypatch, zarr_format, stored, n_fields, expected):
    monkeypatch.setattr(local, "_BLOCK_BYTES", n_fields * FIELD)
    sizes = {name: (stored, *(1,) * ("level" in field.dims), *field.shape[-2:]) for name, field in TRUTH.items()}
    encoding = {name: {"chunks": chunks} for name, chunks in sizes.items()}
    TRUTH.to_zarr(tmp_path / "small.zarr", zarr_format=zarr_format, encoding=encoding, consolidated=False)
    opened = open_files(tmp_path / "small.zarr")
    assert {name: field.chunksizes["time"] for name, field in opened.data_vars.items()} == expected
    assert opened["temperature"].chunksizes["level"] == (1, 1, 1)
    xr.testing.assert_equal(opened.load(), TRUTH)


def test_a_store_that_is_written_anew_is_read_anew(tmp_path):
    for offset in (0, 1):
        (TRUTH + np.float32(offset)).to_zarr(tmp_path / "small.zarr", mode="w", consolidated=False)
        xr.testing.assert_equal(open_files(tmp_path / "small.zarr").load(), TRUTH + np.float32(offset))
