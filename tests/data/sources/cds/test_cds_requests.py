"""What a configuration asks the Climate Data Store for, and what comes of it."""

import pickle

import cds_server
import numpy as np
import pytest
from cds_client import ONE, POINTS, assert_true, config, left_over, truth
from tiny_experiment import done, write_config

from weatherml.data.notes import preliminary as preliminary_in
from weatherml.data.source import Source
from weatherml.data.sources.cds.catalogue import PRESSURE, SINGLE
from weatherml.data.sources.cds.download import download
from weatherml.data.sources.cds.ledger import Ledger
from weatherml.data.sources.cds.source import CdsSource
from weatherml.data.sources.cds.units import plan
from weatherml.data.store.ingest import IngestOptions, ingest
from weatherml.data.store.opening import open_store
from weatherml.errors import UserError
from weatherml.state import parse_channels
from weatherml.variables import PRESETS


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


def test_bytes_that_are_of_no_message_do_not_count(store, tmp_path):
    store.make = lambda inputs: cds_server.grib(inputs) + b"<html>"
    with pytest.raises(UserError, match="6 of its bytes are of no GRIB message"):
        download(config(**ONE), tmp_path)


@pytest.mark.parametrize("extra", [{"variable": ["temperature", "geopotential"]}, {"day": ["01", "02", "03"]}])
@pytest.mark.parametrize("make", [cds_server.grib, cds_server.netcdf])
def test_what_holds_more_does_not_count(store, tmp_path, extra, make):
    store.make = lambda inputs: make(inputs | extra)
    with pytest.raises(UserError, match="holds more than was asked for"):
        download(config(**ONE), tmp_path)


def test_preliminary_files_are_known_and_replaced_once_final_ones_exist(store, tmp_path):
    day = np.datetime64("2020-01-02")
    store.make = lambda inputs: cds_server.grib(inputs, preliminary=lambda time: time >= day)
    (before,) = (delivery := download(config(**ONE), tmp_path)).files
    (unit,) = delivery.preliminary
    assert Ledger(tmp_path).of(unit).preliminary == ("2020-01-02T00:00", "2020-01-02T12:00")

    digest = CdsSource(config(**ONE), tmp_path).digest()
    (same,) = (again := download(config(**ONE), tmp_path, refresh=True)).files
    assert same == before and again.preliminary == (unit,) and not len(again.replaced)
    assert CdsSource(config(**ONE), tmp_path).digest() == digest

    store.make = cds_server.grib
    (after,) = (final := download(config(**ONE), tmp_path, refresh=True)).files
    assert not final.preliminary and after != before and not before.exists()
    assert CdsSource(config(**ONE), tmp_path).digest() != digest
    assert final.replaced.astype("datetime64[h]").astype(str).tolist() == ["2020-01-02T00", "2020-01-02T12"]
    assert download(config(**ONE), tmp_path, refresh=True).n_fetched == 0
    assert store.count("submit") == 3


def test_final_values_replace_preliminary_ones_in_a_store(store, tmp_path, monkeypatch):
    chosen, final, day = config(**ONE), cds_server.values, np.datetime64("2020-01-02")

    def excess():
        written = open_store(tmp_path / "data.zarr")["temperature"].sel(level=500)
        return [
            float((written[i] - final("t", 500, moment, *POINTS)).mean()) for i, moment in enumerate(chosen.times())
        ]

    with monkeypatch.context() as preliminary:
        preliminary.setattr(cds_server, "values", lambda *place: final(*place) + (place[2] >= day))
        store.make = lambda inputs: cds_server.grib(inputs, preliminary=lambda moment: moment >= day)
        ingest(chosen.source(tmp_path), tmp_path / "data.zarr")
    np.testing.assert_allclose(excess(), [0, 0, 1, 1], atol=1e-3)
    (told,) = preliminary_in(open_store(tmp_path / "data.zarr"))
    assert "2 of 4 times, 2020-01-02T00" in told

    store.make = cds_server.grib
    first, last = map(str, download(chosen, tmp_path / "cds", refresh=True).replaced[[0, -1]])
    ingest(chosen.source(tmp_path), tmp_path / "data.zarr", options=IngestOptions(refresh=(first, last)))
    np.testing.assert_allclose(excess(), [0, 0, 0, 0], atol=1e-3)
    assert preliminary_in(open_store(tmp_path / "data.zarr")) == []


def test_preliminary_values_of_netcdf_are_known(store, tmp_path):
    store.make = lambda inputs: cds_server.netcdf(inputs, preliminary=lambda time: True)
    assert len(download(config(**ONE), tmp_path).preliminary) == 1
