"""What a forecast follows from is its request: whatever would change it asks for another."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from numpy_weights import drawn
from tiny_forecast import (
    SPEC,
    TIME_STEP,
    TIMES,
    Advection,
    make_analysis,
    make_forecaster,
    make_model,
    make_statistics,
    replaced,
)

from weatherml.config import from_mapping
from weatherml.errors import UserError
from weatherml.forecast import ForecastConfig, Forecaster
from weatherml.models import SFNOConfig, Step
from weatherml.models.weights.static_settings import static_settings

START = TIMES[6]


def config(perturbation, **changes):
    return from_mapping(ForecastConfig, {"lead_time": "6h", "members": 3, "perturbation": perturbation, **changes}, "")


def forecaster_with(**settings):
    """The same weights whatever the settings."""
    statistics = make_statistics()
    network = drawn(lambda: make_model().model_copy(update=settings).build(SPEC, 2, nnx.Rngs(0)))
    return make_forecaster(Step(network, statistics.difference_std / statistics.std, statistics.valid))


@pytest.mark.parametrize(
    "settings",
    [{"sparsity_threshold": 0.5}, {"hard_thresholding_fraction": 0.5}],
    ids=lambda settings: next(iter(settings)),
)
def test_static_settings_of_a_network_are_part_of_it(settings):
    known = set(type(make_model()).model_fields)
    assert settings.keys() <= known, f"no such setting; there are {sorted(known)}"
    plain, other = (
        forecaster_with(**own).request(make_analysis(), START, config("gaussian")) for own in ({}, settings)
    )
    assert plain != other
    assert plain == forecaster_with().request(make_analysis(), START, config("gaussian"))


def test_settings_of_what_is_no_module_are_part_of_it():
    """Weights are the same; the order is that of a dataclass within the network."""

    def told(order):
        config = SFNOConfig(width=4, depth=1, scale_factor=1.0, diffusion_order=order)
        network = drawn(lambda config=config: config.build(SPEC, 2, nnx.Rngs(0)))
        return list(static_settings(network))

    assert told(1) != told(2)
    assert told(1) == told(1)


def scaled(factor):
    return lambda x: factor * jnp.roll(x, 1, axis=-1)


def helped(x):
    return jnp.tanh(x)


class Shaped(Advection):
    """Holds a function, which no weight tells."""

    def __init__(self, shape):
        super().__init__()
        self.shape = shape


FUNCTIONS = {
    "sine": lambda x: jnp.sin(x),
    "another name used": lambda x: jnp.cos(x),
    "another constant": lambda x: jnp.sin(x) + 1,
    "another closure": scaled(2.0),
    "and another": scaled(3.0),
    "a helper": lambda x: helped(x),
    "a default": lambda x, y=2: x + y,
    "another default": lambda x, y=3: x + y,
    "a library's": jax.nn.gelu,
    "another of the library": jax.nn.relu,
    "a part of one": partial(jnp.clip, min=0.0),
    "another part": partial(jnp.clip, min=0.5),
    "a ufunc": np.sin,
    "another ufunc": jnp.add,
    "several": (jax.nn.relu, jax.nn.gelu),
    "an array": np.arange(3.0),
    "another array": np.arange(3.0) + 1,
}


def test_functions_that_a_network_holds_are_part_of_it():
    told = {name: "\n".join(static_settings(Shaped(value))) for name, value in FUNCTIONS.items()}
    assert len(set(told.values())) == len(FUNCTIONS)
    assert told["another closure"] == "\n".join(static_settings(Shaped(scaled(2.0))))
    sine, cosine = (
        make_forecaster(Shaped(FUNCTIONS[name])).request(make_analysis(), START, config("gaussian"))
        for name in ("sine", "another name used")
    )
    assert sine != cosine


def test_a_helper_of_a_function_is_part_of_it(monkeypatch):
    before = list(static_settings(Shaped(FUNCTIONS["a helper"])))
    monkeypatch.setitem(globals(), "helped", lambda x: jnp.tanh(2 * x))
    assert list(static_settings(Shaped(FUNCTIONS["a helper"]))) != before


def test_functions_that_do_the_same_are_told_alike_wherever_they_stand():
    """Whatever their module, file and line, and the order in which a process keeps a set, as in `x in {8, 0}`."""
    texts = ("lambda x: x in {0, 8}", "\n\nlambda x: x in {8, 0}", "lambda x: x in {1, 8}")
    functions = [eval(compile(text, f"{at}.py", "eval"), {"__name__": f"module_{at}"}) for at, text in enumerate(texts)]
    one, same, other = (list(static_settings(Shaped(function))) for function in functions)
    assert one == same != other


def test_a_network_that_cannot_be_told_from_others_is_refused():
    with pytest.raises(UserError, match=r"Shaped\.shape is of the type object, by which .* keep numbers"):
        make_forecaster(Shaped(object())).request(make_analysis(), START, config("gaussian"))


def test_a_network_of_other_settings_does_not_resume(tmp_path):
    """As a run that was killed, whose members would be of two networks."""

    class Stop(Exception):
        pass

    def stop(done, total):
        raise Stop

    path, asked = tmp_path / "f.zarr", config("gaussian", batch=1, members=4)
    with pytest.raises(Stop):
        forecaster_with().run(make_analysis(), START, asked, path, progress=stop)
    with pytest.raises(UserError, match="part of another forecast"):
        forecaster_with(sparsity_threshold=0.5).run(make_analysis(), START, asked, path)


def test_weights_models_and_statistics_are_part_of_it():
    plain = make_forecaster()
    (suite,), statistics = plain.suites, make_statistics()
    wider = replace(suite.normalizer, statistics=replace(statistics, std=2 * statistics.std))
    masked = np.array(statistics.valid)
    masked[0, 0, 0] = False
    others = [
        replaced(plain, models=(replace(suite.models[0], time_step=2 * suite.models[0].time_step),)),
        replaced(plain, normalizer=wider),
        replaced(plain, normalizer=replace(suite.normalizer, statistics=replace(statistics, valid=masked))),
    ]
    requests = [
        one.request(make_analysis(), START, config("gaussian", lead_time="12h", every="12h"))
        for one in (plain, *others)
    ]
    assert len(set(requests)) == len(requests)


@pytest.mark.parametrize(
    ("perturbation", "position", "matters"),
    [
        ("gaussian", 5, False),
        ("lagged", 5, True),
        ("lagged", 2, False),  # three members start from positions 6, 5 and 4
        ({"name": "bred", "cycles": 2, "steps": 1}, 4, True),
        ({"name": "bred", "cycles": 2, "steps": 1}, 3, False),
        ({"name": "combined", "parts": ["gaussian", "lagged"]}, 4, True),
    ],
    ids=str,
)
def test_analyses_that_members_follow_from_are_part_of_it(perturbation, position, matters):
    analysis, forecaster = make_analysis(), make_forecaster()
    changed = analysis.copy(deep=True)
    changed["temperature"][{"time": position}] += 1
    before, after = (forecaster.request(own, START, config(perturbation)) for own in (analysis, changed))
    assert (before != after) == matters


@pytest.mark.parametrize(
    ("position", "matters"), [(0, True), (1, False), (2, False), (3, False), (4, True), (5, False)]
)
def test_analyses_that_members_of_any_suite_follow_from_are_part_of_it(position, matters):
    """Members 1 and 3 are of a suite of longer steps, whose members are twice as far apart."""
    analysis, plain = make_analysis(), make_forecaster()
    slow = replaced(plain, models=(replace(plain.suites[0].models[0], time_step=2 * TIME_STEP),))
    changed = analysis.copy(deep=True)
    changed["temperature"][{"time": position}] += 1
    asked = config("lagged", lead_time="12h", members=4)
    before, after = (Forecaster.in_turn(plain, slow).request(own, START, asked) for own in (analysis, changed))
    assert (before != after) == matters
