"""Initial times judged apart, anywhere, killed, gone on with, in shares: the scores are those of one pass."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import xarray as xr
from fake_data import VARIABLES, analyses, forecasts
from kills import killed_before_each_change
from zarr.storage import LocalStore

from weatherml.errors import UserError
from weatherml.process.workers import Dask
from weatherml.storage.share import Share
from weatherml.verification import Campaign, Metric, OnlineForecast, accumulate
from weatherml.verification.aggregation import judgement
from weatherml.verification.campaign import patience
from weatherml.verification.campaign.kept import KeptSums
from weatherml.verification.statistics.base import PointStatistic
from weatherml.verification.systems import accumulate_systems

METRICS = ["rmse", "crps_fair", "spread_skill", "acc"]
TESTS = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def truth():
    return analyses()


@pytest.fixture(scope="module")
def forecast():
    return forecasts(n_init=3, n_members=5)


@pytest.fixture(scope="module")
def climatology(truth):
    return truth.mean("time")


@pytest.fixture(scope="module")
def whole(forecast, truth, climatology):
    return accumulate(forecast, truth, METRICS, climatology, regions=["global", "tropics"])


@pytest.fixture
def judge(truth, climatology):
    def judge(forecast, truth=truth, metrics=METRICS, regions=("global", "tropics"), **campaign):
        return accumulate(forecast, truth, metrics, climatology, regions=regions, campaign=Campaign(**campaign))

    return judge


@pytest.fixture
def judged(monkeypatch):
    """Return the initial times that this process has taken statistics of."""
    seen, gather = [], judgement.gather

    def watched(matched, *others):
        seen.extend(matched.forecast["init_time"].values)
        return gather(matched, *others)

    monkeypatch.setattr(judgement, "gather", watched)
    return seen


def same(one, other):
    xr.testing.assert_equal(one.dataset, other.dataset)


def test_shares_in_any_order_are_the_whole_and_nothing_is_judged_twice(judge, forecast, whole, tmp_path, judged):
    for index in (1, 0):
        own = judge(forecast, folder=tmp_path, share=Share(index, 2))
        assert list(own.dataset["init_time"].values) == list(forecast["init_time"].values[index::2])
    same(judge(forecast, folder=tmp_path), whole)
    same(KeptSums.load(tmp_path), whole)
    assert sorted(judged) == list(forecast["init_time"].values)


def test_a_campaign_grows(judge, forecast, whole, tmp_path, judged):
    judge(forecast.isel(init_time=[1]), folder=tmp_path)
    same(judge(forecast, folder=tmp_path), whole)
    assert sorted(judged) == list(forecast["init_time"].values)


def test_points_are_those_that_the_campaign_was_begun_with(judge, forecast, truth, tmp_path):
    """Though the truth of a later initial time alone would have others."""
    later = forecast.isel(init_time=[1])
    holed = truth.where((truth["time"] < later["init_time"].values) | (truth["longitude"] > 0))
    judge(later, holed)
    judge(forecast.isel(init_time=[0]), holed, folder=tmp_path)
    with pytest.raises(UserError, match="06:00 is not finite at 7 points where it is at 2001-01-01T06"):
        judge(later, holed, folder=tmp_path)


def test_killed_before_any_change_it_goes_on(judge, forecast, whole, tmp_path):
    few = forecast.isel(init_time=[0, 1])
    for n in killed_before_each_change(lambda: judge(few, folder=tmp_path / "sums")):
        for path in (tmp_path / "sums").glob("*T*.nc"):
            KeptSums.load(path.parent)
        assert n < 60
    same(KeptSums.load(tmp_path / "sums"), judge(few, folder=tmp_path / "sums"))
    same(judge(forecast, folder=tmp_path / "sums"), whole)


def test_what_another_process_is_judging_is_waited_for(judge, forecast, whole, tmp_path):
    """And judged here once that process is killed."""
    program = f"""
import sys, time
sys.path[:0] = [{str(TESTS)!r}]
from pathlib import Path
from weatherml.verification.campaign.kept import KeptSums
from weatherml.verification.systems import accumulate_systems
import numpy as np
def make():
    print("begun", flush=True)
    time.sleep(60)
KeptSums(Path({str(tmp_path)!r})).keep(np.datetime64("2001-01-02"), make)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"begun\n"
        seen = []

        class Watching:
            def require_there(self):
                pass

            def map(self, function, items):
                seen.append(list(map(function, items)))
                if len(seen) == 2:
                    os.kill(other.pid, signal.SIGKILL)
                    other.wait()
                yield from seen[-1]

        same(judge(forecast, folder=tmp_path, workers=Watching()), whole)
        assert seen == [[True, False, True], [False], [True]]


