"""Laws of every registered perturbation, and how amplitudes are chosen."""

import dataclasses

import jax
import numpy as np
import pytest
import tiny_forecast
from docs_page import run_python
from tiny_forecast import SPEC, TIME_STEP, TIMES, NoisyAdvection, forecaster_of, make_statistics, plausible

from weatherml.checkpoint import Provenance
from weatherml.config import from_mapping
from weatherml.data.statistics.forcings import Forcings
from weatherml.data.statistics.normalization import Normalizer
from weatherml.errors import UserError
from weatherml.forecast import ForecastConfig, SphericalConfig
from weatherml.forecast.analyses import Analyses
from weatherml.forecast.perturbation.base import registry
from weatherml.forecast.perturbation.noise_conditioned import ConditionedStep
from weatherml.forecast.rollout.model import Model
from weatherml.grid import LatLonGrid
from weatherml.models import NoiseMapsConfig
from weatherml.state import StateSpec, to_array, to_dataset

POLES = StateSpec(SPEC.channels, LatLonGrid.regular(7, 10))
EVERY = pytest.mark.parametrize("name", list(registry))
EVERY_BY_CHANNEL = pytest.mark.parametrize("name", [name for name in registry if name != "noise_conditioned"])
INIT_TIME = TIMES[7]
PARTS = {"combined": {"parts": ["spherical", "sppt"]}}


def make_polar_forecaster():
    """Advection, linear in states and maps and apart by channel, with poles; every cell of sst but 6 is valid."""
    valid = np.ones(POLES.shape, bool)
    valid[-1, 2:4, 3:6] = False
    statistics = dataclasses.replace(make_statistics(), spec=POLES, valid=valid)
    step = ConditionedStep(NoisyAdvection(), NoiseMapsConfig(lengths=(1500,)).build(POLES.grid))
    forcings = Forcings(("insolation", "latitude"), POLES.grid, TIME_STEP)
    model = Model(step, TIME_STEP, forcings, Provenance({}, "none"), is_told_maps=True)
    return forecaster_of((model,), Normalizer(statistics))


FORECASTER = make_polar_forecaster()
VALID = FORECASTER.suites[0].normalizer.statistics.valid


def make_analysis(name):
    """Analyses of all times; with 5 members where the perturbation reads members."""
    array = plausible(np.random.default_rng(3).normal(0, 10, (len(TIMES), 5, *POLES.shape)))
    array[..., ~VALID] = np.nan
    analysis = to_dataset(array, POLES, {"time": TIMES, "number": np.arange(5)})
    return analysis if registry[name].model_fields["name"].default == "analysis_ensemble" else analysis.isel(number=0)


def configure(name, **parameters):
    return {"name": name, **PARTS.get(name, {}), **parameters}


def run(name, numbers=None, members=5, batch=3, lead_time="6h", **parameters):
    """Forecasts `[number, lead, channel, lat, lon]` of some members."""
    asked = {
        "lead_time": lead_time,
        "members": members,
        "numbers": numbers,
        "batch": batch,
        "seed": 4,
        "perturbation": configure(name, **parameters),
    }
    forecast = FORECASTER.run(make_analysis(name), INIT_TIME, from_mapping(ForecastConfig, asked))
    return to_array(forecast, POLES)[0].swapaxes(0, 1)


@EVERY
def test_member_alone_is_bit_equal_to_the_same_member_of_the_ensemble(name):
    together = run(name, lead_time="18h")
    for number in (4, 1):
        np.testing.assert_array_equal(run(name, numbers=[number], lead_time="18h")[0], together[number])


@EVERY
def test_number_zero_is_the_deterministic_forecast(name):
    analysis = make_analysis(name)
    control = analysis.isel(number=0, drop=True) if "number" in analysis.dims else analysis
    deterministic = to_array(FORECASTER.forecast(control, INIT_TIME, "12h"), POLES)[0, :, 0]
    np.testing.assert_allclose(run(name, lead_time="12h")[0], deterministic, rtol=2e-7)


@EVERY
def test_members_differ(name):
    members = run(name)[:, 0, 0]
    for one in range(5):
        for other in range(one):
            assert np.abs(members[one] - members[other]).max() > 0.01


@EVERY
def test_scale_zero_perturbs_nothing(name):
    members = run(name, scale=0.0)
    np.testing.assert_allclose(members[1:], members[:1].repeat(4, 0), rtol=1e-6)


@EVERY
def test_scale_is_linear(name):
    small, large = (run(name, scale=scale) for scale in (0.05, 0.1))
    expected = 2 * (small[1:] - small[0])
    assert np.nanmax(np.abs(expected)) > 0.2
    # What is combined also has a part that is quadratic.
    np.testing.assert_allclose(large[1:] - large[0], expected, atol=0.01 * np.nanmax(np.abs(expected)))


