"""The Climate Data Store: its own client against a server on loopback that speaks the protocol, with its faults."""

import hashlib
import json
import logging
import pickle
import re
import signal
import subprocess
import sys
import threading
import time
from itertools import count
from pathlib import Path

import cds_server
import numpy as np
import pytest
from cds_server import Fault
from docs_page import DOCS
from kills import run_and_kill
from tiny_experiment import done, write_config

from weatherml.config import from_mapping
from weatherml.data.source import Source
from weatherml.data.sources import CdsConfig, SourceConfig
from weatherml.data.sources.cds.catalogue import PRESSURE, SINGLE
from weatherml.data.sources.cds.download import download
from weatherml.data.sources.cds.ledger import Ledger
from weatherml.data.sources.cds.service import _asked_pause
from weatherml.data.sources.cds.units import plan
from weatherml.data.store.opening import open_store
from weatherml.errors import UserError
from weatherml.state import parse_channels
from weatherml.variables import PRESETS

PROGRAM = Path(sys.executable).with_name("weatherml")


def config(**changes):
    chosen = {
        "channels": ["t500", "t850", "msl"],
        "periods": [["2020-01-30", "2020-02-01"]],
        "every": "12h",
        "grid": 30,
    }
    return from_mapping(CdsConfig, chosen | changes)


ONE = {"channels": ["t500"], "periods": [["2020-01-01", "2020-01-02"]]}
"""What one request answers."""


@pytest.fixture
def store(monkeypatch):
    """Return the service, to which this process and those it starts will turn."""
    store = cds_server.DataStore()
    with cds_server.serving(store) as url:
        monkeypatch.setenv("CDSAPI_URL", url)
        monkeypatch.setenv("CDSAPI_KEY", cds_server.KEY)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        yield store


def truth(short_name, level, time):
    return cds_server.values(short_name, level, time, np.arange(90, -91, -30), np.arange(0, 360, 30))


def assert_true(source):
    """Require that all values are those of the service, to the precision of its packing."""
    dataset = source.read(source.times(), source.variables())
    for name, short in (("temperature", "t"), ("mean_sea_level_pressure", "msl")):
        for time_ in source.times() if name in dataset else ():
            for level in source.levels if short == "t" else (None,):
                field = dataset[name].sel(time=time_) if level is None else dataset[name].sel(time=time_, level=level)
                expected = truth(short, level, time_)
                np.testing.assert_allclose(field.values, expected, rtol=0, atol=np.ptp(expected) * 2**-15)


def left_over(folder):
    """Return files that are neither records, whole or not, nor told by one."""
    told = {name for record in Ledger(folder).records.values() for name in record.files}
    return {path.name for path in folder.iterdir() if ".json" not in path.name and path.suffix != ".lock"} - told


# What is asked for


@pytest.mark.parametrize("preset", PRESETS)
def test_every_channel_of_a_preset_is_asked_for_once(preset):
    units = plan(config(channels=preset, periods=[["2020-01-31", "2020-03-01"]], every="1h"))
    for month, n_times in (("2020-01", 24), ("2020-02", 24 * 29), ("2020-03", 24)):
        pairs = [pair for unit in units if unit.month == month for pair in unit.pairs]
        assert sorted(pairs, key=str) == sorted(
            ((c.variable, c.level) for c in parse_channels(PRESETS[preset])), key=str
        )
        assert all(unit.n_fields <= 2000 and unit.times.size == n_times for unit in units if unit.month == month)


def test_a_request_is_what_the_service_takes():
    fixed, upper, surface = plan(config(channels=["z_sfc", "z500", "mx2t"], area=[60, -30, 30, 60], grid=1.5, **{}))[:3]
    assert (fixed.dataset, fixed.request()["variable"]) == (SINGLE, ["geopotential"])
    asked = {unit.dataset: unit.request() for unit in (upper, surface)}
    assert asked[PRESSURE] == {
        "product_type": ["reanalysis"],
        "variable": ["geopotential"],
        "pressure_level": ["500"],
        "year": ["2020"],
        "month": ["01"],
        "day": ["30", "31"],
        "time": ["00:00", "12:00"],
        "grid": [1.5, 1.5],
        "area": [60, -30, 30, 60],
        "data_format": "grib",
        "download_format": "unarchived",
    }
    assert asked[SINGLE]["variable"] == ["maximum_2m_temperature_since_previous_post_processing"]


