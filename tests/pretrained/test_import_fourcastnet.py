"""Published FourCastNet files: sizes are found, numbers are the original's, and what does not fit is one line."""

import hashlib
import json
from pathlib import Path

import jax
import numpy as np
import pytest
import xarray as xr
from flax import nnx
from tiny_experiment import done, refused
from tiny_fourcastnet import CHANNELS, TINY, state_dict, write_moments
from torch_writer import write_archive, write_weights

from weatherml.checkpoint import Checkpoint
from weatherml.errors import UserError
from weatherml.forecast import Forecaster, GaussianConfig
from weatherml.models import FourCastNetConfig, load_published
from weatherml.models.fourcastnet import FourCastNet
from weatherml.models.weights import weights_of
from weatherml.pretrained import import_fourcastnet
from weatherml.products.store import open_forecast
from weatherml.state import parse_channels, to_array, to_dataset
from weatherml.training.objective.losses import LossConfig
from weatherml.variables import PRESETS

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
TIME = np.datetime64("2018-03-01T06", "ns")


@pytest.fixture
def tiny(tmp_path):
    """Return a file of the tiny network with six channels on 4 x 8 points, and its statistics."""
    write_weights(tmp_path / "tiny.ckpt", state_dict(TINY, 6, 6, (4, 8)))
    return tmp_path / "tiny.ckpt", *write_moments(tmp_path, 6)


def golden(name):
    arrays = np.load(GOLDEN / f"{name}.npz")
    return arrays, {key.removeprefix("param/"): arrays[key] for key in arrays.files if key.startswith("param/")}


def one_step(checkpoint, state):
    forcing = np.zeros((len(state), 0, *checkpoint.spec.grid.shape), np.float32)
    return nnx.jit(lambda step: step(state, forcing))(checkpoint.build_step())


def relative_error(value, expected):
    return np.abs(value - expected).max() / np.abs(expected).max()


def test_golden_file_to_a_forecast(shared, tmp_path):
    arrays = np.load(shared("golden/afno_a.npz"))
    means, stds = write_moments(tmp_path, 6)
    options = ("--means", means, "--stds", stds, "--channels", ",".join(CHANNELS))
    report = done("import", "fourcastnet", shared("golden/afno_a.ckpt"), *options, "-o", tmp_path / "afno")
    assert "6 channels, 32 x 64" in report
    assert "30 tensors by name, 28 of them in use" in report  # norm.weight and norm.bias are never applied
    assert "BSD-3-Clause" in done("info", tmp_path / "afno")
    checkpoint = Checkpoint.load(tmp_path / "afno")
    times = TIME + np.arange(2) * np.timedelta64(1, "D")
    physical = checkpoint.normalizer.denormalize(arrays["input"], times)
    to_dataset(physical, checkpoint.spec, {"time": times}).to_netcdf(tmp_path / "analysis.nc", engine="netcdf4")
    words = [word for time in times for word in ("--init", str(time))]
    options = ("--analysis", tmp_path / "analysis.nc", "--set", "lead_time=12h", "-o", tmp_path / "forecast.zarr")
    as_it_is = ("--set", "guards={bounds: false, nonnegative: false}")  # golden weights are random
    done("forecast", tmp_path / "afno", *words, *options, *as_it_is)
    forecast = to_array(open_forecast(tmp_path / "forecast.zarr"), checkpoint.spec)[:, :, 0]
    for lead, name in enumerate(["output", "output_step2"]):
        normalised = checkpoint.normalizer.normalize(forecast[:, lead], times)
        assert relative_error(normalised, arrays[name]) < 1e-5


def test_what_weights_do_not_show_can_be_told(tmp_path):
    arrays, weights = golden("afno_b_frac")
    path = write_weights(tmp_path / "b.ckpt", weights)
    settings = ["hard_thresholding_fraction=0.5", "sparsity_threshold=0.05"]
    files = (path, *write_moments(tmp_path, 5))
    told = import_fourcastnet(*files, CHANNELS[:5], settings=settings).checkpoint
    assert relative_error(one_step(told, arrays["input"]), arrays["output"]) < 1e-5
    published = import_fourcastnet(*files, CHANNELS[:5]).checkpoint
    assert (published.model.hard_thresholding_fraction, published.model.sparsity_threshold) == (1.0, 0.01)
    assert relative_error(one_step(published, arrays["input"]), arrays["output"]) > 1e-2


