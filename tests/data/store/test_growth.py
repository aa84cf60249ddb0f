"""A complete store changes: later times, other variables, better values. Readers see it before or after."""

import os
import re
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from fake_data import FakeSource, analyses, contents
from numcodecs import Blosc

from weatherml.cli.paths import describe_paths
from weatherml.data.notes import ERA5T, LAYOUT, PRELIMINARY, preliminary
from weatherml.data.store import layout
from weatherml.data.store.ingest import IngestOptions, ingest
from weatherml.data.store.making.workspace import FOLDER
from weatherml.data.store.opening import digest, open_store, verify
from weatherml.errors import UserError
from weatherml.grid import LatLonGrid
from weatherml.storage.share import Share

GROW = IngestOptions(grow=True)


def dataset(n_times=29, wind=False, seed=0):
    fields = analyses(times=40, seed=seed)
    fields["geopotential_at_surface"] = fields["2m_temperature"][0].drop_vars("time") * 100
    if wind:
        fields["10m_u_component_of_wind"] = fields["2m_temperature"] * 2
    return fields.isel(time=slice(n_times))


class CountingSource(FakeSource):
    """Counts the fields that are read, one at one time."""

    n_read = 0

    def read(self, times, variables):
        self.n_read += len(times) * len(variables)
        return super().read(times, variables)


@pytest.fixture
def store(tmp_path):
    ingest(FakeSource(dataset()), tmp_path / "store.zarr", shard_length=6)
    return tmp_path / "store.zarr"


def fresh(tmp_path, fields):
    ingest(FakeSource(fields), tmp_path / "fresh.zarr", shard_length=6)
    return contents(tmp_path / "fresh.zarr")


@pytest.mark.parametrize("n_times", [30, 31, 36, 40])
def test_a_store_with_later_times_is_as_if_made_at_once(store, tmp_path, n_times):
    before = {file: (store / file).stat().st_mtime_ns for file in contents(store)}
    ingest(FakeSource(dataset(n_times)), store, options=GROW)
    assert contents(store) == fresh(tmp_path, dataset(n_times))
    whole = [
        f"{name}/c.{i}.0.0{end}" for name, end in (("2m_temperature", ""), ("geopotential", ".0")) for i in range(4)
    ]
    assert all((store / file).stat().st_mtime_ns == before[file] for file in whole)


def test_a_source_of_the_later_times_alone_is_enough(store, tmp_path):
    later = CountingSource(dataset(40).isel(time=slice(29, 40)).drop_vars("geopotential_at_surface"))
    ingest(later, store, options=GROW)
    grown, wanted = contents(store), fresh(tmp_path, dataset(40))
    assert {f: c for f, c in grown.items() if f != "manifest.json"} == {
        f: c for f, c in wanted.items() if f != "manifest.json"
    }
    assert later.n_read == 11 * 2  # every field once


def test_another_variable_is_added_and_nothing_else_is_written(store, tmp_path):
    before = {file: (store / file).stat().st_mtime_ns for file in contents(store)}
    ingest(FakeSource(dataset(wind=True)), store, options=GROW)
    xr.testing.assert_equal(open_store(store).load(), dataset(wind=True).transpose("time", ...).load())
    unchanged = [file for file in before if "/c" in file]
    assert all((store / file).stat().st_mtime_ns == before[file] for file in unchanged)


def test_levels_may_be_added_to_a_store_that_has_none_and_fields_of_the_surface_to_one_that_has(tmp_path):
    surface, upper = dataset()[["2m_temperature"]].drop_vars("level", errors="ignore"), dataset()[["geopotential"]]
    for name, first, second in (("a", surface, upper), ("b", upper, surface)):
        ingest(FakeSource(first), tmp_path / name, shard_length=6)
        ingest(FakeSource(second), tmp_path / name, options=GROW)
        xr.testing.assert_equal(open_store(tmp_path / name).load(), xr.merge([first, second]))


def test_preliminary_times_are_replaced(store):
    better = dataset()
    better["2m_temperature"][20:24] += 1
    report = ingest(FakeSource(better), store, options=IngestOptions(refresh=("2001-01-06", "2001-01-06T18")))
    xr.testing.assert_equal(open_store(store).load(), better)
    assert (report.n_written, verify(store)) == (2, [])  # the shard of times 18 .. 23, of two variables


def preliminary_from(fields, *spans):
    return fields.assign_attrs({PRELIMINARY: [f"{first}/{last}" for first, last in spans], LAYOUT: ["put right"]})