def test_another_variable_and_later_months_leave_what_is_there():
    held = plan(config())
    more = plan(config(channels=["msl", "t2m", "t500", "t850"], periods=[["2020-01-30", "2020-03-01"]]), held)
    new = [unit for unit in more if unit not in held]
    assert {unit.name for unit in held if unit.month == "2020-01"} <= {unit.name for unit in more}
    assert [unit.variables for unit in new if unit.month == "2020-01"] == [("2m_temperature",)]
    for month in ("2020-01", "2020-02", "2020-03"):
        pairs = [pair for unit in more if unit.month == month for pair in unit.pairs]
        assert len(pairs) == len(set(pairs)) == 4


# What comes


def test_what_comes_is_what_the_service_has(store, tmp_path):
    store.statuses.append(["accepted", "running", "successful"])
    source = config(channels=["t500", "t850", "msl", "lsm"]).open(tmp_path)
    assert isinstance(source, Source)
    assert_true(source)
    assert source.read(source.times(), ["land_sea_mask", "msl"])["land_sea_mask"].dims == ("latitude", "longitude")
    assert source.grid.shape == (7, 12) and source.levels == (500, 850)
    assert store.count("submit") == 5
    assert not left_over(tmp_path / "cds")


def test_what_is_there_needs_no_service(store, tmp_path):
    source = config(**ONE).open(tmp_path)
    digest = source.digest()
    store.seen.clear()
    again = config(**ONE).open(tmp_path)
    assert again.digest() == digest
    assert_true(pickle.loads(pickle.dumps(again)))  # as workers get it
    assert not store.seen


def test_hours_that_add_up_lie_beside_the_times_of_the_rest(store, tmp_path):
    chosen = config(channels=["t500", "tp"], derive=["tp06"], periods=[["2020-02-01", "2020-02-01"]])
    source = chosen.source(tmp_path)
    assert source.times().tolist() == chosen.times().tolist() and len(source.times()) == 2
    dataset = source.read(source.times(), ["temperature", "total_precipitation_6hr"])
    end = np.datetime64("2020-02-01T00", "h")
    expected = sum(truth("tp", None, end - hour) for hour in range(6))
    found = dataset["total_precipitation_6hr"].sel(time=end).values
    np.testing.assert_allclose(found, expected, rtol=0, atol=6 * np.ptp(expected) * 2**-15)
    hours = {
        (inputs["month"][0], *inputs["time"]) for inputs in store.inputs if "total_precipitation" in inputs["variable"]
    }
    assert hours == {("01", *(f"{h}:00" for h in range(19, 24))), ("02", *(f"{h:02}:00" for h in (0, *range(7, 13))))}


def test_what_is_left_out_is_not_asked_for(store, tmp_path):
    source = config(**ONE | {"periods": [["2020-01-30", "2020-03-02"]]}, exclude=["2020-02", "2020-03-01T12"]).source(
        tmp_path
    )
    assert source.times().astype("datetime64[h]").astype(str).tolist() == [
        f"2020-{time}" for time in ("01-30T00", "01-30T12", "01-31T00", "01-31T12", "03-01T00", "03-02T00", "03-02T12")
    ]
    assert source.piece_starts("temperature").tolist() == [0, 4]
    assert_true(source)
    asked = sorted((*inputs["month"], *inputs["day"]) for inputs in store.inputs)
    assert asked == [("01", "30", "31"), ("03", "01", "02")]


