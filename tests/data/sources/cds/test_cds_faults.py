"""The client of the Climate Data Store meets every fault of the service on its way."""

import hashlib
import time

import cds_server
import pytest
from cds_client import ONE, assert_true, config
from cds_server import Fault

from weatherml.data.sources.cds.download import download
from weatherml.data.sources.cds.ledger import Ledger
from weatherml.data.sources.cds.service import _asked_pause
from weatherml.data.sources.cds.units import plan
from weatherml.errors import UserError


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
