"""Exported steps: any model, the same numbers in SI units, and a file that says what it is."""

import json
import zipfile
from dataclasses import replace
from functools import cache

import jax
import numpy as np
import pytest
import xarray as xr
from flax import nnx
from numpy_weights import drawn_checkpoint
from small_models import SMALL

from weatherml.checkpoint import Provenance
from weatherml.data.statistics.channel_statistics import Statistics
from weatherml.data.statistics.climatology import Climatology
from weatherml.data.statistics.forcings import Forcings
from weatherml.data.statistics.normalization import Normalizer
from weatherml.errors import UserError
from weatherml.export import PortableStep, export_step, formats
from weatherml.grid import LatLonGrid
from weatherml.models import FourCastNetConfig, NoiseMapsConfig, PrecipitationConfig
from weatherml.state import StateSpec, parse_channels

for package in ("flatbuffers", "jax2onnx", "onnxruntime"):
    pytest.importorskip(package, reason="needs weatherml[export]")
onnx = pytest.importorskip("onnx", reason="needs weatherml[export]")

SPEC = StateSpec(parse_channels(["z500", "sst", "t850"]), LatLonGrid.regular(6, 8, poles=False))
TIME_STEP = np.timedelta64(6, "h")
PERIOD = ("2001-01-01", "2001-12-31")
TIMES = np.array(["2003-02-11T06", "2004-09-30T18", "1999-12-31T12"], "datetime64[ns]")
SIZES = {"patch": 2, "width": 8, "depth": 1, "n_blocks": 2}


def make_normalizer(climatology=None):
    mean, std = np.array([5.5e4, 290, 280], np.float32), np.array([3e3, 8, 15], np.float32)
    valid = np.ones(SPEC.shape, bool)
    valid[1, 2:4, 3:5] = False
    return Normalizer(Statistics(SPEC, mean, std, 0.2 * std, valid, TIME_STEP, PERIOD, 1460), climatology)


@cache
def make_checkpoint(names=(), climatology=None, **changes):
    static = xr.Dataset({"geopotential_at_surface": (("latitude", "longitude"), np.arange(48.0).reshape(6, 8) * 300)})
    forcings = Forcings(names, SPEC.grid, TIME_STEP, static if "orography" in names else None)
    provenance = Provenance({"title": "a test"}, "d1", licence="CC BY-NC-SA 4.0")
    return drawn_checkpoint(
        FourCastNetConfig(**SIZES | changes), forcings, make_normalizer(climatology), provenance, seed=2
    )


@cache
def make_climatology():
    rng = np.random.default_rng(5)
    coefficients = rng.normal(size=(9, *SPEC.shape)).astype(np.float32) * 5
    coefficients[0] += make_normalizer().statistics.mean[:, None, None]
    return Climatology(SPEC, coefficients, n_annual=1, n_diurnal=1, period=PERIOD)


@nnx.jit
def run_step(step, state, forcing):
    return step(state, forcing)


def step_by_hand(checkpoint, state, times):
    """One step as forecasts make it."""
    normalizer, forcing = checkpoint.normalizer, checkpoint.forcings.at(times)
    stepped = run_step(checkpoint.build_step(), normalizer.normalize(state, times), forcing)
    return normalizer.denormalize(np.asarray(stepped), times + checkpoint.time_step)


def random_state(checkpoint, times):
    noise = np.random.default_rng(7).standard_normal((len(times), *checkpoint.spec.shape), np.float32)
    return checkpoint.normalizer.denormalize(noise, times)


@pytest.fixture(params=list(formats))
def format_name(request):
    return request.param


@pytest.mark.parametrize("name", SMALL)
def test_every_model_runs_from_every_format(name, format_name, tmp_path):
    assert export_step(SMALL[name].initialize(), tmp_path / "step", format_name).error < 1e-5


CASES = {
    "state alone": ((), None, ["state"]),
    "what changes is an input and what does not is within": (
        ("latitude", "insolation", "orography", "season"),
        None,
        ["state", "forcing"],
    ),
    "climatology": ((), make_climatology(), ["state", "calendar"]),
}


@pytest.mark.parametrize("case", CASES)
def test_a_file_steps_si_units_as_a_forecast_does(case, format_name, tmp_path):
    names, climatology, inputs = CASES[case]
    checkpoint = make_checkpoint(names, climatology)
    export_step(checkpoint, tmp_path / "step", format_name)
    run, step = formats[format_name].open(tmp_path / "step"), PortableStep(checkpoint)
    assert list(step.inputs) == inputs
    for times in TIMES[:, None]:
        state = random_state(checkpoint, times)
        given = step.inputs_at(state, times)
        assert {name: array.shape[1:] for name, array in given.items()} == step.inputs
        expected = step_by_hand(checkpoint, state, times)
        np.testing.assert_allclose(run(given), expected, rtol=2e-6)


def test_a_file_of_a_model_that_is_told_random_maps_steps_the_control(format_name, tmp_path):
    checkpoint, times = make_checkpoint(("season",), noise=NoiseMapsConfig()), TIMES[:1]
    export_step(checkpoint, tmp_path / "step", format_name)
    run, state = formats[format_name].open(tmp_path / "step"), random_state(checkpoint, times)
    given = PortableStep(checkpoint).inputs_at(state, times)
    assert list(given) == ["state", "forcing"]
    np.testing.assert_allclose(run(given), step_by_hand(checkpoint, state, times), rtol=2e-6)