def test_an_experiment_is_ingested_from_the_service(store, tmp_path):
    chosen = config(channels=["z500", "t850", "u850", "lsm"], periods=[["2000-01-01", "2000-01-16"]])
    settings = write_config(tmp_path / "cds.yaml", source=chosen.model_dump(mode="json"))
    done("ingest", settings, "model.patch=[1, 4]", "training.batch_size=3", "-o", tmp_path / "run")
    written = open_store(tmp_path / "run" / "data.zarr")
    np.testing.assert_array_equal(written["time"].values, chosen.times())
    for name, short, level in (("geopotential", "z", 500), ("u_component_of_wind", "u", 850)):
        expected = truth(short, level, chosen.times()[-1])
        found = written[name].sel(level=level).values[-1]
        np.testing.assert_allclose(found, expected, rtol=0, atol=np.ptp(expected) * 2**-15)


@pytest.mark.parametrize("make", [cds_server.netcdf, lambda inputs: cds_server.zipped(oper=cds_server.netcdf(inputs))])
def test_netcdf_and_archives_of_it_are_taken(store, tmp_path, make):
    store.make = make
    source = config().open(tmp_path)
    assert_true(source)
    assert not left_over(tmp_path / "cds")


def test_an_archive_of_several_streams_is_one_answer(store, tmp_path):
    def streams(inputs):
        parts = {f"stream{i}": inputs | {"variable": [name]} for i, name in enumerate(inputs["variable"])}
        return cds_server.zipped(**{name: cds_server.netcdf(part) for name, part in parts.items()})

    store.make = streams
    chosen = config(channels=["msl", "t2m"])
    assert_true(chosen.open(tmp_path))
    assert {len(record.files) for record in Ledger(tmp_path / "cds").records.values()} == {2}


@pytest.mark.parametrize(
    ("keep", "words"),
    [
        (
            lambda name, level, time: time != np.datetime64("2020-01-02T12"),
            "lacks temperature at 500 hPa of 2020-01-02T12",
        ),
        (lambda name, level, time: level != 500, "lacks temperature at 500 hPa"),
    ],
)
def test_what_lacks_something_does_not_count(store, tmp_path, keep, words):
    store.make = lambda inputs: cds_server.grib(inputs, keep=keep)
    with pytest.raises(UserError, match=words):
        download(config(**ONE | {"channels": ["t500", "t850"]}), tmp_path)
    assert not left_over(tmp_path) and store.count("file") == 2


@pytest.mark.parametrize("extra", [{"variable": ["temperature", "geopotential"]}, {"day": ["01", "02", "03"]}])
@pytest.mark.parametrize("make", [cds_server.grib, cds_server.netcdf])
def test_what_holds_more_does_not_count(store, tmp_path, extra, make):
    store.make = lambda inputs: make(inputs | extra)
    with pytest.raises(UserError, match="holds more than was asked for"):
        download(config(**ONE), tmp_path)


# Faults on the way


def test_a_pause_that_is_asked_for_is_kept(store, tmp_path):
    store.faults["submit"].append(Fault(429, {"detail": "Please wait"}, {"Retry-After": "2"}))
    download(config(**ONE), tmp_path)
    first, second = (seen.at for seen in store.seen if seen.route == "submit")
    assert second - first >= 2


@pytest.mark.parametrize(
    ("header", "words", "seconds"),
    [("17", "", 17), (None, "Please wait 17 seconds", 17), (None, "busy", 0), ("soon", "", 0), ("1e9", "", 3600)],
)
def test_a_pause_is_read_in_a_header_and_in_words(header, words, seconds):
    assert _asked_pause(header, words) == seconds


def test_a_pause_may_be_a_date():
    later = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 100))
    assert 97 < _asked_pause(later, "") <= 100


@pytest.mark.parametrize("route", ["messages", "process", "submit", "job", "results", "file"])
def test_a_service_that_fails_for_a_moment_is_asked_again(store, tmp_path, route):
    store.faults[route].append(Fault(500 if route != "messages" else 404))
    assert_true(config(**ONE).open(tmp_path))


@pytest.mark.parametrize("route", ["submit", "job", "results"])
def test_an_answer_that_is_none_of_the_service_is_asked_for_again(store, tmp_path, route):
    store.faults[route] += [Fault(200, {}), Fault(200, b"<html>log in to this network</html>")]
    assert_true(config(**ONE).open(tmp_path))


