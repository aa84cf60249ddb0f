"""Parts of statistics in files: in any order, later extended; what does not belong together is refused by name."""

import numpy as np
import pytest
import xarray as xr
from fake_data import FakeSource, analyses

from weatherml.data.statistics.accumulators.harmonics import Harmonics
from weatherml.data.statistics.assembly import FOLDER, extend_parts, make_part, merge_parts
from weatherml.data.statistics.channel_statistics import Statistics
from weatherml.data.statistics.fitting import Fit, fit
from weatherml.data.statistics.versions import versions_of
from weatherml.data.store.ingest import IngestOptions, ingest
from weatherml.data.store.opening import open_store
from weatherml.errors import UserError
from weatherml.state import spec_of
from weatherml.storage.share import Share

PERIOD = ("2001-01-01", "2001-03")
STEP = np.timedelta64(12, "h").astype("timedelta64[ns]")


def record(n_times=100, digest="abc"):
    dataset = analyses(times=150).isel(time=np.r_[0:37, 43:n_times])
    dataset["geopotential"] = (dataset["geopotential"] * 1e3 + 5e5).astype(np.float32)
    dataset["2m_temperature"][:, :2, 5:] = np.nan
    return dataset.assign_attrs(digest=digest)


def wanted_of(dataset, **changes):
    told = {"harmonics": Harmonics(0, 1), "time_step": STEP, "of_anomalies": True, **changes}
    return Fit(spec_of(dataset), PERIOD, **told)


def made(folder, shares, dataset=None, **changes):
    """Make parts; return the data and what is wanted of them."""
    dataset = record() if dataset is None else dataset
    wanted = wanted_of(dataset, **changes)
    for share in shares:
        make_part(dataset, wanted, Share.parse(share), folder)
    return dataset, wanted


def assert_same(found, expected, tmp_path, other):
    for name in ("mean", "std", "difference_std", "valid"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-6, atol=1e-9)
    np.testing.assert_array_equal(found.values.maximum, expected.values.maximum)
    assert found.n_times == expected.n_times
    files = [xr.load_dataset(folder / "climatology.nc")["coefficients"] for folder in (tmp_path, other)]
    np.testing.assert_allclose(*files, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("memory", [2**30, 1])
def test_parts_in_any_order_are_the_whole(tmp_path, memory):
    dataset, wanted = made(tmp_path, ["2/3", "0/3", "1/3"])
    found = merge_parts(dataset, wanted, tmp_path, memory)
    assert_same(found, fit(dataset, wanted, tmp_path / "whole"), tmp_path, tmp_path / "whole")
    assert Statistics.load(tmp_path / "statistics.nc").store == "abc"


def test_parts_are_extended_by_what_has_come_since(tmp_path):
    made(tmp_path, ["0/2", "1/2"])
    grown = record(150, "def")
    wanted = wanted_of(grown)
    with pytest.raises(UserError, match=r"50 times of the training period that no part holds, from 2001-01-26T00:00"):
        merge_parts(grown, wanted, tmp_path)
    found = extend_parts(grown, wanted, tmp_path)
    assert_same(found, fit(grown, wanted, tmp_path / "whole"), tmp_path, tmp_path / "whole")
    assert found.store == "def"
    again = extend_parts(grown, wanted, tmp_path)
    assert_same(again, found, tmp_path, tmp_path / "whole")


def test_a_part_that_is_missing_is_named(tmp_path):
    dataset, wanted = made(tmp_path, ["0/4", "2/4"])
    with pytest.raises(UserError, match=r"lacks parts 1/4, 3/4; make them with weatherml statistics .* --part 1/4"):
        merge_parts(dataset, wanted, tmp_path)


def test_parts_that_overlap_are_named(tmp_path):
    dataset, wanted = made(tmp_path, ["0/2", "1/2", "1/3"])
    with pytest.raises(UserError, match=r"part-0-of-2\.nc and .*part-1-of-3\.nc both hold 2001-01-.*; delete the one"):
        merge_parts(dataset, wanted, tmp_path)


def test_a_folder_without_parts_is_refused(tmp_path):
    with pytest.raises(UserError, match="holds no parts"):
        merge_parts(record(), wanted_of(record()), tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"time_step": 2 * STEP}, "has changes over 12 h, the configuration asks for 24 h"),
        ({"harmonics": Harmonics(0, 2)}, "has 0 harmonics of the year and 1 of the day, the configuration 0 and 2"),
        ({"spec": spec_of(record(), ["z500"])}, "is of other channels than the configuration"),
        ({"period": ("2001-01-02", "2001-03")}, "holds 4 times, such as 2001-01-01T00:00, that the training period"),
    ],
    ids=["step", "harmonics", "channels", "period"],
)
def test_parts_of_another_configuration_are_refused(tmp_path, changes, message):
    dataset, wanted = made(tmp_path, ["0/1"])
    with pytest.raises(UserError, match=message):
        merge_parts(dataset, Fit(**{**vars(wanted), **changes}), tmp_path)