@pytest.mark.parametrize(
    ("sizes", "shape", "grid"),
    [
        ({"patch": 3, "width": 20, "depth": 3, "n_blocks": 4, "mlp_ratio": 2.5}, (9, 18), None),
        ({"patch": (2, 4), "width": 12, "depth": 1, "n_blocks": 3, "hidden_size_factor": 2}, (6, 12), None),
        ({"patch": (3, 2), "width": 8, "depth": 2, "n_blocks": 2}, (15, 6), (15, 6)),
    ],
    ids=["odd", "rectangular patches", "tall"],
)
def test_sizes_follow_from_shapes(tmp_path, sizes, shape, grid):
    config = FourCastNetConfig(**sizes)
    weights = state_dict(config, 5, 5, shape)
    path = write_weights(tmp_path / "a.ckpt", weights)
    checkpoint = import_fourcastnet(path, *write_moments(tmp_path, 5), CHANNELS[:5], grid).checkpoint
    assert checkpoint.model == config
    assert checkpoint.spec.shape == (5, *shape)
    network = nnx.eval_shape(lambda: FourCastNet(config, 5, 5, shape, rngs=nnx.Rngs(0)))
    load_published(network, weights)
    expected = {f"network.{name}": array for name, array in weights_of(network).items()}
    jax.tree.map(np.testing.assert_array_equal, checkpoint.weights, expected)


def test_rows_are_those_of_a_grid_with_poles_without_the_last(tiny):
    grid = import_fourcastnet(*tiny, CHANNELS).checkpoint.spec.grid
    assert grid.latitude == (90, 45, 0, -45)
    assert grid.longitude == tuple(range(0, 360, 45))


@pytest.mark.parametrize(
    ("preset", "n_statistics"), [("fourcastnet", 20), ("fourcastnet", 21), ("fourcastnet_0.1", 29)]
)
def test_published_channels_need_no_names_and_take_the_first_of_more_statistics(tmp_path, preset, n_statistics):
    n_channels = len(PRESETS[preset])
    path = write_weights(tmp_path / "backbone.ckpt", state_dict(TINY, n_channels, n_channels, (4, 8)))
    means, stds = write_moments(tmp_path, n_statistics)
    checkpoint = import_fourcastnet(path, means, stds).checkpoint
    assert checkpoint.spec.channels == parse_channels(PRESETS[preset])
    statistics = checkpoint.normalizer.statistics
    np.testing.assert_array_equal(statistics.mean, np.load(means).ravel()[:n_channels])
    np.testing.assert_array_equal(statistics.std, np.load(stds).ravel()[:n_channels])
    assert checkpoint.time_step == np.timedelta64(6, "h")


@pytest.mark.parametrize(("prefix", "entry"), [("", "model_state"), ("module.", "state_dict")])
def test_names_may_have_a_prefix_and_lie_in_either_entry(tmp_path, tiny, prefix, entry):
    weights = state_dict(TINY, 6, 6, (4, 8)) | ({"ged": np.ones(3)} if prefix else {})
    other = write_weights(tmp_path / "other.ckpt", weights, prefix, entry)
    expected = import_fourcastnet(*tiny, CHANNELS).checkpoint.weights
    found = import_fourcastnet(other, *tiny[1:], CHANNELS).checkpoint.weights
    jax.tree.map(np.testing.assert_array_equal, found, expected)


def test_precipitation_is_known_by_its_names(tmp_path):
    arrays, weights = golden("precip_a")
    path = write_weights(tmp_path / "precip.ckpt", weights)
    means, stds = write_moments(tmp_path, 6)
    options = ("--means", means, "--stds", stds, "--channels", ",".join(CHANNELS), "-o", tmp_path / "precip")
    assert "precipitation, 6 channels, 32 x 64" in done("import", "fourcastnet", path, *options)
    diagnostic = Checkpoint.load(tmp_path / "precip").build_diagnostic()
    depth = nnx.jit(lambda network: network(arrays["input"]))(diagnostic)
    assert relative_error(depth, arrays["precip_metres"]) < 1e-5


def test_precipitation_takes_the_first_twenty_channels_of_more_statistics(tmp_path):
    weights = {f"backbone.{name}": array for name, array in state_dict(TINY, 20, 1, (4, 8)).items()}
    weights |= {"conv.weight": np.ones((1, 1, 3, 3)), "conv.bias": np.ones(1)}
    path = write_weights(tmp_path / "precip.ckpt", weights)
    checkpoint = import_fourcastnet(path, *write_moments(tmp_path, 26)).checkpoint
    assert checkpoint.prediction == "diagnostic"
    assert checkpoint.spec.channels == parse_channels(PRESETS["fourcastnet"])


