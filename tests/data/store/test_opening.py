import json
import pickle
import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from fake_data import FakeSource, analyses, forecasts

from weatherml.cli.paths import check_files
from weatherml.cli.repairing import repair_stores
from weatherml.data.blocks import read_block
from weatherml.data.reading.opening import open_files
from weatherml.data.statistics.channel_statistics import compute_statistics
from weatherml.data.store import opening
from weatherml.data.store.ingest import IngestOptions, ingest
from weatherml.data.store.opening import digest, open_store, verify
from weatherml.errors import UserError
from weatherml.products.reading import read_forecast
from weatherml.state import spec_of
from weatherml.storage.share import Share
from weatherml.verification.judging import evaluate


@pytest.fixture
def store(tmp_path):
    ingest(FakeSource(analyses(times=14)), tmp_path / "store.zarr", shard_length=4)
    return tmp_path / "store.zarr"


def test_opening_reads_no_values(store):
    for file in store.glob("*/c.*"):
        file.write_bytes(bytes(file.stat().st_size))
    assert open_store(store).sizes["time"] == 14


def test_variables_keep_the_order_of_the_source(store):
    assert list(open_store(store).data_vars) == ["geopotential", "2m_temperature"]


def test_a_store_names_its_source_and_digest(store):
    assert open_store(store).attrs == {"source": "fake", "digest": digest(store)}


def test_the_digest_is_of_the_data(store, tmp_path):
    for seed, name in ((0, "same"), (1, "other")):
        ingest(FakeSource(analyses(times=14, seed=seed)), tmp_path / name, shard_length=4)
    assert digest(tmp_path / "same") == digest(store) != digest(tmp_path / "other")


def test_verify_finds_one_flipped_bit(store):
    file = store / "geopotential" / "c.2.0.0.0"
    content = bytearray(file.read_bytes())
    content[100] ^= 4
    file.write_bytes(content)
    assert verify(store) == ["geopotential/c.2.0.0.0"]


def test_a_lost_file_is_not_read_as_missing_values(store):
    (store / "2m_temperature" / "c.1.0.0").unlink()
    with pytest.raises(UserError, match=r"lost 1 file, such as c\.1\.0\.0; mend it with weatherml check"):
        open_store(store)


@pytest.mark.parametrize("file", ["2m_temperature/c.1.0.0", "latitude/c/0"])
@pytest.mark.parametrize("opener", [open_store, open_files])
def test_a_file_without_its_bytes_is_not_read_as_missing_values(store, opener, file):
    for content in (b"", (store / file).read_bytes()[:-1]):
        (store / file).write_bytes(content)
        told = rf"{file} has {len(content)} bytes?, not as many as were written; mend it with weatherml check {store} "
        with pytest.raises(UserError, match=told):
            opener(store)


def test_a_store_that_changes_while_it_is_opened_is_opened_as_it_is_then(tmp_path, monkeypatch):
    store, later = tmp_path / "store.zarr", analyses(times=20)
    ingest(FakeSource(later.isel(time=slice(14))), store, shard_length=4)
    really, looked = opening._require_files, []

    def look(place, manifest):
        looked.append(manifest.n_times)
        if len(looked) == 1:
            ingest(FakeSource(later), store, options=IngestOptions(grow=True))
        really(place, manifest)

    monkeypatch.setattr(opening, "_require_files", look)
    assert open_store(store).sizes["time"] == 20
    assert looked[0] == 14 and looked[-1] == 20


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("time/c/0", None),
        ("level/c/0", None),
        ("latitude/c/0", None),
        ("zarr.json", b"{}"),
        ("zarr.json", b'{"zarr_format": 3, "node_type": "group", "attributes": {}}'),
        ("zarr.json", b"<html>"),
    ],
)
@pytest.mark.parametrize("opener", [open_store, open_files])
def test_damaged_coordinates_and_metadata_are_named_when_a_store_is_opened(store, opener, file, content):
    """Times of which bytes were turned would be other times, or what their codec says in a hundred lines."""
    if content is None:
        flip(store / file)
    else:
        (store / file).write_bytes(content)
    told = f"{store}/{file} is damaged; mend it with weatherml check {store} --files --repair"
    with pytest.raises(UserError, match=f"^{re.escape(told)}$"):
        opener(store)


def test_people_may_add_words_to_the_metadata_of_a_store(store):
    metadata = json.loads((store / "zarr.json").read_text())
    metadata["attributes"]["title"] = "ours"
    (store / "zarr.json").write_text(json.dumps(metadata))
    assert open_store(store).attrs["title"] == "ours"
    assert open_files(store).sizes == open_store(store).sizes


def test_a_store_that_has_lost_its_manifest_is_taken_for_nothing_else(store, tmp_path):
    (store / "manifest.json").unlink()
    again = partial(ingest, FakeSource(analyses(times=14)))
    verbs = (open_store, open_files, again, lambda place: check_files([str(place)]), lambda p: repair_stores([str(p)]))
    for read in verbs:
        with pytest.raises(UserError, match=r"store\.zarr has lost its manifest\.json; delete it and ingest it again"):
            read(store)
    xr.open_zarr(store).to_zarr(tmp_path / "copy.zarr", consolidated=False)
    assert open_files(tmp_path / "copy.zarr").sizes["time"] == 14


def flip(file):
    content = bytearray(file.read_bytes())
    content[:200] = bytes(255 - byte for byte in content[:200])
    file.write_bytes(content)