def test_a_folder_is_of_one_question_one_truth_and_one_system(judge, forecast, truth, tmp_path):
    judge(forecast.isel(init_time=[0]), folder=tmp_path)
    for changed, message in (
        ({"metrics": ["mae"]}, r"another campaign: statistics .* instead of \['absolute_error'\]; choose another"),
        ({"regions": ["tropics"]}, "another campaign: regions .*; choose another folder"),
        ({"truth": truth + 1}, "the truth at 2001-01-01T06:00 is another than the sums in .* were made with; choose"),
    ):
        with pytest.raises(UserError, match=message):
            judge(forecast, folder=tmp_path, **changed)
    for other, message in (
        (forecast + 1, "the forecast from 2001-01-01T00:00 is another than the one whose sums"),
        (forecast.isel(number=[0, 1]), "ensemble {'n_members': 5, .* instead of {'n_members': 2, "),
        (forecast.isel(lead_time=[0]), "lead times .* instead of"),
    ):
        with pytest.raises(UserError, match=message):
            judge(other, folder=tmp_path)


def test_a_folder_is_of_one_reference(forecast, truth, tmp_path):
    def judged(threshold, folder=tmp_path):
        known = {"threshold": threshold.isel(time=0, drop=True)}
        return accumulate(forecast, truth, ["brier"], references=known, campaign=Campaign(folder))

    judged(truth)
    same(judged(truth), judged(truth, None))
    with pytest.raises(
        UserError, match=r"the threshold at 2001-01-01T06:00 is another than the sums in .* were made with"
    ):
        judged(truth + 1)


@pytest.mark.parametrize("since", [3, 11], ids=["all but the first", "the last alone"])
@pytest.mark.parametrize("owner", ["truth", "climatology"])
def test_a_truth_or_reference_that_was_replaced_from_some_time_on_is_told(forecast, truth, tmp_path, since, owner):
    """Of any variable, and when the folder grows, too."""
    known = {"truth": truth, "climatology": truth - 1}
    changed = known[owner].copy(deep=True)
    changed["2m_temperature"][since:] += 10

    def judged(forecast, truth, climatology):
        return accumulate(forecast, truth, ["acc"], climatology, campaign=Campaign(tmp_path))

    judged(forecast.isel(init_time=slice(0, 3)), **known)
    with pytest.raises(UserError, match=f"the {owner} at 2001-01-0.T..:00 is another than the sums in .* were made"):
        judged(forecast, **known | {owner: changed})


def test_systems_that_start_from_one_analysis_are_told_apart(forecast, truth, tmp_path):
    """And so is a later initial time that was replaced, and a mask of land."""

    def judged(forecast, land=0):
        masked = truth.assign(land_sea_mask=(truth["latitude"] > land) * (truth["longitude"] * 0 + 1))
        return accumulate(forecast, masked, ["rmse"], regions=["land"], campaign=Campaign(tmp_path))

    judged(forecast)
    is_start, is_last = (forecast[dim] == forecast[dim][place] for dim, place in (("lead_time", 0), ("init_time", 2)))
    for other, time in ((forecast.where(is_start, forecast + 1), 1), (forecast.where(~is_last, forecast + 1), 3)):
        with pytest.raises(UserError, match=f"the forecast from 2001-01-0{time}T00:00 is another than the one whose"):
            judged(other)
    with pytest.raises(UserError, match=r"another campaign: cells of regions .* instead of .*; choose another folder"):
        judged(forecast, land=40)


def given(reference):
    """A statistic of a reference, whose name does not say which."""

    @dataclass(frozen=True)
    class Given(PointStatistic):
        references: ClassVar[tuple[str, ...]] = (reference,)

        def at(self, pair):
            return pair.references[reference]

    return {"given": Metric((Given(),), lambda mean: mean)}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"missing": "count"}, "missing values refuse instead of count"),
        ({"west": 5}, r"grid 7 x 12 from 90 N 0 E \(\w+\) instead of 7 x 12 from 90 N 5 E \(\w+\)"),
        ({"reference": "other"}, r"references \['one'\] instead of \['other'\]"),
    ],
    ids=["missing values", "grid", "references"],
)
def test_a_folder_is_of_one_way_to_judge(forecast, truth, tmp_path, changed, message):
    def judged(west=0, reference="one", missing="refuse"):
        moved, true = (own.assign_coords(longitude=own["longitude"] + west) for own in (forecast, truth))
        how = {"references": {reference: true}, "missing": missing, "campaign": Campaign(tmp_path)}
        return accumulate(moved, true, given(reference), **how)

    judged()
    with pytest.raises(UserError, match=f"another campaign: {message}; choose another folder"):
        judged(**changed)


