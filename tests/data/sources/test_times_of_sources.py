"""Laws of which times of a source are read: periods of it, without holes, every so often."""

from pathlib import Path

import numpy as np
import pytest
from fake_data import FakeSource, analyses

from weatherml.config import from_mapping
from weatherml.data.loading.samples import Samples
from weatherml.data.sources import FilesConfig, PlanetConfig
from weatherml.data.sources.times import ChosenTimes, SourceAtTimes
from weatherml.data.statistics.channel_statistics import compute_statistics
from weatherml.data.statistics.forcings import Forcings
from weatherml.data.statistics.normalization import Normalizer
from weatherml.data.store.ingest import ingest
from weatherml.data.store.opening import open_store
from weatherml.errors import UserError
from weatherml.state import spec_of

TIMES = np.arange("2001-01-01", "2001-01-05", np.timedelta64(6, "h"), "datetime64[ns]")


def days(positions):
    return [str(TIMES[i])[5:13] for i in positions]


@pytest.mark.parametrize(
    ("chosen", "kept"),
    [
        ({"periods": (("2001-01-01", "2001-01-01"),)}, ["01-01T00", "01-01T06", "01-01T12", "01-01T18"]),
        (
            {"periods": (("2001-01-01T18", "2001-01-02T00"), ("2001-01-04T12", "2001"))},
            ["01-01T18", "01-02T00", "01-04T12", "01-04T18"],
        ),
        ({"exclude": ("2001-01-01", ("2001-01-02T06", "2001-01-04T12"))}, ["01-02T00", "01-04T18"]),
        ({"every": "1d"}, ["01-01T00", "01-02T00", "01-03T00", "01-04T00"]),
        (
            {"periods": (("2001-01-02", "2001-01-03"),), "exclude": ("2001-01-02T12",), "every": "12h"},
            ["01-02T00", "01-03T00", "01-03T12"],
        ),
    ],
)
def test_periods_holes_and_every_choose_times(chosen, kept):
    assert days(ChosenTimes(**chosen).choose(TIMES, "data")) == kept


def test_a_source_at_times_reads_what_the_source_has_there():
    dataset = analyses(times=16, start="2001-01-01")
    source = SourceAtTimes(FakeSource(dataset), ChosenTimes(exclude=("2001-01-02",), every="12h"))
    times = source.times()
    assert list(times) == [t for t in TIMES if t.astype("datetime64[D]") != np.datetime64("2001-01-02")][::2]
    np.testing.assert_array_equal(
        source.read(times, ["geopotential"])["geopotential"], dataset["geopotential"].sel(time=times)
    )
    with pytest.raises(UserError, match=r"fake has no time 2001-01-02T00.*source.exclude"):
        source.read(TIMES[4:5], ["geopotential"])


def test_other_times_have_another_digest():
    source = FakeSource(analyses(times=16, start="2001-01-01"))
    one, two = (SourceAtTimes(source, ChosenTimes(exclude=(day,))) for day in ("2001-01-02", "2001-01-03"))
    assert len({source.digest(), one.digest(), two.digest()}) == 3


@pytest.mark.parametrize("piece", [1, 3, 5])
def test_pieces_are_those_of_the_source(piece):
    class InPieces(FakeSource):
        def piece_starts(self, variable):
            return np.arange(0, 16, piece)

    source = SourceAtTimes(InPieces(analyses(times=16, start="2001-01-01")), ChosenTimes(exclude=("2001-01-02",)))
    of = np.array([i for i in range(16) if not 4 <= i < 8]) // piece
    assert [list(of[a:b]) for a, b in _between(source.piece_starts("geopotential"), 12)] == [
        [p] * int((of == p).sum()) for p in np.unique(of)
    ]


def _between(starts, end):
    return zip(starts, [*starts[1:], end], strict=True)


def test_every_kind_of_source_has_the_keys(tmp_path):
    content = {"periods": [["2000-01-02", "2000-01-02"]], "exclude": ["2000-01-02T06"]}
    planet = from_mapping(PlanetConfig, {**content, "days": 3}).source(tmp_path)
    analyses(times=16, start="2000-01-01").to_netcdf(tmp_path / "a.nc")
    files = from_mapping(FilesConfig, {**content, "paths": [str(tmp_path / "a.nc")]}).source(tmp_path)
    for source in (planet, files):
        assert [str(t)[11:13] for t in source.times()] == ["00", "12", "18"]
    assert PlanetConfig(days=3).open(Path()).digest() == PlanetConfig(days=3, every="12h").open(Path()).digest()


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (
            {"periods": [["1990", "1991"]]},
            r"source.periods: the fake data have no time in 1990.*they have 2001-01-01T00",
        ),
        ({"exclude": ["2001"]}, "leave no time of the fake data"),
        ({"periods": [["2001", "2000"]]}, "period must run forward"),
        ({"periods": [2001]}, "must have a first and a last time"),
        ({"exclude": ["2001-13"]}, "exclude '2001-13' .*month"),
        ({"every": "6"}, "must be a positive"),
    ],
)
def test_a_choice_that_cannot_be_is_one_line(keys, words):
    with pytest.raises(UserError, match=words) as refused:
        config = from_mapping(PlanetConfig, keys)
        SourceAtTimes(
            FakeSource(analyses(times=16, start="2001-01-01")),
            ChosenTimes(config.periods, config.exclude, config.every),
        ).times()
    assert "\n" not in str(refused.value)


def test_a_source_with_holes_is_ingested_without_them_and_no_sample_spans_one(tmp_path):
    dataset = analyses(times=16, start="2001-01-01")
    dataset["2m_temperature"][6:9] = np.nan
    with pytest.raises(UserError, match=r"missing where the first time .* is not"):
        ingest(FakeSource(dataset), tmp_path / "holes.zarr")
    exclude = (("2001-01-02T12", "2001-01-03T00"),)
    ingest(SourceAtTimes(FakeSource(dataset), ChosenTimes(exclude=exclude)), tmp_path / "whole.zarr")
    store = open_store(tmp_path / "whole.zarr")
    period = ("2001-01-01", "2001-01-04")
    spec = spec_of(store)
    normalizer = Normalizer(compute_statistics(store, spec, period))
    samples = Samples(store, normalizer, Forcings((), spec.grid, np.timedelta64(6, "h")), 2, period)
    spans = [samples.times(i) for i in range(len(samples))]
    assert len(spans) == (6 - 2) + (7 - 2)
    assert all(span[-1] - span[0] == np.timedelta64(12, "h") for span in spans)