def test_a_job_that_fails_is_submitted_again(store, tmp_path):
    store.statuses += [["running", "failed"], ["successful"]]
    assert_true(config(**ONE).open(tmp_path))
    assert store.count("submit") == 2


def test_a_full_queue_is_waited_for(store, tmp_path):
    store.statuses += [["accepted", "rejected"], ["rejected"]]
    store.reasons += ["Number queued requests for this dataset is temporarily limited."] * 2
    assert_true(config(**ONE).open(tmp_path))
    assert store.count("submit") == 3


def test_a_request_that_is_too_large_says_which_key_to_lower(store, tmp_path):
    told = {"title": "cost limits exceeded", "detail": "Your request is too large, please reduce your selection."}
    store.faults["submit"].append(Fault(403, told))
    with pytest.raises(UserError, match=r"is too large.*lower source\.fields_per_request"):
        download(config(**ONE), tmp_path)


@pytest.mark.parametrize("statuses", [["rejected"], ["failed"]])
def test_a_job_that_cannot_succeed_says_why_and_the_others_come(store, tmp_path, statuses):
    reason = (
        "Your request is too large" if statuses == ["rejected"] else "MultiAdaptorNoDataError: no data is available"
    )
    store.statuses.append(statuses)
    store.reasons.append(reason)
    with pytest.raises(UserError, match=f"1 of 4 requests failed; .*{reason}"):
        download(config(at_once=1), tmp_path)
    assert store.count("submit") == 4
    assert sum(bool(record.files) for record in Ledger(tmp_path).records.values()) == 3
    assert len(download(config(), tmp_path).files) == 4


def test_a_job_that_the_service_has_forgotten_is_submitted_again(store, tmp_path):
    unit = plan(config(**ONE))[0]
    Ledger(tmp_path).note(unit, job="job-of-last-year")
    assert len(download(config(**ONE), tmp_path).files) == 1
    assert store.count("submit") == 1


def test_a_transfer_that_is_cut_goes_on_where_it_was(store, tmp_path):
    store.cuts += [300, 200, 0]
    assert_true(config(**ONE).open(tmp_path))
    (job,) = store.jobs.values()
    assert [seen.first_byte for seen in store.seen if seen.route == "file"] == [0, 300, 500, 500]
    assert store.sent["job-1"] == len(job.content)


def test_without_ranges_a_transfer_begins_again(store, tmp_path):
    store.ranges = False
    store.cuts.append(300)
    assert_true(config(**ONE).open(tmp_path))
    assert store.sent["job-1"] == 300 + len(store.jobs["job-1"].content)


def test_a_file_that_was_replaced_is_not_pieced_together(store, tmp_path):
    ledger, (unit,) = Ledger(tmp_path), plan(config(**ONE))
    job = store.submit(unit.dataset, unit.request())
    ledger.note(unit, job=job, version="of-another-file")
    ledger.partial(unit).write_bytes(bytes(100))
    assert len(download(config(**ONE), tmp_path).files) == 1
    assert store.sent[job] == len(store.jobs[job].content) and store.count("submit") == 0


def lose_a_header(content):
    begin = content.index(b"GRIB", 1)
    return content[:begin] + bytes(40) + content[begin + 40 :]


def lose_a_scale(content):
    """Damage the exponent by which values are scaled, in the data of the first message, whose structure stays."""
    begin = content.index(b"7777") - 12 * 7 * 2 - 11  # section 4 of GRIB 1: its length, flags, then the scale
    return content[: begin + 4] + b"\x7f\xff" + content[begin + 6 :]


def flip_a_value(content):
    return content[:-20] + bytes([content[-20] ^ 0xFF]) + content[-19:]


@pytest.mark.parametrize(
    ("damage", "tells_md5"),
    [
        (lose_a_header, False),
        (lose_a_scale, False),
        (lambda content: b"<html>" + content[6:], False),
        (flip_a_value, True),
    ],
)
def test_wrong_bytes_of_the_right_length_are_fetched_again(store, tmp_path, damage, tells_md5):
    if not tells_md5:
        store.checksum = lambda content: ""
    store.damage.append(damage)
    source = config(**ONE).open(tmp_path)
    assert_true(source)
    assert store.count("file") == 2 and store.count("submit") == 1


