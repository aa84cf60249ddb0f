"""Golden numbers of the original Pangu-Weather code, and networks with its weights."""

import json

import numpy as np
from flax import nnx

from weatherml.grid import LatLonGrid
from weatherml.models import PanguConfig, load_published_pangu
from weatherml.state import StateSpec, parse_channels
from weatherml.variables import PRESETS

WINDOW = (2, 6, 12)
N_UPPER = 65


def sizes_of(arrays):
    return json.loads(str(arrays["config_json"]))


def relative_error(ours, reference):
    return np.abs(np.asarray(ours) - reference).max() / np.abs(reference).max()


def parameters(arrays, prefix="param/"):
    """Arrays by published name, of which only what follows `prefix` is kept."""
    return {name.removeprefix(prefix): arrays[name] for name in arrays.files if name.startswith(prefix)}


def loaded(build, weights):
    """Build without drawing the random weights that `weights` replace: less to compile."""
    module = nnx.eval_shape(build)
    load_published_pangu(module, weights)
    return module


def network_of(arrays):
    sizes = sizes_of(arrays)
    names = {"patch": "patch_size", "depths": "depths", "heads": "heads", "window": "window"}
    config = PanguConfig(width=sizes["dim"], **{ours: tuple(sizes[theirs]) for ours, theirs in names.items()})
    spec = StateSpec(parse_channels(PRESETS["pangu"]), LatLonGrid.regular(sizes["lat"], sizes["lon"]))
    weights = parameters(arrays) | {name: arrays[name] for name in ("constant_maps", "const_h")}
    return loaded(lambda: config.build(spec, 0, nnx.Rngs(0)), weights)


def input_of(arrays):
    """The normalised state `[batch, channel, lat, lon]`."""
    mean, std = (arrays[f"upper_{kind}_onnx_layout"][::-1].transpose(3, 0, 1, 2) for kind in ("mean", "std"))
    surface_mean, surface_std = (arrays[f"surface_{kind}"][:, None, None] for kind in ("mean", "std"))
    return joined((arrays["input_upper"] - mean) / std, (arrays["input_surface"] - surface_mean) / surface_std)


def joined(upper, surface):
    return np.concatenate([upper.reshape(len(upper), N_UPPER, *upper.shape[3:]), surface], axis=1)
