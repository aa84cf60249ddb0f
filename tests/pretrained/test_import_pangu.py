"""Published Pangu-Weather files: every tensor in its place whatever it is called, and files of other models refused."""

from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest
from onnx_writer import Tensor, number, tensor_header, text, write_onnx
from tiny_experiment import done, refused
from tiny_pangu import SIZES, as_published, draw, renumbered, write_with_graph

from weatherml.checkpoint import Checkpoint
from weatherml.errors import UserError
from weatherml.models import PanguConfig
from weatherml.pretrained import import_pangu
from weatherml.pretrained.matching import match
from weatherml.pretrained.onnx_file import open_onnx
from weatherml.pretrained.pangu import read_weights
from weatherml.pretrained.pangu_names import wanted_tensors
from weatherml.pretrained.pangu_sizes import sizes_of
from weatherml.products.store import open_forecast
from weatherml.state import Channel, to_array, to_dataset

DAY = np.timedelta64(24, "h")
TIME = np.datetime64("2018-03-01T06", "ns")


@pytest.fixture(scope="module")
def arrays():
    return draw()


@pytest.fixture(scope="module")
def published(arrays, tmp_path_factory):
    return write_onnx(tmp_path_factory.mktemp("pangu") / "pangu_weather_6.onnx", as_published(arrays))


@pytest.fixture(scope="module")
def imported(published):
    return import_pangu(published)


def changed(arrays, **changes):
    """Replace arrays whose names end so."""
    found = {name: next(n for n in arrays if n.endswith(name)) for name in changes}
    return arrays | {found[name]: change(arrays[found[name]]) for name, change in changes.items()}


def assert_same(a, b):
    jax.tree.map(np.testing.assert_array_equal, dict(a.checkpoint.weights), dict(b.checkpoint.weights))


def test_golden_file_gives_the_weights_it_was_made_of(shared):
    path, golden = Path(shared("golden/pangu_onnx_a.onnx")), np.load(shared("golden/pangu_onnx_a.npz"))
    expected = {name.removeprefix("param/"): golden[name] for name in golden.files if name.startswith("param/")}
    expected |= {name: golden[name] for name in ("constant_maps", "const_h")}
    found = open_onnx(path)
    tensors = match(path, wanted_tensors(sizes_of(path, found)), found).tensors
    stored = {name: tensor for name, tensor in tensors.items() if not name.endswith(("_mean", "_std"))}
    weights = read_weights(stored, PanguConfig().window)
    assert weights.keys() == expected.keys()
    for name, array in weights.items():
        np.testing.assert_array_equal(array, expected[name], err_msg=name)


def test_golden_file_to_a_forecast(shared, tmp_path):
    golden = np.load(shared("golden/pangu_onnx_a.npz"))
    report = done("import", "pangu", shared("golden/pangu_onnx_a.onnx"), "--step", "24h", "-o", tmp_path / "pangu")
    assert "69 channels, 49 x 192" in report and "229 tensors by name" in report
    assert "CC BY-NC-SA 4.0" in done("info", tmp_path / "pangu")
    spec = Checkpoint.load(tmp_path / "pangu").spec
    state, truth = (
        np.concatenate([golden[f"{kind}_upper"].reshape(1, 65, 49, 192), golden[f"{kind}_surface"]], axis=1)
        for kind in ("input", "output")
    )
    to_dataset(state, spec, {"time": [TIME]}).to_netcdf(tmp_path / "analysis.nc", engine="netcdf4")
    options = ("--analysis", tmp_path / "analysis.nc", "--init", str(TIME), "--set", "lead_time=24h")
    as_it_is = ("--set", "guards={bounds: false, nonnegative: false}")  # golden weights are random
    done("forecast", tmp_path / "pangu", *options, *as_it_is, "-o", tmp_path / "forecast.zarr")
    forecast = to_array(open_forecast(tmp_path / "forecast.zarr"), spec)[0, 0, 0]
    for index, channel in enumerate(spec.channels):
        error = np.abs(forecast[index] - truth[0, index]).max() / np.abs(truth[0, index]).max()
        assert error < 3e-4, channel


def test_sizes_follow_from_shapes(imported):
    model = imported.checkpoint.model
    assert model == SIZES.config
    assert imported.checkpoint.spec.shape == (69, 20, 36)
    assert imported.checkpoint.spec.grid.latitude[::19] == (90, -90)
    assert "229 tensors by name, 0 by shape and order" in imported.report["matched"]