def cut(file):
    file.write_bytes(file.read_bytes()[:-40])


def turn(file):
    """Turn one bit, which blosc would decode to other values."""
    content = bytearray(file.read_bytes())
    content[len(content) // 3] ^= 4
    file.write_bytes(content)


SPOILT = {
    "cut": cut,
    "overwritten": flip,
    "turned": turn,
    "emptied": lambda file: file.write_bytes(b""),
    "deleted": Path.unlink,
}
READERS = {
    "open_store": lambda dataset: dataset["2m_temperature"].isel(time=6).load(),
    "in a worker": lambda dataset: pickle.loads(pickle.dumps(dataset))["2m_temperature"][4:9].values,
    "by dask": lambda dataset: dataset["2m_temperature"].chunk(time=5).mean().compute(),
    "at a point": lambda dataset: dataset["2m_temperature"][4:9, 3, 4].values,
    "at a point of one time": lambda dataset: dataset["2m_temperature"][6, 3, 4].values,
    "along a parallel": lambda dataset: dataset["2m_temperature"].isel(latitude=3).values,
    "along a meridian": lambda dataset: dataset["2m_temperature"].isel(longitude=[3])[::-1].mean("time"),
    "by samples": lambda dataset: read_block(dataset, spec_of(dataset), slice(4, 8)),
}


@pytest.mark.parametrize("damage", SPOILT)
def test_values_of_a_file_that_is_damaged_after_opening_name_it(store, damage):
    stored, opened = open_store(store), open_files(store)
    SPOILT[damage](store / "2m_temperature" / "c.1.0.0")
    told = r"2m_temperature/c\.1\.0\.0 is (damaged|gone).*; mend it with weatherml check .*store\.zarr --files --repair"
    for dataset, reader in (*((stored, reader) for reader in READERS.values()), (opened, READERS["open_store"])):
        with pytest.raises(UserError, match=told) as error:
            reader(dataset)
        assert "\n" not in str(error.value)
    np.testing.assert_array_equal(stored["2m_temperature"][8:12], analyses(times=14)["2m_temperature"][8:12])


def scores(dataset):
    forecast = forecasts(n_init=3, n_lead=3)
    return evaluate(forecast, dataset, ["rmse"])


@pytest.mark.parametrize("compute", [lambda d: compute_statistics(d, spec_of(d), ("2001-01-01", "2001-01-04")), scores])
def test_nothing_is_computed_of_values_that_were_turned(store, compute):
    dataset = open_store(store)
    turn(store / "geopotential/c.1.0.0.0")
    told = (
        r"geopotential/c\.1\.0\.0\.0 is damaged \([^\n]*checksum[^\n]*\); mend it with weatherml check [^\n]* --repair$"
    )
    with pytest.raises(UserError, match=told):
        compute(dataset)


def test_missing_values_of_whole_files_are_no_damage(tmp_path):
    """As those of a mask, or of levels that a variable does not have."""
    fields = analyses(times=14)
    fields["2m_temperature"][:, -1] = np.nan
    fields["geopotential"][:, 1] = np.nan
    ingest(FakeSource(fields), tmp_path / "store.zarr", shard_length=4)
    xr.testing.assert_equal(open_store(tmp_path / "store.zarr").load().drop_attrs(), fields.drop_attrs())


def test_a_point_over_land_is_no_damage_and_a_file_that_is_lost_afterwards_is(tmp_path):
    fields = analyses(times=14)
    fields["2m_temperature"][:, 3, 4] = np.nan
    ingest(FakeSource(fields), tmp_path / "store.zarr", shard_length=4)
    field = open_store(tmp_path / "store.zarr")["2m_temperature"]
    assert np.isnan(field[:, 3, 4]).all() and not np.isnan(field[:, 3, 3]).any()
    (tmp_path / "store.zarr" / "2m_temperature" / "c.1.0.0").unlink()
    for index in (4, 3):
        with pytest.raises(UserError, match=r"2m_temperature/c\.1\.0\.0 is gone since"):
            _ = field[:, 3, index].values


def test_what_is_no_store_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"there is no store at .*absent; write it with weatherml ingest"):
        open_store(tmp_path / "absent")


@pytest.mark.parametrize("read", [open_files, read_forecast, lambda store: check_files([str(store)])])
def test_who_reads_an_unfinished_store_is_told_to_go_on_with_it(tmp_path, read):
    half = IngestOptions(share=Share.parse("0/2"))
    ingest(FakeSource(analyses(times=14)), tmp_path / "store.zarr", shard_length=4, options=half)
    with pytest.raises(UserError, match=r"store\.zarr is unfinished \(.* files written\); run the same ingest again"):
        read(tmp_path / "store.zarr")


@pytest.mark.parametrize("read", [open_files, read_forecast])
def test_of_a_folder_with_stores_these_are_named(store, read):
    with pytest.raises(UserError, match=rf"without a zarr store; pass one that is in it: {store}$"):
        read(store.parent)


def test_a_damaged_manifest_is_refused(store):
    (store / "manifest.json").write_bytes((store / "manifest.json").read_bytes()[:-9])
    with pytest.raises(UserError, match=r"manifest\.json is damaged"):
        verify(store)


def test_values_at_one_time_can_be_read_alone(store):
    time = np.datetime64("2001-01-02T06", "ns")
    values = open_store(store)["geopotential"].sel(time=time, level=850).values
    np.testing.assert_array_equal(values, analyses(times=14)["geopotential"].sel(time=time, level=850).values)