def test_parts_on_another_grid_are_refused(tmp_path):
    dataset, _ = made(tmp_path, ["0/1"])
    other = dataset.isel(latitude=slice(0, 5))
    with pytest.raises(UserError, match="is of another grid than the configuration"):
        merge_parts(other, wanted_of(other), tmp_path)


def replaced(n_times, position):
    dataset = record(n_times, "def")
    dataset["geopotential"][position, 1] += 1
    return dataset


@pytest.mark.parametrize("n_times", [100, 150], ids=["as-long", "grown"])
@pytest.mark.parametrize(
    ("position", "message"),
    [
        (60, r"part-1-of-2\.nc is of values .* replaced since, at 2001-01-17T12:00 first; delete it, .* --extend"),
        (0, r"values .* replaced since, those at the first time of the training .* delete all of .* make the parts"),
    ],
    ids=["inside", "first"],
)
def test_values_that_have_been_replaced_are_refused_wherever_they_lie(tmp_path, n_times, position, message):
    made(tmp_path, ["0/2", "1/2"])
    other = replaced(n_times, position)
    for attempt in (merge_parts, extend_parts):
        with pytest.raises(UserError, match=message):
            attempt(other, wanted_of(other), tmp_path)


def test_the_remedy_for_replaced_values_leads_to_the_whole(tmp_path):
    made(tmp_path, ["0/2", "1/2"])
    other = replaced(150, 60)
    (tmp_path / FOLDER / "part-1-of-2.nc").unlink()
    found = extend_parts(other, wanted_of(other), tmp_path)
    assert_same(found, fit(other, wanted_of(other), tmp_path / "whole"), tmp_path, tmp_path / "whole")


def test_a_store_that_grew_outside_the_period_has_the_same_parts(tmp_path):
    dataset, wanted = made(tmp_path, ["0/2", "1/2"])
    found = merge_parts(dataset.assign_attrs(digest="def"), wanted, tmp_path)
    assert_same(found, fit(dataset, wanted, tmp_path / "whole"), tmp_path, tmp_path / "whole")


def test_a_part_that_is_made_late_is_cut_as_its_sisters_were(tmp_path):
    made(tmp_path, ["0/4", "1/4", "3/4"])
    grown, wanted = made(tmp_path, ["2/4"], record(150, "def"))
    found = extend_parts(grown, wanted, tmp_path)
    assert_same(found, fit(grown, wanted, tmp_path / "whole"), tmp_path, tmp_path / "whole")


def test_times_between_parts_are_added_by_extending(tmp_path):
    dataset, wanted = made(tmp_path, ["0/3", "2/4"])
    with pytest.raises(UserError, match=r"add them with weatherml statistics \.\.\. --extend"):
        merge_parts(dataset, wanted, tmp_path)
    found = extend_parts(dataset, wanted, tmp_path)
    assert_same(found, fit(dataset, wanted, tmp_path / "whole"), tmp_path, tmp_path / "whole")
    assert len(list((tmp_path / FOLDER).iterdir())) == 4