@pytest.mark.parametrize(
    ("still", "told"),
    [
        ((), []),
        (("2001-01-07", "2001-01-07T06"), ["2 of 29 times, 2001-01-07T00 .. 2001-01-07T06"]),
        (("2000-12-01", "2001-01-07"), ["5 of 29 times, 2001-01-06T00 .. 2001-01-07T00"]),
    ],
    ids=["final", "in part", "known of other times, too"],
)
def test_what_was_preliminary_and_is_replaced_is_said_to_be_final(tmp_path, still, told):
    """Of the source counts what is read of it: what the store keeps has been final for long."""
    store, late = tmp_path / "store.zarr", ("2001-01-06", "2001-01-08")
    ingest(FakeSource(preliminary_from(dataset(), late)), store, shard_length=6)
    assert preliminary(open_store(store))[0].endswith("9 of 29 times, 2001-01-06T00 .. 2001-01-08T00")
    final = preliminary_from(dataset(), *([still] if still else []))
    final["2m_temperature"][20:29] += 1
    ingest(FakeSource(final), store, options=IngestOptions(refresh=("2001-01-06", "2001-01-08")))
    found = describe_paths([str(store)])
    assert [text.removeprefix(f"{ERA5T}: ") for text in found.get("preliminary", [])] == told
    assert found["layout"] == ["put right"]


def test_times_of_a_period_that_is_refreshed_in_part_stay_preliminary(store):
    ingest(FakeSource(preliminary_from(dataset(40), ("2001-01-08T06", "2001-01-10T18"))), store, options=GROW)
    assert "11 of 40 times, 2001-01-08T06 .." in preliminary(open_store(store))[0]
    ingest(FakeSource(dataset(40)), store, options=IngestOptions(refresh=("2001-01-09", "2001-01-09T18")))
    left = "7 of 40 times, 2001-01-08T06 .. 2001-01-08T18, 2001-01-10T00 .. 2001-01-10T18"
    assert preliminary(open_store(store))[0].endswith(left)


def test_a_share_of_a_refresh_that_comes_when_it_is_complete_has_nothing_to_do(store):
    def better(by):
        fields = dataset()
        fields["2m_temperature"][4:24] += by
        return FakeSource(fields)

    shares = [IngestOptions(share=Share(i, 2), refresh=("2001-01-02", "2001-01-06T18")) for i in range(2)]
    reports = [ingest(better(1), store, options=share) for share in shares]
    assert [report.is_complete for report in reports] == [False, True] and all(r.n_written for r in reports)
    before = contents(store)
    for share in shares:
        late = ingest(better(1), store, options=share)
        assert late.is_complete and late.n_written == 0 and contents(store) == before
    again = ingest(better(2), store, options=IngestOptions(refresh=("2001-01-02", "2001-01-06T18")))
    assert again.n_written == reports[0].n_written + reports[1].n_written


class ArchiveLikeSource(FakeSource):
    """Its digest is of neither values nor times."""

    def digest(self):
        return "a" * 64


def warmer(by, n_times=29):
    fields = dataset(n_times)
    fields["2m_temperature"][20:24] += by
    return ArchiveLikeSource(fields)


@pytest.fixture
def of_archive(tmp_path):
    ingest(warmer(0), tmp_path / "archive.zarr", shard_length=6)
    return tmp_path / "archive.zarr"


@pytest.mark.parametrize("shares", [(Share(),), (Share(0, 2), Share(1, 2))], ids=["alone", "after one by shares"])
def test_a_period_is_replaced_as_often_as_that_is_asked_for(of_archive, shares):
    for by, parts in ((1, shares), (2, (Share(),)), (3, (Share(),))):
        for share in parts:
            options = IngestOptions(share=share, refresh=("2001-01-06", "2001-01-06T18"))
            ingest(warmer(by), of_archive, options=options)
        xr.testing.assert_equal(open_store(of_archive).load(), warmer(by).dataset)


def test_shares_of_another_refresh_are_not_taken_for_those_of_the_last(of_archive):
    periods = [("2001-01-06", "2001-01-06T18"), ("2001-01-06", "2001-01-06T12"), ("2001-01-06", "2001-01-06T18")]
    for by, period in enumerate(periods, 1):
        for index in range(2):
            ingest(warmer(by), of_archive, options=IngestOptions(share=Share(index, 2), refresh=period))
    xr.testing.assert_equal(open_store(of_archive).load(), warmer(3).dataset)


def test_to_replace_a_period_adds_nothing(store):
    more = dataset(40, wind=True)
    more["2m_temperature"][20:24] += 1
    options = IngestOptions(refresh=("2001-01-06", "2001-01-06T18"))
    ingest(FakeSource(more), store, options=options)
    xr.testing.assert_equal(open_store(store).load(), more.isel(time=slice(29)).drop_vars("10m_u_component_of_wind"))
    ingest(FakeSource(more), store, options=replace(options, grow=True))
    xr.testing.assert_equal(open_store(store).load(), more.transpose("time", ...))