@pytest.mark.parametrize(("name", "hours"), [*((f"pangu_weather_{n}", n) for n in (1, 3, 6, 24)), ("mine_24", 24)])
def test_the_name_of_a_published_file_says_the_step(published, tmp_path, name, hours):
    path = tmp_path / f"{name}.onnx"
    path.symlink_to(published)
    assert import_pangu(path).checkpoint.time_step == np.timedelta64(hours, "h")
    assert import_pangu(path, DAY).checkpoint.time_step == DAY


@pytest.mark.parametrize("name", ["pangu", "pangu_24"])
def test_a_file_that_is_not_there_is_said_to_be_missing_whatever_its_name(tmp_path, name):
    with pytest.raises(UserError, match=rf"cannot read .*{name}\.onnx: No such file"):
        import_pangu(tmp_path / f"{name}.onnx")


def test_statistics_come_from_the_top_down(arrays, imported):
    statistics, spec = imported.checkpoint.normalizer.statistics, imported.checkpoint.spec
    for moment, values in (("mean", statistics.mean), ("std", statistics.std)):
        upper, surface = arrays[f"upper_{moment}"], arrays[f"surface_{moment}"]
        assert values[spec.index("z50")] == upper[0, 0, 0, 0]
        assert values[spec.index("q1000")] == upper[12, 0, 0, 1]
        assert values[spec.index("v500")] == upper[7, 0, 0, 4]
        assert [values[spec.index(name)] for name in ("msl", "u10m", "v10m", "t2m")] == list(surface)


def test_biases_are_kept_as_tables_of_a_sixth_of_the_size(imported):
    assert "tables, without loss" in imported.report["bias"]
    tables = [array for name, array in imported.checkpoint.weights.items() if name.endswith("bias.table")]
    assert {array[0, 0].size for array in tables} == {3312}


def test_a_bias_that_is_no_table_leaves_all_expanded(arrays, tmp_path):
    def disturb(bias):
        bias = bias.copy()
        bias[0, 1, 0, 143, 142] += 1
        return bias

    disturbed = changed(arrays, **{"Layer2.blocks.EarthSpecificBlock3.attention.earth_specific_bias": disturb})
    path = write_onnx(tmp_path / "pangu_weather_24.onnx", as_published(disturbed))
    expanded = import_pangu(path)
    assert expanded.checkpoint.model.expanded_bias
    assert "every pair of tokens" in expanded.report["bias"]
    expanded.checkpoint.build_step()
    for layer, block in ((0, 0), (2, 3), (0, 1)):
        place = f"EarthSpecificLayer{layer}.blocks.EarthSpecificBlock{block}.attention.earth_specific_bias"
        table = expanded.checkpoint.weights[f"network.layers.{layer}.blocks.{block}.attention.bias.table"]
        np.testing.assert_array_equal(table, disturbed[f"backbone.layers.{place}"][0])


@pytest.mark.parametrize("prefix", ["onnx::", "b1.a", "/b1/Constant_", ""])
@pytest.mark.parametrize("shift", [-1, 8, 1000])
def test_renumbered_tensors_are_found_by_shape_and_order(arrays, imported, tmp_path, prefix, shift):
    rename = renumbered(shift)
    tensors = as_published(arrays, rename=lambda name: rename(name) if name.startswith(prefix) else name)
    shuffled = [tensors[place] for place in np.random.default_rng(5).permutation(len(tensors))]
    again = import_pangu(write_onnx(tmp_path / "renumbered.onnx", shuffled), DAY)
    assert_same(again, imported)
    assert " 0 by shape" not in again.report["matched"]
    means = [one.checkpoint.normalizer.statistics.mean for one in (again, imported)]
    np.testing.assert_array_equal(*means)


@pytest.mark.parametrize("surface_first", [False, True])
def test_tensors_of_any_name_are_found_by_the_operations_that_read_them(arrays, imported, tmp_path, surface_first):
    path = write_with_graph(tmp_path / "named.onnx", arrays, surface_first=surface_first)
    again = import_pangu(path, DAY)
    assert_same(again, imported)
    assert again.report["matched"] == "0 tensors by name, 229 by shape and order"