def test_a_gap_that_is_filled_inside_a_part_makes_that_part_anew(tmp_path):
    made(tmp_path, ["0/2", "1/2"])
    filled = analyses(times=100).assign_attrs(digest="def")
    for name in filled:
        filled[name] = record()[name].reindex(time=filled["time"]).fillna(filled[name])
    filled["2m_temperature"][:, :2, 5:] = np.nan
    wanted = wanted_of(filled)
    with pytest.raises(
        UserError, match=r"part-0-of-2\.nc lacks 6 times between .* such as 2001-01-10T06:00; delete it"
    ):
        extend_parts(filled, wanted, tmp_path)
    (tmp_path / FOLDER / "part-0-of-2.nc").unlink()
    found = extend_parts(filled, wanted, tmp_path)
    assert_same(found, fit(filled, wanted, tmp_path / "whole"), tmp_path, tmp_path / "whole")


def test_times_before_the_first_need_all_parts_anew(tmp_path):
    dataset = record()
    made(tmp_path, ["0/2", "1/2"], dataset.isel(time=slice(10, None)))
    with pytest.raises(
        UserError, match=r"that began at 2001-01-03T12:00, where it begins at 2001-01-01.* delete all of"
    ):
        extend_parts(dataset, wanted_of(dataset), tmp_path)


def test_of_a_store_only_files_that_have_changed_are_looked_at_again(tmp_path):
    ingest(FakeSource(record()), tmp_path / "data.zarr", shard_length=8)
    before = versions_of(open_store(tmp_path / "data.zarr"), wanted_of(record()).spec)
    made(tmp_path, ["0/2", "1/2"], open_store(tmp_path / "data.zarr"))
    ingest(FakeSource(record(104)), tmp_path / "data.zarr", shard_length=8, options=IngestOptions(grow=True))
    grown = open_store(tmp_path / "data.zarr")
    same = versions_of(grown, wanted_of(record()).spec)[: len(before)] == before
    assert np.flatnonzero(~same).tolist() == list(range(88, 94))  # what was in the last file, which has got more
    found = extend_parts(grown, wanted_of(grown), tmp_path)
    assert_same(found, fit(grown, wanted_of(grown), tmp_path / "whole"), tmp_path, tmp_path / "whole")


@pytest.mark.parametrize("damage", [lambda c: c[: len(c) // 2], lambda c: b"", "flip"], ids=["cut", "empty", "flipped"])
def test_a_damaged_part_is_named(tmp_path, damage):
    dataset, wanted = made(tmp_path, ["0/2", "1/2"])
    path = tmp_path / FOLDER / "part-1-of-2.nc"
    content = path.read_bytes()
    if damage == "flip":  # of a value that is read
        value = value_in(path)
        assert content.count(value) == 1
        content = content.replace(value, bytes([value[0] ^ 1]) + value[1:])
    else:
        content = damage(content)
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"part-1-of-2\.nc is damaged; delete it, and make the part again"):
        merge_parts(dataset, wanted, tmp_path)


def value_in(path):
    with xr.open_dataset(path) as file:
        return file["squares"].values[1, 2, 3:6].tobytes()


def test_more_parts_than_times_are_refused(tmp_path):
    dataset = record()
    with pytest.raises(UserError, match="part 0/200 of 94 times is empty; make fewer parts"):
        make_part(dataset, wanted_of(dataset), Share(0, 200), tmp_path)


@pytest.mark.parametrize("extra", [{"window_days": 61}, {"quantiles": (0.9,)}])
def test_parts_hold_no_windows_and_no_quantiles(tmp_path, extra):
    dataset = record()
    with pytest.raises(UserError, match="parts hold no sums for"):
        make_part(dataset, wanted_of(dataset, **extra), Share(0, 2), tmp_path)