@pytest.mark.parametrize("is_online", [False, True], ids=["stored", "online"])
def test_initial_times_whose_truth_came_later_are_judged_again(forecast, truth, tmp_path, judged, is_online):
    def make(init_times):
        return (forecast.sel(init_time=[own]) for own in init_times)

    asked = OnlineForecast(make, forecast["init_time"].values, forecast["lead_time"].values, 5, name="new")
    short = truth.isel(time=truth["time"] <= np.datetime64("2001-01-02T06:00"))
    for known in (short, truth):
        given = asked if is_online else forecast
        found = accumulate(given, known, ["rmse"], missing="count", campaign=Campaign(tmp_path))
        same(found, accumulate(forecast, known, ["rmse"], missing="count"))
    same(KeptSums.load(tmp_path), found)
    judged.clear()
    accumulate(given, truth, ["rmse"], missing="count", campaign=Campaign(tmp_path))
    assert judged == []


def test_more_shares_than_initial_times_are_refused(judge, forecast):
    with pytest.raises(UserError, match="share 3/4 of 3 initial times is empty; make no more than 3 shares"):
        judge(forecast, share=Share(3, 4))


def test_initial_times_without_any_truth_have_no_statistics_but_the_areas_that_they_lack(truth, forecast, tmp_path):
    short = truth.isel(time=slice(0, 5))
    whole = accumulate(forecast, short, ["rmse"], missing="count")
    for folder in (None, tmp_path):
        parts = accumulate(forecast, short, ["rmse"], missing="count", campaign=Campaign(folder, Apart()))
        same(parts, whole)


class Apart:
    """One initial time after the other, in this process."""

    def require_there(self):
        pass

    def map(self, function, items):
        yield from map(function, items)


def test_workers_of_dask_judge_the_same(judge, forecast, whole, truth, tmp_path, monkeypatch):
    pytest.importorskip("distributed", reason="needs the extra `cluster`")
    monkeypatch.setattr(patience, "SECONDS_TO_START", -1)
    paths = [tmp_path / "forecast.nc", tmp_path / "truth.nc"]
    for path, own in zip(paths, (forecast, truth), strict=True):
        own.to_netcdf(path)
    with xr.open_dataset(paths[0], decode_timedelta=True) as lazy, xr.open_dataset(paths[1]) as lazy_truth:
        same(judge(lazy, lazy_truth, workers=Dask(workers=1)), whole)
    bad = forecast.copy(deep=True)
    bad["2m_temperature"][1, 0, 0, 0, 0] = np.nan
    with pytest.raises(UserError, match="the forecast of 2m_temperature valid at 2001-01-02T06:00 is not finite"):
        judge(bad, workers=Dask(workers=1), folder=tmp_path / "sums")


class Elsewhere(Dask):
    """Workers that are not started, but told what they would have got."""

    seen: ClassVar[list] = []

    def map(self, function, items):
        for item in items:
            self.seen.append(item)
            yield function(item)


@pytest.mark.parametrize(
    ("seconds", "scheduler", "elsewhere"),
    [(1, None, []), (6, None, [1, 2, 3, 4]), (1, "tcp://127.0.0.1:1", [0, 1, 2, 3, 4])],
    ids=["little", "much", "a cluster"],
)
def test_workers_are_started_once_they_pay(monkeypatch, seconds, scheduler, elsewhere):
    clock = iter(seconds * np.arange(100))
    monkeypatch.setattr(patience, "perf_counter", lambda: next(clock))
    Elsewhere.seen.clear()
    workers = Elsewhere(2, scheduler)
    assert list(patience.map_patiently(workers, lambda own: -own, range(5), 5)) == [0, -1, -2, -3, -4]
    assert Elsewhere.seen == elsewhere


class Counting(LocalStore):
    """Counts how often each chunk of fields is read."""

    seen: ClassVar[Counter] = Counter()

    async def get(self, key, *others, **options):
        self.seen[key] += "/c/" in key and key.partition("/")[0] in VARIABLES
        return await super().get(key, *others, **options)


