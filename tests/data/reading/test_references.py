"""References of kerchunk: other files' chunks, opened as the store that they make."""

import base64
import json
import sys

import numpy as np
import pytest
import source_layouts as layouts
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.reference import LazyReferenceMapper
from made_references import array, reference

from weatherml.data.reading.file_index import FileToRead, IndexedFiles, fingerprint
from weatherml.data.reading.file_index.stamps import stamp_of
from weatherml.data.reading.opening import open_files
from weatherml.errors import UserError

TRUTH = layouts.truth(n_times=3, n_lat=5, n_lon=8)[["2m_temperature"]]


@pytest.fixture
def referred(tmp_path):
    """A reference beside the file that it points to."""
    layouts.raw(TRUTH).to_netcdf(tmp_path / "fields.nc", format="NETCDF3_64BIT")
    told = reference(TRUTH, "fields.nc", (tmp_path / "fields.nc").read_bytes())
    (tmp_path / "fields.json").write_text(json.dumps(told))
    return tmp_path / "fields.json"


def test_a_reference_is_opened_as_what_it_points_to(referred):
    found = open_files(referred)
    assert found.attrs["weatherml_source_format"] == ["kerchunk"]
    np.testing.assert_array_equal(found["2m_temperature"].values, TRUTH["2m_temperature"].values)
    indexed = IndexedFiles([FileToRead(referred, {})])
    np.testing.assert_array_equal(indexed.read(indexed.rows)["2m_temperature"].values, TRUTH["2m_temperature"].values)


def test_what_a_reference_points_to_is_part_of_its_fingerprint_and_looked_at_again(referred):
    def told():
        indexed = IndexedFiles([FileToRead(referred, {})], folder=referred.parent)
        return fingerprint(referred, indexed.entries[0]), indexed.entries[0].stamp

    before = told()
    assert told() == before
    with (referred.parent / "fields.nc").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\xff")
    after = told()
    assert after[0] != before[0] and after[1] != before[1]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("gone.nc", r"points to gone.nc, which does not exist"),
        ("s3://bucket/fields.nc", r"points .*; only references to files on this machine are read"),
    ],
)
def test_chunks_that_are_not_there_are_no_missing_values(referred, target, message):
    content = (referred.parent / "fields.nc").read_bytes()
    referred.write_text(json.dumps(reference(TRUTH, target, content)))
    with pytest.raises(UserError, match=message):
        open_files(referred)


def test_a_target_that_was_cut_off_is_refused(referred):
    path = referred.parent / "fields.nc"
    path.write_bytes(path.read_bytes()[:400])
    with pytest.raises(UserError, match=r"points beyond the end of .*fields.nc"):
        open_files(referred)


@pytest.mark.parametrize("content", ["{", '{"a": 1}', '{"version": 1, "refs": {"a": "b"}}'])
def test_json_that_is_no_reference_says_so(tmp_path, content):
    (tmp_path / "other.json").write_text(content)
    with pytest.raises(UserError, match=r"other.json (is JSON, but no reference|as a reference of kerchunk)"):
        open_files(tmp_path / "other.json")


def in_parquet(referred):
    """Write a reference as a folder of Parquet, as virtualizarr and kerchunk do."""
    folder = referred.with_suffix(".parq")
    mapper = LazyReferenceMapper.create(str(folder), fs=LocalFileSystem(), record_size=10)
    for key, value in json.loads(referred.read_text())["refs"].items():
        is_inline = isinstance(value, str) and value.startswith("base64:")
        mapper[key] = base64.b64decode(value[7:]) if is_inline else value if isinstance(value, list) else value.encode()
    mapper.flush()
    return folder


def test_a_reference_in_parquet_is_opened_as_what_it_points_to(referred):
    pytest.importorskip("fastparquet", reason="references in Parquet need fastparquet")
    found = open_files(in_parquet(referred))
    np.testing.assert_array_equal(found["2m_temperature"].values, TRUTH["2m_temperature"].values)


def test_a_reference_in_parquet_that_changes_where_it_lies_is_looked_at_again(referred):
    pytest.importorskip("fastparquet", reason="references in Parquet need fastparquet")
    folder = in_parquet(referred)
    before = stamp_of(folder, "kerchunk")
    assert stamp_of(folder, "kerchunk") == before
    with next(folder.rglob("*.parq")).open("r+b") as file:
        content = file.read()
        file.seek(0)
        file.write(content)
    assert stamp_of(folder, "kerchunk") != before


def test_a_reference_in_parquet_without_its_library_names_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "fastparquet", None)
    (tmp_path / "fields.parq" / "t2m").mkdir(parents=True)
    (tmp_path / "fields.parq" / "t2m" / "refs.0.parq").touch()
    metadata = {".zgroup": {"zarr_format": 2}, "t2m/.zarray": json.loads(array([1], [1], "<f4"))}
    (tmp_path / "fields.parq" / ".zmetadata").write_text(json.dumps({"record_size": 10, "metadata": metadata}))
    with pytest.raises(UserError, match=r"fields.parq is a reference in Parquet .*; pip install fastparquet"):
        open_files(tmp_path / "fields.parq")
