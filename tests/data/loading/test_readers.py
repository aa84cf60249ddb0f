import numpy as np
import pytest
import zarr
from fake_data import FakeSource, analyses

from weatherml.data.blocks import read_block
from weatherml.data.loading.readers import LazyPart, StoredPart, parts_of
from weatherml.data.store import layout
from weatherml.data.store.ingest import IngestOptions, ingest
from weatherml.data.store.maps import Account
from weatherml.data.store.opening import open_store
from weatherml.errors import UserError
from weatherml.state import spec_of

CHANNELS = ["z850", "t2m", "u850", "z500", "z1000", "u500"]
VARIABLES = {"geopotential": (500, 850, 1000), "u_component_of_wind": (500, 850, 1000), "2m_temperature": ()}
LAYOUTS = {  # most bytes of a chunk of levels, bytes of a chunk, whether it is compressed
    "times together": (2**22, 2**11, True),
    "levels together": (2**22, 1, True),
    "a map a chunk": (1, 1, True),
    "times together, plain": (2**22, 2**11, False),
    "levels together, plain": (2**22, 1, False),
    "a map a chunk, plain": (1, 1, False),
}


def write(name, fields, path):
    """Write a store of some layout; without compression there are no checksums of chunks either."""
    most, usual, is_compressed = LAYOUTS[name]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "_MAX_CHUNK_BYTES", most)
        patch.setattr(layout, "_CHUNK_BYTES", usual)
        if not is_compressed:
            declared = layout.Layout.encoding.fget
            patch.setattr(layout.Layout, "encoding", property(lambda self: {**declared(self), "compressors": None}))
            patch.setattr(layout.Layout, "compress", lambda self, values: np.ascontiguousarray(values).tobytes())
        ingest(FakeSource(fields), path, shard_length=4)
    return path


@pytest.fixture(scope="module", params=LAYOUTS)
def store(request, tmp_path_factory):
    return write(request.param, analyses(VARIABLES, times=21), tmp_path_factory.mktemp("readers") / "store.zarr")


@pytest.mark.parametrize("channels", [CHANNELS, None], ids=["some channels", "all channels"])
@pytest.mark.parametrize("rows", [slice(0, 7), slice(2, 5)], ids=["all rows", "a band"])
def test_files_are_read_as_libraries_read_them(store, channels, rows):
    dataset = open_store(store).isel(time=slice(3, 21))
    spec, times = spec_of(dataset, channels), np.array([16, 3, 3, 4, 0, 17, 5])
    expected = read_block(dataset, spec, slice(None))[times][:, :, rows]
    out, account, parts = np.zeros_like(expected), Account(), parts_of(dataset, spec, rows)
    for part in parts:
        part.read(times, out, account)
    assert all(isinstance(part, StoredPart) for part in parts)
    assert sorted(channel for part in parts for channel in part.channels) == list(range(spec.n_channels))
    np.testing.assert_array_equal(out, expected)
    assert account.n_bytes > 0


def test_a_selection_of_a_store_is_read_from_its_files(store):
    dataset = open_store(store).isel(time=[2, 9, 11], latitude=slice(1, 6)).sel(level=[500, 1000])
    spec = spec_of(dataset, ["z1000", "t2m"])
    out, times = np.zeros((2, *spec.shape), np.float32), np.array([2, 0])
    for part in parts_of(dataset, spec, slice(0, 5)):
        assert isinstance(part, StoredPart)
        part.read(times, out, Account())
    np.testing.assert_array_equal(out, read_block(dataset, spec, slice(None))[times])


@pytest.mark.parametrize("change", [lambda d: d + 1, lambda d: d.compute(), lambda d: d.chunk(time=4)])
def test_what_is_no_store_any_more_is_read_by_its_library(store, change):
    dataset = change(open_store(store))
    spec, times = spec_of(dataset, CHANNELS), np.array([5, 1, 1])
    out = np.zeros((3, *spec.shape), np.float32)
    for part in parts_of(dataset, spec, slice(0, 7)):
        assert isinstance(part, LazyPart)
        part.read(times, out, Account())
    np.testing.assert_array_equal(out, read_block(dataset, spec, slice(None))[times])


LATER = analyses(VARIABLES, times=9)


@pytest.fixture
def broken(tmp_path):
    """A store of two shards, and what reads all of its time 5, which lies in the second."""
    ingest(FakeSource(LATER.isel(time=slice(7))), tmp_path / "store.zarr", shard_length=4)
    dataset = open_store(tmp_path / "store.zarr")
    spec = spec_of(dataset, CHANNELS)

    def read():
        for part in parts_of(dataset, spec, slice(0, 7)):
            part.read(np.array([5]), np.zeros((1, *spec.shape), np.float32), Account())

    read()
    return tmp_path / "store.zarr", tmp_path / "store.zarr/geopotential/c.1.0.0.0", read


def emptied_chunk(file):
    """Take a chunk away as zarr does: it would read as missing values."""
    array = zarr.open_array(file.parent, mode="r+")
    array[4:8] = np.nan


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.unlink(),
        lambda file: file.write_bytes(file.read_bytes()[:-30]),
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(bytes(200) + file.read_bytes()[200:]),
        lambda file: file.write_bytes(file.read_bytes()[:-20] + bytes(20)),
        emptied_chunk,
    ],
    ids=["lost", "cut off", "empty", "chunk damaged", "index damaged", "chunk lost"],
)
def test_damage_is_one_line_that_names_the_file_and_what_mends_it(broken, damage):
    store, file, read = broken
    damage(file)
    with pytest.raises(UserError, match=rf"{file} is damaged.*weatherml check {store} --files --repair") as refused:
        read()
    assert "\n" not in str(refused.value)


def test_a_store_that_ingest_has_replaced_meanwhile_is_refused(broken):
    store, _, read = broken
    ingest(FakeSource(LATER), store, options=IngestOptions(grow=True))
    with pytest.raises(UserError, match=f"{store} has changed since it was opened .*compute statistics and train"):
        read()


@pytest.mark.parametrize("change", [lambda d: d, lambda d: d.round()], ids=["as they are", "compressed"])
@pytest.mark.parametrize("name", [name for name in LAYOUTS if "plain" not in name])
def test_a_bit_that_was_turned_anywhere_in_a_file_is_found_where_its_chunk_is_read(tmp_path, name, change):
    dataset = open_store(write(name, change(LATER), tmp_path / "store.zarr"))
    file, spec = tmp_path / "store.zarr/geopotential/c.1.0.0.0", spec_of(dataset, CHANNELS)
    content, times = file.read_bytes(), np.arange(4, 8)
    for offset in range(0, len(content), len(content) // 25):
        turned = bytearray(content)
        turned[offset] ^= 1 << offset % 8
        file.write_bytes(turned)
        with pytest.raises(UserError, match=rf"{file} is damaged.*--files --repair"):
            for part in parts_of(dataset, spec, slice(0, 7)):
                part.read(times, np.zeros((4, *spec.shape), np.float32), Account())