def test_a_checksum_that_is_no_md5_costs_one_more_transfer_and_not_one_a_file(store, tmp_path):
    store.checksum = lambda content: hashlib.sha256(content).hexdigest()[:32]
    download(config(**ONE), tmp_path)
    assert store.count("file") == 2
    download(config(**ONE | {"periods": [["2020-01-01", "2020-04-01"]]}), tmp_path)
    assert store.count("file") == 2 + 4


def test_what_is_implausible_twice_is_taken_as_it_is(store, tmp_path, monkeypatch):
    original = cds_server.values
    monkeypatch.setattr(cds_server, "values", lambda *place: original(*place) - 273.15)
    download(config(**ONE), tmp_path)
    assert store.count("file") == 2


# Processes that end


def write_settings(tmp_path):
    chosen = config(**ONE, folder=str(tmp_path / "files")).model_dump(mode="json")
    (tmp_path / "era5.json").write_text(json.dumps({"source": chosen}))
    return tmp_path / "era5.json"


def start(tmp_path):
    words = [PROGRAM, "download", write_settings(tmp_path)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_until(what):
    deadline = time.monotonic() + 60
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_what_a_killed_process_had_fetched_is_not_fetched_again(store, tmp_path):
    store.hold.clear()
    process = start(tmp_path)
    partial = Ledger(tmp_path / "files").partial(plan(config(**ONE))[0])
    wait_until(lambda: partial.exists() and partial.stat().st_size)
    here = partial.stat().st_size
    process.kill()
    process.communicate()
    store.hold.set()
    assert len(download(config(**ONE), tmp_path / "files").files) == 1
    assert store.count("submit") == 1
    assert [seen.first_byte for seen in store.seen if seen.route == "file"] == [0, here]
    assert not left_over(tmp_path / "files")


def test_a_download_that_is_killed_at_any_change_of_the_disk_is_completed(store, tmp_path):
    for n in count(1):
        folder = tmp_path / str(n)
        was_killed = run_and_kill(lambda folder=folder: download(config(**ONE), folder), n)
        (file,) = download(config(**ONE), folder).files
        assert file.read_bytes() == cds_server.grib(store.inputs[0]) and not left_over(folder)
        if not was_killed:
            break
    assert n > 10
    # Of a process that dies between the answer and its record, the service keeps a request that nobody collects.
    assert store.count("submit") <= n + 5


def test_what_another_process_asked_for_is_collected(store, tmp_path):
    store.statuses.append(["accepted"])
    process = start(tmp_path)
    wait_until(lambda: store.count("job"))
    process.send_signal(signal.SIGINT)
    _, told = process.communicate()
    assert process.returncode == 130 and "run the same command again" in told
    store.jobs["job-1"].statuses[0] = "successful"
    assert_true(config(**ONE, folder=str(tmp_path / "files")).open(tmp_path))
    assert store.count("submit") == 1


def test_two_downloads_into_one_folder_at_once_are_refused(store, tmp_path):
    store.hold.clear()
    first = threading.Thread(target=download, args=(config(**ONE), tmp_path))
    first.start()
    wait_until(lambda: store.count("file"))
    with pytest.raises(UserError, match="another process is downloading into"):
        download(config(), tmp_path)
    store.hold.set()
    first.join()


# Preliminary values


def test_preliminary_files_are_known_and_replaced_once_final_ones_exist(store, tmp_path):
    day = np.datetime64("2020-01-02")
    store.make = lambda inputs: cds_server.grib(inputs, preliminary=lambda time: time >= day)
    (before,) = (delivery := download(config(**ONE), tmp_path)).files
    (unit,) = delivery.preliminary
    assert Ledger(tmp_path).of(unit).preliminary == ("2020-01-02T00:00", "2020-01-02T12:00")

    (same,) = (again := download(config(**ONE), tmp_path, refresh=True)).files
    assert same == before and again.preliminary == (unit,) and not len(again.replaced)

    store.make = cds_server.grib
    (after,) = (final := download(config(**ONE), tmp_path, refresh=True)).files
    assert not final.preliminary and after != before and not before.exists()
    assert final.replaced.astype("datetime64[h]").astype(str).tolist() == ["2020-01-02T00", "2020-01-02T12"]
    assert download(config(**ONE), tmp_path, refresh=True).n_fetched == 0
    assert store.count("submit") == 3


def test_preliminary_values_of_netcdf_are_known(store, tmp_path):
    store.make = lambda inputs: cds_server.netcdf(inputs, preliminary=lambda time: True)
    assert len(download(config(**ONE), tmp_path).preliminary) == 1


# Mistakes


def test_no_credentials_say_where_they_belong(store, tmp_path, monkeypatch):
    monkeypatch.delenv("CDSAPI_KEY")
    monkeypatch.setenv("CDSAPI_RC", str(tmp_path / "rc"))
    with pytest.raises(UserError, match=rf"no credentials .* in {tmp_path}/rc; .*https://cds\.climate.*/profile"):
        download(config(**ONE), tmp_path)


def test_a_key_of_the_old_service_is_told_apart(store, tmp_path, monkeypatch):
    monkeypatch.setenv("CDSAPI_KEY", "12345:abcdef")
    with pytest.raises(UserError, match="CDSAPI_KEY has a colon") as caught:
        download(config(**ONE), tmp_path)
    assert "abcdef" not in str(caught.value)


def test_the_address_of_the_old_service_is_told_apart(store, tmp_path, monkeypatch):
    monkeypatch.setenv("CDSAPI_URL", "https://cds.climate.copernicus.eu/api/v2")
    with pytest.raises(UserError, match="is the service that ended in 2024"):
        download(config(**ONE), tmp_path)


def test_an_address_without_a_scheme_is_told(store, tmp_path, monkeypatch):
    monkeypatch.setenv("CDSAPI_URL", "cds.climate.copernicus.eu/api")
    with pytest.raises(UserError, match=r"no connection to cds\.climate\.copernicus\.eu/api: .*scheme"):
        download(config(**ONE), tmp_path)


def test_a_wrong_key_is_refused_at_once(store, tmp_path, monkeypatch):
    monkeypatch.setenv("CDSAPI_KEY", "another-key")
    with pytest.raises(UserError, match=r"does not know the key .*profile to CDSAPI_KEY"):
        download(config(at_once=1), tmp_path)
    assert store.count("process") == 1


def test_a_licence_that_is_not_accepted_says_its_page(store, tmp_path):
    told = {"title": "required licences not accepted", "detail": "licence-to-use-copernicus-products"}
    store.faults["submit"] += [Fault(403, told)] * 4
    with pytest.raises(UserError, match=rf"licence-to-use.*/datasets/{PRESSURE}\?tab=download#manage-licences"):
        download(config(**ONE), tmp_path)


def test_a_service_that_is_not_there_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("CDSAPI_URL", "http://127.0.0.1:9/api")
    monkeypatch.setenv("CDSAPI_KEY", cds_server.KEY)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr("weatherml.data.sources.cds.service._TRIES_AT_FIRST", 1)
    with pytest.raises(UserError, match=r"http://127\.0\.0\.1:9/api does not answer"):
        download(config(**ONE), tmp_path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"channels": ["tp06"]}, r"made of total_precipitation: .* source\.derive=\[total_precipitation_6hr\]"),
        ({"channels": ["ws10m"]}, "made of 10m_u_component_of_wind and 10m_v_component_of_wind"),
        ({"channels": ["t999"]}, "no temperature on 999 hPa"),
        ({"channels": ["nonsense"]}, "unknown variable 'nonsense'"),
        ({"channels": "pengu"}, "did you mean 'pangu'"),
        ({"every": "5h"}, "every: 5h must be 1, 2, 3"),
        ({"area": [10, 170, -10, -170]}, r"write east beyond 180"),
        ({"area": [-10, 0, 10, 20]}, "south < north"),
        ({"folder": "s3://bucket/era5"}, "is a URL"),
    ],
)
def test_a_configuration_that_cannot_be_served_is_refused(changes, words):
    with pytest.raises(UserError, match=words):
        config(**changes)