def test_other_depths_are_found(tmp_path):
    sizes = replace(SIZES, config=SIZES.config.model_copy(update={"depths": (1, 3, 3, 1)}))
    path = write_with_graph(tmp_path / "shallow.onnx", draw(sizes), sizes)
    assert import_pangu(path, DAY).checkpoint.model.depths == (1, 3, 3, 1)


def test_tensors_that_cannot_be_told_apart_are_refused(arrays, tmp_path):
    tensors = [replace(tensor, name=f"w{place}") for place, tensor in enumerate(as_published(arrays))]
    path = write_onnx(tmp_path / "anonymous.onnx", tensors)
    with pytest.raises(UserError, match=r"tensors of shape \(.*\), such as .* cannot be told apart"):
        import_pangu(path, DAY)


REFUSED = {
    "shape of a bias": ({"Block0.attention.linear1.bias": lambda a: a[1:]}, "'b1.a12.bias' has shape (11,), not (12,)"),
    "shape of a matrix": (
        {"Block0.attention.linear1.weight": lambda a: a[:, 1:]},
        "'onnx::MatMul_8946' has shape (4, 11)",
    ),
    "shape of a table": ({"Block0.attention.earth_specific_bias": lambda a: a[:, 1:]}, "'onnx::Add_8950' has shape"),
    "shape of statistics": ({"upper_mean": lambda a: a[1:]}, "'/b1/Constant_9' has shape (12, 1, 1, 5)"),
    "levels": ({"const_h": lambda a: a[:, :, :, 1:]}, "has 12 levels where Pangu-Weather has 13"),
    "embedding": ({"_input_layer.conv.weight": lambda a: a[:, 1:]}, "it has no set of four convolutions"),
    "map of heights": ({"const_h": lambda a: a[0]}, "it has no map of heights"),
    "deviation": ({"surface_std": lambda a: 0 * a}, "statistics that are not finite and positive"),
    "mean": ({"upper_mean": lambda a: a * np.nan}, "statistics that are not finite and positive"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_tensors_that_do_not_fit_are_refused(arrays, tmp_path, kind):
    changes, reason = REFUSED[kind]
    path = write_onnx(tmp_path / "pangu_weather_24.onnx", as_published(changed(arrays, **changes)))
    assert reason in refused("import", "pangu", path, "-o", tmp_path / "out")
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_a_missing_tensor_is_refused(arrays, tmp_path):
    fewer = {name: array for name, array in arrays.items() if not name.endswith("upsample.linear1.weight")}
    path = write_onnx(tmp_path / "pangu_weather_24.onnx", as_published(fewer))
    assert "has 0 tensors of shape (8, 16)" in refused("import", "pangu", path, "-o", tmp_path / "out")


def test_a_model_of_something_else_is_refused(tmp_path):
    path = write_onnx(tmp_path / "pangu_weather_24.onnx", [Tensor("weight", (3, 4), lambda: np.ones((3, 4)))])
    assert "is no Pangu-Weather" in refused("import", "pangu", path, "-o", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_cut_file_and_weights_elsewhere_are_refused(published, tmp_path):
    path = tmp_path / "pangu_weather_24.onnx"
    path.write_bytes(published.read_bytes()[:-100_000])
    assert "copy it again" in refused("import", "pangu", path, "-o", tmp_path / "out")
    path.write_bytes(text(7, text(5, tensor_header("w", (2, 3)) + number(14, 1))))
    assert "in another file" in refused("import", "pangu", path, "-o", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_name_without_a_step_needs_one(published, tmp_path):
    path = tmp_path / "pangu_weather_12.onnx"
    path.symlink_to(published)
    assert "pass --step 24h" in refused("import", "pangu", path, "-o", tmp_path / "out")
    assert "duration" in refused("import", "pangu", path, "--step", "day", "-o", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_channels_are_those_of_the_preset_in_its_order(imported):
    channels = imported.checkpoint.spec.channels
    assert channels[:2] == (Channel("geopotential", 1000), Channel("geopotential", 925))
    assert channels[-1] == Channel("2m_temperature")


@pytest.mark.parametrize("verb", ["import", "import fourcastnet", "import pangu"])
def test_the_verb_shows_an_example(verb):
    assert f"Example: weatherml {verb}" in " ".join(done(*verb.split(), "--help").split())
