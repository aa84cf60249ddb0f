"""What a user can mend is told in one line, the key never."""

import logging

import cds_server
import pytest
from cds_client import ONE, config
from cds_server import Fault

from weatherml.data.sources.cds.catalogue import PRESSURE
from weatherml.data.sources.cds.download import download
from weatherml.errors import UserError


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
    with pytest.raises(UserError, match=r"http://127\.0\.0\.1:9/api does not answer") as refused:
        download(config(**ONE), tmp_path)
    assert "(Failed to establish a new connection: [Errno" in str(refused.value)
    assert "address in CDSAPI_URL" in str(refused.value) and "is kept" not in str(refused.value)


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
        ({"folder": __file__}, "test_cds_mistakes.py is a file; name a folder"),
        ({"grid": 1.7, "area": None}, "grid 1.7 does not divide 180 degrees"),
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
    with pytest.raises(UserError, match=r"needs 108 TB for 2064 files and has .* free"):
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