@EVERY_BY_CHANNEL
def test_amplitude_of_zero_spares_a_channel_and_no_other(name):
    members = run(name, amplitude={"temperature": 0.0, "t500": 1.0})
    differs = np.nanmax(np.abs(members[1:] - members[0]), axis=(0, 1, 3, 4)) > 1e-3
    assert differs.tolist() == [channel != "temperature_850" for channel in POLES.names]


@EVERY
def test_every_valid_cell_stays_finite_at_the_poles_too(name):
    members = run(name, lead_time="12h")
    assert np.isfinite(members[..., VALID]).all()


@EVERY
def test_cells_without_data_are_not_perturbed(name):
    perturbation = prepare(name)
    if perturbation is not None:
        states = np.zeros((2, *POLES.shape), np.float32)
        increments = np.asarray(perturbation(states, np.full(2, INIT_TIME), np.array([1, 2])))
        assert (increments[:, ~VALID] == 0).all()
        assert (increments[:, VALID] != 0).mean() > 0.8


@EVERY
def test_compiled_is_the_same_as_not_compiled(name):
    arguments = np.zeros((2, *POLES.shape), np.float32), np.full(2, INIT_TIME), np.array([1, 4])
    perturbation = prepare(name)
    if perturbation is not None:
        compiled = np.asarray(perturbation(*arguments))
        with jax.disable_jit():
            np.testing.assert_allclose(perturbation(*arguments), compiled, atol=2e-5)


def prepare(name, **changes):
    """What acts on initial states."""
    config = from_mapping(ForecastConfig, {"members": 5, "perturbation": configure(name)}).model_copy(update=changes)
    analyses = Analyses(make_analysis(name), FORECASTER.suites[0].normalizer)
    return tiny_forecast.initial_states(config, TIMES[7:8], analyses, FORECASTER).perturbation


def factors(**amplitude):
    """Of channels z500, t500, t850, u850 and sst."""
    return SphericalConfig(scale=2.0, amplitude=amplitude).factors(make_statistics())[:, 0, 0].tolist()


def test_amplitude_names_channels_and_variables_and_the_channel_wins():
    assert factors() == [2.0] * 5
    assert factors(t850=3.0, temperature=0.5, sst=0.0) == [2.0, 1.0, 6.0, 2.0, 0.0]
    assert factors(u850=0.25, u=3.0) == factors(u=3.0, u850=0.25) == [2.0, 2.0, 2.0, 0.5, 2.0]


def test_file_names_a_perturbation_and_its_parameters():
    content = {"members": 3, "perturbation": {"name": "spherical", "length": 800, "amplitude": {"t850": 2}}}
    config = from_mapping(ForecastConfig, content)
    assert config.perturbation == SphericalConfig(length=800, amplitude={"t850": 2.0})


@EVERY_BY_CHANNEL
def test_configuration_survives_json(name):
    asked = {"members": 3, "perturbation": configure(name, scale=0.05, amplitude={"z": 0.5})}
    config = from_mapping(ForecastConfig, asked)
    assert ForecastConfig.model_validate_json(config.model_dump_json()) == config
    assert config.model_dump()["perturbation"]["amplitude"] == {"z": 0.5}


@pytest.mark.parametrize(
    ("perturbation", "message"),
    [
        ("sperical", "unknown perturbation 'sperical'; did you mean 'spherical'"),
        ({"name": "gaussian", "lenght": 3}, "unknown key 'lenght'"),
        ({"name": "gaussian", "scale": -1}, "scale"),
        ({"name": "perlin", "octaves": 0}, "octaves"),
        ({"name": "spherical", "amplitude": {"t850": -1}}, "amplitude"),
    ],
)
def test_unknown_perturbation_or_parameter_is_refused(perturbation, message):
    with pytest.raises(UserError, match=message) as caught:
        from_mapping(ForecastConfig, {"members": 2, "perturbation": perturbation})
    assert "\n" not in str(caught.value)


@EVERY_BY_CHANNEL
@pytest.mark.parametrize(("channel", "hint"), [("tempreature", "did you mean 'temperature'"), ("q700", "known: ")])
def test_amplitude_of_what_the_state_lacks_is_one_line_before_anything_is_written(name, channel, hint, tmp_path):
    config = from_mapping(ForecastConfig, {"members": 2, "perturbation": configure(name, amplitude={channel: 0.5})})
    with pytest.raises(UserError, match=f"amplitude names '{channel}', which is no channel.*{hint}") as caught:
        FORECASTER.run(make_analysis(name), INIT_TIME, config, tmp_path / "forecast.zarr")
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_perturbation_of_the_page_turns_analyses():
    config = run_python("ensembles.md", registry)["TurnedConfig"]()
    states = np.random.default_rng(0).normal(size=(2, *POLES.shape)).astype(np.float32)
    turned = states + np.asarray(prepare("gaussian", perturbation=config)(states, None, np.array([1, 3])))
    for state, member, columns in zip(states, turned, (1, 3), strict=True):
        np.testing.assert_allclose(member[VALID], np.roll(state, columns, axis=-1)[VALID], atol=1e-6)