def test_a_source_that_grows_under_one_digest_is_grown_by(of_archive):
    with pytest.raises(UserError, match=r"n_times 29, now 40; last_time .*grow=True"):
        ingest(warmer(0, 40), of_archive)
    assert ingest(warmer(0, 40), of_archive, options=GROW).n_written
    assert ingest(warmer(0, 40), of_archive, options=GROW).n_written == 0
    assert ingest(warmer(0, 31), of_archive).n_written == 0  # the store has them all
    xr.testing.assert_equal(open_store(of_archive).load(), warmer(0, 40).dataset)


@pytest.mark.parametrize("n_before", [None, 18])
def test_a_share_of_other_times_drops_nothing_that_another_has_made(tmp_path, n_before):
    place = tmp_path / "store.zarr"
    if n_before is not None:
        ingest(warmer(0, n_before), place, shard_length=6)
    ingest(warmer(0), place, shard_length=6, options=IngestOptions(share=Share(0, 2), grow=True))
    before = contents(place)
    with pytest.raises(UserError, match="n_times 29, now 40; last_time"):
        ingest(warmer(0, 40), place, options=IngestOptions(share=Share(1, 2), grow=True))
    assert contents(place) == before
    ingest(warmer(0), place, options=IngestOptions(share=Share(1, 2), grow=True))
    xr.testing.assert_equal(open_store(place).load(), warmer(0).dataset)


def test_growing_twice_writes_nothing(store):
    ingest(FakeSource(dataset(40)), store, options=GROW)
    assert ingest(FakeSource(dataset(40)), store, options=GROW).n_written == 0
    assert ingest(FakeSource(dataset(40)), store).n_written == 0


class Killed(BaseException):
    """As a kill: nothing runs after the fatal write."""


def killed_after(n_changes, monkeypatch):
    changes = []

    def replace(source, target, original=os.replace):
        if len(changes) == n_changes:
            raise Killed
        changes.append(target)
        original(source, target)

    monkeypatch.setattr(os, "replace", replace)


@pytest.mark.parametrize("n_changes", range(1, 40, 3))
def test_killed_at_any_change_a_reader_sees_the_store_before_or_after(store, tmp_path, monkeypatch, n_changes):
    """Of another time coordinate, more files, and two better days at once; also who knows nothing of weatherml."""
    better = dataset(40)
    better["2m_temperature"][20:24] += 1
    options = IngestOptions(grow=True, refresh=("2001-01-06", "2001-01-06T18"))
    with monkeypatch.context() as patched, pytest.MonkeyPatch.context() as quick:
        killed_after(n_changes, patched)
        quick.setattr("weatherml.data.store.opening.A_WHILE", 0.0)
        try:
            ingest(FakeSource(better), store, options=options)
        except Killed:
            pass
        try:
            seen = open_store(store).load()
        except UserError as error:
            assert "interrupted while it was changed" in str(error)
        else:
            xr.testing.assert_equal(seen, better if seen.sizes["time"] == 40 else dataset())
        assert xr.open_zarr(store).load().sizes["time"] in (29, 40)
    ingest(FakeSource(better), store, options=options)
    xr.testing.assert_equal(open_store(store).load(), better)
    assert not (store / FOLDER).exists()


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (dataset(40, seed=1), r"differs between the store and fake: it is not the same data"),
        (
            dataset(40).isel(time=slice(None, None, 2)).isel(time=slice(15, 20)).drop_vars("geopotential"),
            "has no geopot",
        ),
        (dataset(40).isel(latitude=slice(1, None)), "differ in their grid"),
        (dataset(40).isel(level=[0]), "differ in their levels"),
        (dataset(40).assign_coords(time=dataset(40).time - np.timedelta64(3, "h")), "grows by later times only"),
    ],
)
def test_what_does_not_continue_the_store_is_refused_and_nothing_changes(store, source, words):
    before = contents(store)
    with pytest.raises(UserError, match=words):
        ingest(FakeSource(source), store, options=GROW)
    assert contents(store) == before


def test_a_source_that_begins_after_a_hole_is_refused_unless_it_has_times_of_before(store):
    later = dataset(40).isel(time=slice(30, 40)).drop_vars("geopotential_at_surface")
    told = refusal(store, later, grow=True)
    assert "begins at 2001-01-08T12:00, the store ends at 2001-01-08T00:00 and has a time every 6h" in told
    lacking = dataset(40).isel(time=[*range(26, 29), *range(30, 40)]).drop_vars("geopotential_at_surface")
    ingest(FakeSource(lacking), store, options=GROW)  # the data themselves have none
    assert open_store(store).sizes["time"] == 39


