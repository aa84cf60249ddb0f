"""Pieces of a forecast as they are computed: those of `run`, each once, in memory that does not grow."""

import jax
import numpy as np
import pytest
import xarray as xr
from tiny_forecast import SPEC, TIME_STEP, TIMES, make_analysis, make_forecaster, plausible

from weatherml.config import from_mapping
from weatherml.errors import UserError
from weatherml.forecast import ForecastConfig, Forecaster
from weatherml.forecast.plan import batches
from weatherml.forecast.rollout.device import BatchRollout
from weatherml.state import to_dataset

SLOTS_BYTES = 4 * 2 * int(np.prod(SPEC.shape))
"""Of one lead of two members."""


def config(**changes):
    asked = {"lead_time": "24h", "members": 5, "perturbation": "spherical", "batch": 2}
    return from_mapping(ForecastConfig, asked | changes, "")


@pytest.fixture(params=[1, 2], ids=["one suite", "two in turn"])
def forecaster(request):
    return Forecaster.in_turn(*[make_forecaster()] * request.param)


def test_pieces_are_the_forecast_each_once(forecaster, analysis, monkeypatch):
    monkeypatch.setattr(batches, "CHUNK_BYTES", 3 * SLOTS_BYTES)
    whole = forecaster.run(analysis, TIMES[:2], config())
    together, n_values = whole.copy(deep=True) * np.nan, 0
    for piece in forecaster.iterate(analysis, TIMES[:2], config()):
        assert piece.sizes["init_time"] == 1 and piece.sizes["lead_time"] <= 3 and piece.sizes["number"] <= 2
        places = {dim: piece[dim] for dim in ("init_time", "lead_time", "number")}
        for name, field in piece.data_vars.items():
            together[name].loc[places] = field
            n_values += field.size
    assert n_values == sum(field.size for field in whole.data_vars.values())
    xr.testing.assert_equal(together, whole)


def test_a_piece_describes_itself(forecaster, analysis):
    piece = next(forecaster.iterate(analysis, TIMES[0], config(channels=["t850"])))
    assert list(piece.data_vars) == ["temperature"] and piece["temperature"].attrs["units"] == "K"
    assert (piece["valid_time"] == piece["init_time"] + piece["lead_time"]).all()


def test_a_loop_of_ones_own_takes_the_memory_of_a_few_pieces(monkeypatch):
    monkeypatch.setattr(batches, "CHUNK_BYTES", 4 * SLOTS_BYTES)

    def most_bytes_alive(hours, members):
        pieces = make_forecaster().iterate(make_analysis(), TIMES[0], config(lead_time=f"{hours}h", members=members))
        return max(sum(array.nbytes for array in jax.live_arrays()) for _ in pieces)

    before = most_bytes_alive(72, 4)
    assert max(most_bytes_alive(240, 4), most_bytes_alive(72, 20)) <= before + SLOTS_BYTES


def test_no_more_than_two_pieces_are_held(monkeypatch):
    """That which computes and the one before it; the loop itself keeps none."""
    monkeypatch.setattr(batches, "CHUNK_BYTES", 4 * SLOTS_BYTES)
    held, advance = [], BatchRollout.advance

    def watched(rollout, position):
        pieces = advance(rollout, position)
        held.append(sum(array.shape == pieces[0].shape for array in jax.live_arrays()))
        return pieces

    monkeypatch.setattr(BatchRollout, "advance", watched)
    pieces = make_forecaster().iterate(make_analysis(), TIMES[0], config(lead_time="120h", members=4))
    while next(pieces, None) is not None:
        pass
    assert len(held) == 10 and max(held) == 2


@pytest.mark.parametrize("given", [None, {"members": 3}, "5d"], ids=repr)
@pytest.mark.parametrize("verb", ["run", "iterate", "request"])
def test_what_is_no_configuration_is_refused(analysis, verb, given):
    with pytest.raises(UserError, match=r"^config must be ForecastConfig, got (None|dict|'5d'); pass .*Config\("):
        getattr(make_forecaster(), verb)(analysis, TIMES[0], given)


@pytest.mark.parametrize("verb", ["forecast", "ensemble", "run", "iterate"])
def test_a_path_in_the_place_of_analyses_is_refused(verb):
    asked = {"config": config()} if verb in ("run", "iterate") else {}
    with pytest.raises(UserError, match=r"^analysis must be Dataset, got 'data.zarr'; open it with .*open_store"):
        getattr(make_forecaster(), verb)("data.zarr", TIMES[0], **asked)


def test_what_is_no_perturbation_is_refused(analysis):
    with pytest.raises(UserError, match="ensemble: perturbation"):
        make_forecaster().ensemble(analysis, TIMES[0], "6h", 2, perturbation=3)


def test_what_cannot_be_iterated_is_refused_before_the_first_piece(analysis):
    with pytest.raises(UserError, match="leave statistics out, or call run"):
        make_forecaster().iterate(analysis, TIMES[0], config(statistics={"mean": True}))
    with pytest.raises(UserError, match="no init_time 2021-01-01T00:00"):
        make_forecaster().iterate(analysis, "2021-01-01", config())


def test_inputs_of_calls_are_made_once_for_each_time_and_in_pieces(monkeypatch):
    """Forcings depend on the time alone: not on members; and a long way to the next lead is cut."""
    forecaster = make_forecaster()
    (model,) = forecaster.suites[0].models
    n_maps_bytes = 4 * model.forcings.n_maps * int(np.prod(SPEC.grid.shape))
    monkeypatch.setattr(batches, "CHUNK_BYTES", 5 * n_maps_bytes)
    asked, made = [], type(model.forcings).at
    monkeypatch.setattr(type(model.forcings), "at", lambda self, times: asked.append(len(times)) or made(self, times))
    long = config(lead_time="10d", every="5d", members=2)
    forecast = forecaster.run(make_analysis(), TIMES[0], long)
    calls = [n for n in asked if n > 1 or len(asked) < 3]
    assert max(asked) == 5, "inputs of so many calls are made at once"
    assert sum(calls) >= 40 and forecast.sizes["lead_time"] == 2
    monkeypatch.undo()
    xr.testing.assert_identical(forecast, forecaster.run(make_analysis(), TIMES[0], long))


def test_memory_of_inputs_does_not_grow_with_members(monkeypatch):
    setups = []
    for members in (2, 10):
        analysis = to_dataset(plausible(np.zeros((1, *SPEC.shape))), SPEC, {"time": TIMES[:1]})
        analysis = analysis.where(make_analysis().isel(time=[0], drop=False).notnull())
        request = make_forecaster()._request(analysis, TIMES[0], config(members=members, batch=members))
        (setup,) = request._setups(members)
        setups.append(setup.inputs(setup.chunks[0][0], TIMES[:1]).forcing.nbytes)
    assert setups[0] == setups[1] == 4 * 4 * 2 * int(np.prod(SPEC.grid.shape))
    assert TIME_STEP * 4 == np.timedelta64(24 * 3600 * 10**9, "ns")