def test_provenance_names_the_files_and_their_digests(tiny, tmp_path):
    options = ("--means", tiny[1], "--stds", tiny[2], "--channels", ",".join(CHANNELS), "-o", tmp_path / "tiny")
    done("import", "fourcastnet", tiny[0], *options)
    digest = hashlib.sha256(tiny[0].read_bytes()).hexdigest()
    assert json.loads(done("info", tmp_path / "tiny", "--json"))["data"] == f"tiny.ckpt, sha256 {digest}"
    files = Checkpoint.load(tmp_path / "tiny").provenance.config["imported"]
    assert files["stds"] == f"stds.npy, sha256 {hashlib.sha256(tiny[2].read_bytes()).hexdigest()}"


def test_what_is_there_is_kept_unless_told_otherwise(tiny, tmp_path):
    options = ("--means", tiny[1], "--stds", tiny[2], "--channels", ",".join(CHANNELS), "-o", tmp_path / "tiny")
    done("import", "fourcastnet", tiny[0], *options)
    assert "exists; choose another path, or pass --overwrite" in refused("import", "fourcastnet", tiny[0], *options)
    done("import", "fourcastnet", tiny[0], *options, "--overwrite")


def test_tendencies_of_imported_weights_are_unknown_and_say_so(tiny):
    statistics = import_fourcastnet(*tiny, CHANNELS).checkpoint.normalizer.statistics
    for unknown in (GaussianConfig(unit="tendency").build, LossConfig(channel_weight="tendency").build):
        with pytest.raises(UserError, match=r"one-step changes .* not known for imported weights"):
            unknown(statistics)
    for known in (GaussianConfig(unit="std").build, LossConfig(channel_weight="uniform").build):
        assert all(np.isfinite(array).all() for array in jax.tree.leaves(known(statistics)))


def spoiled(path, change):
    """Change the array of an .npy file."""
    np.save(path, change(np.load(path)))


def damaged(path, old, new):
    path.write_bytes(path.read_bytes().replace(old, new, 1))


def pickled(path):
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)


SPOILED = {
    "fewer": (
        lambda means, stds: spoiled(means, lambda a: a[:, :5]),
        "means.npy has 5 channels",
    ),
    "more": (lambda means, stds: spoiled(stds, lambda a: np.ones((1, 7, 1, 1))), "stds.npy has 7 channels"),
    "flat": (
        lambda means, stds: spoiled(means, np.ravel),
        "means.npy holds float32 (6,), not numbers (1, ",
    ),
    "words": (lambda means, stds: np.save(means, np.array([["a"] * 6])[..., None, None]), "means.npy holds <U1"),
    "not a number": (lambda means, stds: spoiled(means, lambda a: a * np.nan), "means.npy holds a mean of nan"),
    "zero": (lambda means, stds: spoiled(stds, lambda a: 0 * a), "stds.npy holds a standard deviation of 0.0"),
    "negative": (lambda means, stds: spoiled(stds, np.negative), "stds.npy holds a standard deviation of -"),
    "pickled": (lambda means, stds: pickled(stds), "stds.npy holds no plain array"),
    "text": (lambda means, stds: means.write_text("1 2 3"), "means.npy holds no plain array"),
    "empty": (lambda means, stds: means.write_text(""), "means.npy holds no plain array"),
    "archive": (lambda means, stds: np.savez(open(means, "wb"), a=np.ones(6)), "means.npy holds no plain array"),
    "cut archive": (lambda means, stds: means.write_bytes(b"PK" + bytes(40)), "means.npy holds no plain array"),
    "damaged header": (lambda means, stds: damaged(means, b"}", b" "), "means.npy holds no plain array"),
    "missing": (lambda means, stds: stds.unlink(), "cannot read"),
}