def test_calendar_is_what_the_file_says_it_is():
    climatology, time = make_climatology(), TIMES[:1]
    year = 2 * np.pi * ((time[0] - np.datetime64("2000-01-01")) / np.timedelta64(1, "D")) / 365.2425
    rows = []
    for a, d in ((year, 0.25), (year + 2 * np.pi * 0.25 / 365.2425, 0.5)):
        annual, diurnal = [[1, np.cos(x), np.sin(x)] for x in (a, 2 * np.pi * d)]
        rows.append([p * q for p in annual for q in diurnal])
    calendar = PortableStep(make_checkpoint((), climatology)).inputs_at(np.zeros((1, *SPEC.shape)), time)["calendar"]
    np.testing.assert_allclose(calendar[0], rows, atol=1e-6)


def test_stablehlo_steps_a_batch_of_any_size(tmp_path):
    checkpoint = make_checkpoint(("season",))
    export_step(checkpoint, tmp_path / "step.zip", "stablehlo")
    run, state = formats["stablehlo"].open(tmp_path / "step.zip"), random_state(checkpoint, TIMES)
    expected = step_by_hand(checkpoint, state, TIMES)
    np.testing.assert_allclose(run(PortableStep(checkpoint).inputs_at(state, TIMES)), expected, rtol=2e-6)


def describe(path, format_name):
    if format_name == "stablehlo":
        with zipfile.ZipFile(path) as archive:
            return json.loads(archive.read("description.json"))
    return {entry.key: json.loads(entry.value) for entry in onnx.load(path).metadata_props}


def test_a_file_says_what_it_is(format_name, tmp_path):
    checkpoint = make_checkpoint(("latitude", "season"))
    export_step(checkpoint, tmp_path / "step", format_name)
    description = describe(tmp_path / "step", format_name)
    assert [channel["name"] for channel in description["channels"]] == list(SPEC.names)
    assert [channel["units"] for channel in description["channels"]] == ["m2 s-2", "K", "K"]
    assert (description["latitude"], description["longitude"]) == (list(SPEC.grid.latitude), list(SPEC.grid.longitude))
    assert (description["time_step_seconds"], description["licence"]) == (21600, "CC BY-NC-SA 4.0")
    assert description["provenance"]["data"] == "d1"
    assert [line[:18] for line in description["forcing"]] == ["season, map 1 of 2", "season, map 2 of 2"]
    assert list(description["inputs"]) == ["state", "forcing"]


def test_onnx_has_named_inputs_and_standard_operators_only(tmp_path):
    export_step(make_checkpoint(("season",)), tmp_path / "step.onnx", "onnx")
    model = onnx.load(tmp_path / "step.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert [value.name for value in model.graph.input] == ["state", "forcing"]
    assert [value.name for value in model.graph.output] == ["next_state"]
    assert {(entry.domain, entry.version) for entry in model.opset_import} == {("", 21)}


def test_onnx_of_a_bfloat16_model_is_the_float32_model(tmp_path):
    coarse = make_checkpoint(dtype="bfloat16")
    export_step(coarse, tmp_path / "step.onnx", "onnx")
    exact, state = make_checkpoint(dtype="float32"), random_state(coarse, TIMES[:1])
    output = formats["onnx"].open(tmp_path / "step.onnx")({"state": state})
    np.testing.assert_allclose(output, step_by_hand(exact, state, TIMES[:1]), rtol=2e-6)


def test_a_file_that_differs_does_not_appear(monkeypatch, tmp_path):
    (tmp_path / "step").write_text("an older file")
    monkeypatch.setattr(PortableStep, "_references", lambda self, _: (0.0, np.array([0, 4e-3, 0])[:, None, None]))
    normal = make_checkpoint()
    with pytest.raises(
        UserError, match=r"stablehlo differs from weatherml by .* standard deviations of geopotential_500"
    ):
        export_step(normal, tmp_path / "step", "stablehlo")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["an older file"]


def test_a_value_where_no_data_are_is_a_difference(monkeypatch, tmp_path):
    monkeypatch.setattr(jax.numpy, "nan", 0.0)
    with pytest.raises(UserError, match="by inf standard deviations of sea_surface_temperature"):
        export_step(make_checkpoint(), tmp_path / "step", "stablehlo")


def test_what_a_library_cannot_do_is_one_line(monkeypatch, tmp_path):
    def fail(*_):
        raise NotImplementedError("no rule for primitive 'erf'\nsecond line")

    monkeypatch.setattr(type(formats["stablehlo"]), "write", fail)
    with pytest.raises(UserError, match="stablehlo cannot hold fourcastnet with these sizes: no rule") as e:
        export_step(make_checkpoint(), tmp_path / "step", "stablehlo")
    assert "\n" not in str(e.value) and not list(tmp_path.iterdir())


def test_a_missing_library_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "jax2onnx", None)
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(UserError, match=r"export needs onnx, which is not installed; pip install 'weatherml.export.'"):
        export_step(make_checkpoint(), tmp_path / "step", "onnx")


def test_an_unknown_format_suggests_the_near_one(tmp_path):
    with pytest.raises(UserError, match="unknown export format 'onxx'; did you mean 'onnx'"):
        export_step(make_checkpoint(), tmp_path / "step", "onxx")


def test_a_diagnostic_is_no_step(tmp_path):
    step = make_checkpoint()
    model = PrecipitationConfig(backbone=FourCastNetConfig(**SIZES))
    rain = replace(step, model=model, prediction="diagnostic")
    with pytest.raises(UserError, match="precipitation is a diagnostic"):
        export_step(rain, tmp_path / "step", "stablehlo")
    assert not list(tmp_path.iterdir())
