"""A forecast taken member by member."""

import numpy as np
import pytest
from fake_data import analyses, forecasts

from weatherml.errors import UserError
from weatherml.extremes.tracks import each_member, map_members, read_once

NAME = "2m_temperature"


def test_every_member_of_every_initial_time_has_its_fields_at_valid_times():
    forecast = forecasts(n_members=5)
    members = list(each_member(forecast))
    assert len(members) == 4 * 5
    last = members[-1]
    assert (last.init_time, last.number) == (forecast["init_time"].values[3], 4)
    assert (last.fields["time"].values == forecast["init_time"].values[3] + forecast["lead_time"].values).all()
    assert (last.fields[NAME].values == forecast[NAME].values[3, :, 4]).all()
    assert last.columns == {"init_time": last.init_time, "number": 4}


def test_a_deterministic_forecast_has_no_number():
    (first, *_) = each_member(forecasts())
    assert first.number is None
    assert "number" not in first.columns


def test_an_analysis_is_one_member():
    (only,) = each_member(analyses())
    assert only.columns == {}
    assert only.fields.sizes["time"] == 29


def test_an_analysis_that_is_called_number_0_has_no_members():
    (only,) = each_member(analyses().assign_coords(number=0))
    assert only.columns == {}


def test_one_selected_member_of_one_run_stays_itself():
    forecast = forecasts(n_members=5).isel(init_time=2, number=3, lead_time=1)
    (only,) = each_member(forecast)
    assert (only.init_time, only.number) == (forecast["init_time"].values, 3)
    assert (only.fields["time"].values == forecast["init_time"].values + forecast["lead_time"].values).all()
    assert only.fields[NAME].sizes["time"] == 1


def test_lazy_members_have_graphs_of_their_own_only():
    forecast = forecasts(n_members=5).chunk(init_time=1, number=1)
    (first, *_) = each_member(forecast)
    assert (first.fields[NAME].values == forecast[NAME].values[0, :, 0]).all()
    assert len(first.fields.__dask_graph__()) < len(forecast.__dask_graph__()) / 4


@pytest.mark.parametrize("in_memory", [2**28, 1])
@pytest.mark.parametrize(
    "chunks", [{"number": 5}, {"number": 2}, {"number": 5, "init_time": 2}, {"number": 2, "init_time": 3}]
)
def test_chunks_of_several_members_are_each_computed_once_and_when_asked_for(monkeypatch, chunks, in_memory):
    monkeypatch.setattr(read_once, "IN_MEMORY", in_memory)
    forecast, read = forecasts(n_members=5), []
    chunked = forecast.chunk({"init_time": 1, "lead_time": 2} | chunks)
    lazy = chunked[NAME].data.map_blocks(lambda values: read.append(values.shape) or values, dtype=np.float32)
    own = chunked.assign({NAME: (forecast[NAME].dims, lazy), "other": chunked[NAME].data.sum() / 0})
    read.clear()
    for one, other in zip(each_member(own), each_member(forecast), strict=True):
        assert (one.init_time, one.number) == (other.init_time, other.number)
        assert np.array_equal(one.fields[NAME].values, other.fields[NAME].values)
    assert len(read) == lazy.npartitions
    assert sum(map(np.prod, read)) == forecast[NAME].size


def test_a_member_of_a_shared_chunk_stays_lazy_and_may_be_kept():
    forecast = forecasts(n_members=5).chunk(number=5, lead_time=2)
    kept = list(each_member(forecast))
    assert kept[0].fields[NAME].chunksizes["time"] == forecast[NAME].chunksizes["lead_time"]
    for place in (7, 3):
        assert (kept[place].fields[NAME].values == forecast[NAME][place // 5, :, place % 5].values).all()


class _Backwards:
    """Workers of whom the last one is the fastest."""

    def require_there(self):
        """They are."""

    def map(self, function, items):
        yield from map(function, reversed(list(items)))


@pytest.mark.parametrize("workers", [_Backwards(), None])
def test_results_come_in_the_order_of_members_whoever_is_the_fastest(workers):
    forecast = forecasts(n_members=5)
    given = {} if workers is None else {"workers": workers}
    numbers = list(map_members(lambda member: member.number, forecast, **given))
    assert numbers == [0, 1, 2, 3, 4] * 4


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (forecasts().drop_vars(["init_time", "valid_time"]), "no init_time"),
        (analyses().isel(time=slice(None, None, -1)), "does not rise"),
        (analyses().drop_vars("time").isel(time=0), "no times"),
        (analyses().isel(time=slice(0, 0)), "is empty"),
        (analyses().assign_coords(time=np.arange(29)), "not datetime64"),
        (
            forecasts(n_members=2).assign_coords(number=["a", "b"]),
            "number of the data is a, b, no whole numbers; count",
        ),
        (forecasts(n_members=2).assign_coords(number=[0.5, 1]), "number of the data is 0.5, 1.0, no whole numbers"),
        (forecasts(n_members=2).assign_coords(number=[1, 1]), "number 1 of the data comes twice"),
        ("forecast.zarr", "must be Dataset"),
    ],
)
def test_data_without_times_are_refused_in_one_line(data, told):
    with pytest.raises(UserError, match=told) as refusal:
        list(each_member(data))
    assert "\n" not in str(refusal.value)