@pytest.mark.parametrize("kind", SPOILED)
def test_statistics_that_do_not_fit_are_refused(tiny, tmp_path, kind):
    spoil, reason = SPOILED[kind]
    path, means, stds = tiny
    spoil(means, stds)
    options = ("--means", means, "--stds", stds, "--channels", ",".join(CHANNELS), "-o", tmp_path / "out")
    assert reason in refused("import", "fourcastnet", path, *options)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ([], "has 6 channels where published weights have 20 or 26; pass --channels t2m,z500,... to say which"),
        (["--channels", "t2m,z500"], "2 channels named, but"),
        (["--channels", "t2m,z500,msl,t850,u850,zz500"], "unknown variable 'zz'"),
        (["--channels", "t2m,t2m,msl,t850,u850,v850"], "channels are named twice: 2m_temperature"),
        (["--grid", "4x9"], "which a grid of 4 x 9 has not; pass --grid ROWSxCOLUMNS"),
        (["--grid", "big"], "--grid 'big' must read ROWSxCOLUMNS"),
        (["--grid", "0x0"], "which a grid of 0 x 0 has not; pass --grid"),
        (["--grid", "16x2"], None),
        (["--grid", "32x1"], "patch 2 x 2 does not divide the 32 x 1 grid"),
        (["sparsity=1"], "unknown key 'sparsity'; did you mean 'sparsity_threshold'"),
        (["width=24"], "where this network needs"),
        (["depth=2"], "weights lack 'blocks.1"),
    ],
)
def test_options_that_do_not_fit_are_refused(tiny, tmp_path, options, reason):
    path, means, stds = tiny
    names = [] if not options or "--channels" in options else ["--channels", ",".join(CHANNELS)]
    words = ("import", "fourcastnet", path, "--means", means, "--stds", stds, *names, *options, "-o", tmp_path / "out")
    if reason is None:
        done(*words)
        return
    assert reason in refused(*words)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("option", ["--means", "--stds"])
def test_statistics_must_be_given(tiny, tmp_path, option):
    path, means, stds = tiny
    given = ("--stds", stds) if option == "--means" else ("--means", means)
    words = ("import", "fourcastnet", path, *given, "--channels", ",".join(CHANNELS), "-o", tmp_path / "out")
    assert f"pass {option} global_{option[2:]}.npy from beside the weights" in refused(*words)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda w: w.pop("head.weight"), "is no FourCastNet: 'head.weight' is missing"),
        (lambda w: w.update({"pos_embed": np.ones((16, 12))}), "'pos_embed' is (16, 12), not of 3 axes"),
        (lambda w: w.pop("blocks.0.filter.b2"), "weights lack 'blocks.0.filter.b2'"),
        (lambda w: w.update({"classifier": np.ones(3)}), "weights hold 'classifier'"),
        (lambda w: w.update({"head.weight": np.ones((20, 12))}), "gives 5 channels from 6"),
        (lambda w: w.update({"pos_embed": np.ones((1, 9, 12))}), "has positions for 36 points"),
        (lambda w: w.clear(), "is no FourCastNet"),
    ],
)
def test_weights_of_something_else_are_refused(tmp_path, change, reason):
    weights = state_dict(TINY, 6, 6, (4, 8))
    change(weights)
    path = write_weights(tmp_path / "a.ckpt", weights)
    means, stds = write_moments(tmp_path, 6)
    options = ("--means", means, "--stds", stds, "--channels", ",".join(CHANNELS), "-o", tmp_path / "out")
    assert reason in refused("import", "fourcastnet", path, *options)
    assert not (tmp_path / "out").exists()


def test_a_file_without_weights_is_refused(tmp_path, tiny):
    path = write_weights(tmp_path / "a.ckpt", {}, entry="optimizer_state_dict")
    with pytest.raises(UserError, match="has no 'model_state'"):
        import_fourcastnet(path, *tiny[1:])


def test_code_in_a_file_is_one_line_and_not_run(tmp_path, tiny):
    path = write_archive(tmp_path / "evil.ckpt", f"cos\nsystem\n(S'touch {tmp_path}/mark'\ntR.".encode())
    options = ("--means", tiny[1], "--stds", tiny[2], "-o", tmp_path / "out")
    assert "asks for os.system" in refused("import", "fourcastnet", path, *options)
    assert not (tmp_path / "mark").exists() and not (tmp_path / "out").exists()


def test_the_checkpoint_is_read_by_xarray_and_forecasts_in_python(tiny):
    checkpoint = import_fourcastnet(*tiny, CHANNELS).checkpoint
    state = np.random.default_rng(3).normal(280, 5, (1, *checkpoint.spec.shape)).astype(np.float32)
    analysis = to_dataset(state, checkpoint.spec, {"time": [TIME]})
    forecast = Forecaster.from_checkpoint(checkpoint).forecast(analysis, str(TIME), "12h")
    assert isinstance(forecast, xr.Dataset) and forecast.sizes["lead_time"] == 2