@pytest.mark.parametrize("is_kept", [False, True], ids=["at once", "kept by initial time"])
def test_each_byte_is_read_once(forecast, truth, tmp_path, is_kept):
    """But for the first field of all levels, which tells which there are, and the last, which tells forecasts apart."""
    ones = ("init_time", "lead_time", "level")
    encoding = {
        name: {"chunks": [1 if dim in ones else size for dim, size in own.sizes.items()]}
        for name, own in forecast.data_vars.items()
    }
    made = forecast.drop_vars("valid_time", errors="ignore")
    made.to_zarr(tmp_path / "forecast", encoding=encoding, consolidated=False)
    lazy = xr.open_zarr(Counting(tmp_path / "forecast"), chunks=None, consolidated=False, decode_timedelta=True)
    Counting.seen.clear()
    accumulate(lazy, truth, ["rmse", "crps_fair"], campaign=Campaign(tmp_path / "sums" if is_kept else None))
    times = +Counting.seen
    again = {key for key, n in times.items() if n > 1}
    assert len(times) == 3 * 3 * 3
    told_by = {f"{init}/2" for init in range(3 if is_kept else 0)}
    assert {key.split("/c/")[1][:3] for key in again} <= {"0/0", *told_by}


def flip(path, place):
    """Change the content of a file at a share of its length by one bit."""
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 1
    path.write_bytes(content)


def with_a_number_changed(path):
    changed = xr.load_dataset(path, decode_timedelta=True)
    changed["absolute_error"][..., -1] *= 1.001
    changed.to_netcdf(path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:5000]),
        lambda path: path.write_bytes(path.with_name("2001-01-01T000000.nc").read_bytes()),
        with_a_number_changed,
        lambda path: flip(path, 0.1),
        lambda path: flip(path, 0.9),
    ],
    ids=["empty", "cut", "another's", "a number", "a bit", "another bit"],
)
def test_sums_that_are_damaged_are_named_and_made_again(forecast, truth, tmp_path, damage):
    few = forecast.isel(init_time=[0, 1], number=[0], drop=True)[["2m_temperature"]]
    whole = accumulate(few, truth, ["mae"], campaign=Campaign(tmp_path))
    path = sorted(tmp_path.glob("*T*.nc"))[1]
    damage(path)
    try:
        same(KeptSums.load(tmp_path), whole)  # not each bit of a file is read
    except UserError as error:
        assert str(error) == f"{path} is damaged, or of another time than its name; delete it and run again"
    same(accumulate(few, truth, ["mae"], campaign=Campaign(tmp_path)), whole)
    same(KeptSums.load(tmp_path), whole)


@pytest.mark.parametrize("content", [b"", b"[]", b"junk", b"\xff\xfe"])
@pytest.mark.parametrize("name", ["campaign.json", "domain.npz"])
def test_what_tells_of_a_campaign_is_named_where_it_is_damaged(forecast, truth, tmp_path, name, content):
    few = forecast.isel(init_time=[0], number=[0], drop=True)[["2m_temperature"]]
    accumulate(few, truth, ["mae"], campaign=Campaign(tmp_path))
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=f"{name} is damaged; delete the folder .* and run again"):
        accumulate(few, truth, ["mae"], campaign=Campaign(tmp_path))


def test_sums_are_kept_in_a_folder_of_their_own(forecast, truth, tmp_path):
    few = forecast.isel(init_time=[0], number=[0], drop=True)[["2m_temperature"]]
    for name in ("store.zarr", "others"):
        (tmp_path / name).mkdir()
    (tmp_path / "store.zarr" / "zarr.json").write_text("{}")
    (tmp_path / "others" / "mine.txt").write_text("")
    (tmp_path / "file").write_text("")
    for place, message in (
        ("store.zarr", "holds other things than sums of a campaign, such as zarr.json; choose another folder"),
        ("others", "such as mine.txt; choose another folder"),
        ("store.zarr/sums", "lies in the zarr store"),
        ("sums.nc", "ends in .nc as files do, but a folder of sums is made there; choose another name"),
        ("file", "cannot write .*file: .*; see to it, or choose another place"),
        ("file/below", "cannot write .*below: Not a directory; see to it, or choose another place"),
    ):
        for judge in (accumulate, lambda one, *others, **named: accumulate_systems({"one": one}, *others, **named)):
            with pytest.raises(UserError, match=message):
                judge(few, truth, ["mae"], campaign=Campaign(tmp_path / place))
    assert [own.name for own in (tmp_path / "others").iterdir()] == ["mine.txt"]


def test_workers_that_are_killed_as_they_start_are_one_line():
    pytest.importorskip("distributed", reason="needs the extra `cluster`")
    done = threading.Event()

    def kill():
        while not done.wait(0.01):
            for child in multiprocessing.active_children():
                os.kill(child.pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        with pytest.raises(UserError, match=r"1 worker did not start on this machine .*; see that none is killed"):
            list(Dask(workers=1).map(str, [1]))
    finally:
        done.set()
        killer.join()