def test_a_month_follows_a_shorter_one(tmp_path):
    months = dataset(6).assign_coords(time=np.array([f"2001-0{i}" for i in range(2, 8)], "datetime64[ns]"))
    ingest(FakeSource(months.isel(time=slice(1))), tmp_path / "store.zarr")
    for n in range(2, 7):
        ingest(FakeSource(months.isel(time=slice(n - 1, n))), tmp_path / "store.zarr", options=GROW)
    assert open_store(tmp_path / "store.zarr").sizes["time"] == 6


@pytest.mark.parametrize("file", ["geopotential/c.4.0.0.0", "geopotential_at_surface/c.0.0", "latitude/c/0"])
@pytest.mark.parametrize("options", [GROW, IngestOptions(refresh=("2001-01-07T06", "2001-01-07T18"))])
def test_what_is_damaged_is_not_written_again_as_whole(store, file, options):
    content = bytearray((store / file).read_bytes())
    content[-20] ^= 1
    (store / file).write_bytes(content)
    with pytest.raises(UserError, match=rf"{file} is damaged.*weatherml check .* --files --repair"):
        ingest(FakeSource(dataset(40)), store, options=options)
    assert verify(store) == [file]


def test_without_being_told_a_store_does_not_grow(store):
    with pytest.raises(UserError, match=r"n_times 29, now 40.*grow=True"):
        ingest(FakeSource(dataset(40)), store)


def test_a_growth_that_was_begun_gives_way_to_another(store, tmp_path, monkeypatch):
    with monkeypatch.context() as patched:
        killed_after(12, patched)
        with pytest.raises(Killed):
            ingest(FakeSource(dataset(40)), store, options=GROW)
    xr.testing.assert_equal(open_store(store).load(), dataset())
    ingest(FakeSource(dataset(31)), store, options=GROW)
    assert contents(store) == fresh(tmp_path, dataset(31))


def refusal(store, fields, **options):
    with pytest.raises(UserError) as caught:
        ingest(FakeSource(fields), store, options=IngestOptions(**options))
    return str(caught.value)


def test_another_grid_is_told_as_such_and_is_nothing_to_grow_by(store):
    told = refusal(store, analyses(times=29, grid=LatLonGrid.regular(5, 8)))
    assert "grid 7 x 12 from 90, 0, now 5 x 8 from 90, 0; source_digest " in told
    assert not re.search("[0-9a-f]{13}", told) and "grow" not in told


def test_other_levels_are_told_as_such(store):
    told = refusal(store, dataset(40).isel(level=[0]))
    assert "levels 500, 850, now 500" in told and "grow" not in told


@pytest.mark.parametrize(("fields", "may_grow"), [(dataset(20), False), (dataset(40), True), (dataset(29, True), True)])
def test_to_grow_is_offered_where_there_is_more(store, fields, may_grow):
    assert ("grow=True" in refusal(store, fields)) == may_grow


def test_times_in_refusals_are_written_to_the_minute(store):
    assert "last_time 2001-01-08T00:00, now 2001-01-10T18:00" in refusal(store, dataset(40))
    told = refusal(store, dataset(), refresh=("2024-12-03", "2024-12-04"))
    assert "no time within 2024-12-03T00:00 .. 2024-12-04T23:59; it has 2001-01-01T00:00 .. 2001-01-08T00:00" in told


def test_a_store_of_another_codec_grows_and_what_is_there_is_read(tmp_path, monkeypatch):
    with monkeypatch.context() as before:
        before.setattr(layout, "_COMPRESSOR", Blosc("lz4", 1, Blosc.SHUFFLE))
        ingest(FakeSource(dataset()), tmp_path / "store.zarr", shard_length=6)
    kept = (tmp_path / "store.zarr/2m_temperature/c.0.0.0").read_bytes()
    ingest(FakeSource(dataset(40)), tmp_path / "store.zarr", options=GROW)
    assert (tmp_path / "store.zarr/2m_temperature/c.0.0.0").read_bytes() == kept
    assert kept != fresh(tmp_path, dataset(40))["2m_temperature/c.0.0.0"]
    xr.testing.assert_equal(open_store(tmp_path / "store.zarr").load(), dataset(40).transpose("time", ...).load())


def test_a_store_that_changes_while_it_is_opened_is_opened_as_it_is_then(store, monkeypatch):
    def open_zarr(*words, original=xr.open_zarr, **options):
        monkeypatch.setattr(xr, "open_zarr", original)
        ingest(FakeSource(dataset(40, wind=True)), store, options=GROW)
        return original(*words, **options)

    monkeypatch.setattr(xr, "open_zarr", open_zarr)
    seen = open_store(store)
    assert (seen.sizes["time"], len(seen.data_vars), seen.attrs["digest"]) == (40, 4, digest(store))
