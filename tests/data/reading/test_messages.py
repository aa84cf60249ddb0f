"""The headers of GRIB files: read once, kept, and enough to know that messages are missing."""

import json
import os

import numpy as np
import pytest
import source_layouts as layouts
import xarray as xr

from weatherml.data.reading.formats.grib import ANALYSES, open_grib
from weatherml.data.reading.formats.headers import length_of_grib_1
from weatherml.data.reading.formats.local import CHUNKS
from weatherml.data.reading.formats.messages import MessageTable
from weatherml.data.reading.opening import open_files
from weatherml.errors import UserError

TRUTH = layouts.truth(n_times=3, n_lat=5, n_lon=8)
N_MESSAGES = 3 * (2 * 3 + 2)  # times, two variables on three levels, two at the surface


@pytest.fixture(params=[1, 2], scope="module")
def grib(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("grib") / "fields.grib"
    layouts.write_grib(layouts.raw(TRUTH), path, request.param)
    return path


def timeless(dataset):
    """Return a dataset without what cfgrib says of the minute in which it was opened."""
    return dataset.assign_attrs(history="")


def test_the_table_knows_where_every_message_begins(grib):
    table = MessageTable.scan(grib, ANALYSES)
    starts = [offset for offsets in table.offsets for offset in offsets]
    content = grib.read_bytes()
    assert len(starts) == N_MESSAGES and all(content[start : start + 4] == b"GRIB" for start in starts)


def test_a_table_kept_as_json_opens_the_same_dataset(grib, monkeypatch):
    kept = json.loads(json.dumps(MessageTable.scan(grib, ANALYSES).to_json()))
    expected = open_grib(grib, CHUNKS)
    monkeypatch.setattr(MessageTable, "scan", lambda *_: pytest.fail("the headers were read again"))
    found = open_grib(grib, CHUNKS, messages=MessageTable.from_json(kept))
    for one, two in zip(found, expected, strict=True):
        assert timeless(one).identical(timeless(two))


def test_the_messages_of_one_variable_open_it_alone(grib):
    kept = json.loads(json.dumps(MessageTable.scan(grib, ANALYSES).to_json()))
    expected = open_grib(grib, CHUNKS)
    for dataset in expected:
        (name,) = dataset.data_vars
        table = MessageTable.from_json(kept, dataset[name].attrs["GRIB_paramId"])
        (found,) = open_grib(grib, CHUNKS, messages=table)
        assert timeless(found).identical(timeless(dataset))
        assert len(table.offsets) == 3 * dataset.sizes.get("isobaricInhPa", 1)


def test_a_damaged_header_is_refused_and_eccodes_prints_nothing(tmp_path, capfd):
    layouts.write_grib(layouts.raw(TRUTH)[["t2m", "msl"]].isel(time=[0]), tmp_path / "damaged.grib", edition=1)
    content = bytearray((tmp_path / "damaged.grib").read_bytes())
    content[8 + 12 : 8 + 20] = b"\x10\x39\xb5\x00\xb4\x32\xd2\x9f"  # year, month, day, hour, minute, unit and periods
    (tmp_path / "damaged.grib").write_bytes(content)
    with pytest.raises(UserError, match=r"damaged\.grib as GRIB .*; it may be damaged, download it again"):
        open_files(tmp_path / "damaged.grib")
    os.write(2, b"still here")
    assert capfd.readouterr().err == "still here"


def in_one_message(content):
    """Return two messages as one of two fields, as NCEP packs the components of the wind."""
    second = content.index(b"GRIB", 4)
    # The second field's product, packing, bitmap and values (sections 4 to 7) follow the first's.
    fields, section = content[second + 16 : -4], 1
    while section < 4:
        fields = fields[int.from_bytes(fields[:4], "big") :]
        section = fields[4]
    joined = bytearray(content[: second - 4] + fields + b"7777")
    joined[8:16] = len(joined).to_bytes(8, "big")
    return bytes(joined)


def test_a_message_of_several_fields_gives_them_all(tmp_path):
    layouts.write_grib(layouts.raw(TRUTH)[["t2m", "msl"]].isel(time=[0]), tmp_path / "two.grib", edition=2)
    (tmp_path / "one.grib").write_bytes(in_one_message((tmp_path / "two.grib").read_bytes()))
    table = MessageTable.scan(tmp_path / "one.grib", ANALYSES)
    assert set(table.offsets) == {(0,), ((0, 1),)}
    kept = MessageTable.from_json(json.loads(json.dumps(table.to_json())))
    found = xr.merge(open_grib(tmp_path / "one.grib", CHUNKS, messages=kept), compat="override")
    for dataset in open_grib(tmp_path / "two.grib", CHUNKS):
        for name, field in dataset.items():
            np.testing.assert_array_equal(found[name].values, field.values)


def test_a_message_of_several_fields_gives_them_all_behind_one_of_the_other_edition(tmp_path):
    raw = layouts.raw(TRUTH)
    layouts.write_grib(raw[["t2m", "msl"]].isel(time=[0]), tmp_path / "two.grib", edition=2)
    layouts.write_grib(raw[["z"]].isel(time=[0]), tmp_path / "mixed.grib", edition=1)
    with (tmp_path / "mixed.grib").open("ab") as file:
        file.write(b"padding" + in_one_message((tmp_path / "two.grib").read_bytes()))
    names = {"geopotential", "2m_temperature", "mean_sea_level_pressure"}
    assert set(open_files(tmp_path / "mixed.grib")) == names


@pytest.mark.parametrize("n_lat", [5, 1500, 2400])
def test_the_length_of_a_message_of_grib_1_is_told_however_long_it_is(n_lat, tmp_path):
    """Of three bytes a value: short, of a length that has the highest bit, and too long for three bytes."""
    grid = {"latitude": np.linspace(80, -80, n_lat), "longitude": np.arange(2400) * 0.15}
    values = np.linspace(270, 300, n_lat * 2400).reshape(n_lat, 2400)
    field = xr.DataArray(values, {"time": TRUTH["time"][0].drop_attrs(), **grid}, ("latitude", "longitude"))
    layouts.write_messages(tmp_path / "long.grib", [(field, {})], edition=1)
    with (tmp_path / "long.grib").open("rb") as file:
        assert length_of_grib_1(file, 0) == (tmp_path / "long.grib").stat().st_size > n_lat * 2400 * 3


def test_a_message_whose_header_tells_no_length_is_damage(grib, tmp_path):
    content = bytearray(grib.read_bytes())
    content[4 if content[7] == 1 else 8 : 7 if content[7] == 1 else 16] = bytes(3 if content[7] == 1 else 8)
    (tmp_path / "damaged.grib").write_bytes(content)
    with pytest.raises(UserError, match=r"damaged.grib as GRIB .*it may be damaged"):
        open_grib(tmp_path / "damaged.grib", CHUNKS)


def test_a_file_cut_between_two_messages_says_what_is_missing(tmp_path):
    layouts.write_grib(layouts.raw(TRUTH)[["t"]], tmp_path / "whole.grib")
    content = (tmp_path / "whole.grib").read_bytes()
    (tmp_path / "cut.grib").write_bytes(content[: content.rindex(b"GRIB")])
    with pytest.raises(UserError, match=r"lacks 1 of 9 fields of Temperature, the first at level 850, 2017-02-03T12"):
        open_files(tmp_path / "cut.grib")


def test_a_message_that_is_shorter_than_its_header_says_is_damage(grib, tmp_path):
    content = grib.read_bytes()
    middle = content.index(b"GRIB", len(content) // 2)
    (tmp_path / "damaged.grib").write_bytes(content[: middle - 40] + content[middle - 20 :])
    with pytest.raises(UserError, match=r"damaged.grib as GRIB .*it may be damaged"):
        open_grib(tmp_path / "damaged.grib", CHUNKS)