@pytest.mark.parametrize(
    ("period", "words"),
    [
        (["1939-12-31", "1940-01-01"], "ERA5 begins at 1940-01-01"),
        (["2020-01-01", "2222-01-01"], "still to come"),
        (["2020-01-01T01", "2020-01-01T02"], "the hours of ERA5 have no time in 2020-01-01T01:00"),
    ],
)
def test_times_that_the_service_has_not_are_refused(tmp_path, period, words):
    with pytest.raises(UserError, match=words):
        download(config(periods=[period]), tmp_path)


def test_a_disk_without_room_is_refused_before_anything_is_asked_for(store, tmp_path):
    huge = config(channels="pangu", periods=[["1940", "2025"]], every="1h", grid=None, fields_per_request=60_000)
    with pytest.raises(UserError, match=r"needs 1.08e\+05 GB for 2064 files and has .* GB free"):
        download(huge, tmp_path)
    assert not store.seen


def test_a_damaged_record_is_named(tmp_path):
    (tmp_path / "x.request.json").write_text("{")
    with pytest.raises(UserError, match=r"x\.request\.json is no record of a download"):
        download(config(), tmp_path)


def test_the_key_is_nowhere(store, tmp_path, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    store.faults["job"].append(Fault(500, {"detail": f"the key {cds_server.KEY} is tired"}))
    store.statuses.append(["rejected"])
    store.reasons.append(f"the key {cds_server.KEY} may not")
    with pytest.raises(UserError) as caught:
        download(config(), tmp_path)
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    captured = capfd.readouterr()
    told = f"{caught.value} {captured.out} {captured.err} {caplog.text} {written}"
    assert "may not" in told and "KEY" in told and cds_server.KEY not in told
    assert all("PRIVATE-TOKEN" not in seen.headers for seen in store.seen if seen.route == "file")


# The verb


def test_a_dry_run_says_what_there_is_to_do_without_a_service(tmp_path, monkeypatch):
    monkeypatch.delenv("CDSAPI_KEY", raising=False)
    out = done("download", write_settings(tmp_path), "--dry-run", "source.grid=1.5")
    assert out.splitlines() == [
        "2020-01     0.000 GB       4 fields  temperature on 500 hPa",
        f"1 of 1 requests left: 4 fields, about 0.000233 GB, into {tmp_path}/files",
    ]
    assert not (tmp_path / "files").exists()


# The page


def test_the_page_tells_every_key_and_its_default():
    page = (DOCS / "from_cds.md").read_text()
    told = dict(re.findall(r"^\| `(\w+)` \| .* \| ?(.*?) ?\|$", page, re.MULTILINE))
    fields = CdsConfig.model_fields
    assert set(told) == (set(fields) - set(SourceConfig.model_fields)) | {"periods", "exclude", "every"}
    for key in ("every", "at_once", "fields_per_request"):
        assert told[key].strip("`") == str(fields[key].default)


def test_the_page_is_what_happens(store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = (DOCS / "from_cds.md").read_text()
    (settings,) = re.findall(r"^```yaml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    (tmp_path / "era5.yaml").write_text(settings)
    commands = [line.split() for line in re.findall(r"^weatherml (download .*)$", page, re.MULTILINE)]
    told = done(*commands[0], "source.folder=files")
    n_requests, fields, size = re.search(r"(\d+) of \d+ requests left: (\d+) fields, about (\S+) GB", told).groups()
    written = f"{n_requests} requests left: {int(fields):,} fields, {float(size) / 1000:.2f} TB"
    assert written in page

    smaller = ["source.folder=files", "source.grid=30", "source.periods=[[2020-01-01, 2020-01-01]]", "source.every=24h"]
    for command in commands[1:]:
        assert done(*command, *smaller) == "files\n"
    assert store.count("submit") == 3 and sum(len(inputs["variable"]) for inputs in store.inputs) == 11
