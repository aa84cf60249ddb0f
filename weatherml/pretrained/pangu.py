"""Published Pangu-Weather weights, `pangu_weather_24.onnx` and its kin, as checkpoints.

The files hold weights, learned maps and statistics; sizes follow from shapes. The bias of the attention comes expanded
to every pair of tokens of a window and is four fifths of the file; the tables behind it are a sixth of that.
"""

import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from weatherml.durations import DurationLike, parse_duration
from weatherml.errors import Option, UserError
from weatherml.grid import LatLonGrid
from weatherml.models.layers.windows import Extent
from weatherml.models.weights.published_pangu import compact_bias, load_published_pangu
from weatherml.pretrained.imported import Imported, fill, normalizer_of, provenance_of
from weatherml.pretrained.matching import match
from weatherml.pretrained.onnx_file import OnnxTensor, open_onnx
from weatherml.pretrained.pangu_names import wanted_tensors
from weatherml.pretrained.pangu_sizes import PanguSizes, conv_shapes, sizes_of
from weatherml.state import StateSpec, parse_channels
from weatherml.variables import LEVEL_SETS, PRESETS

LICENCE = "CC BY-NC-SA 4.0, no commercial use (Huawei Cloud, Pangu-Weather)"
PERIOD = ("1979-01-01", "2017-12-31")
"""What the published weights were trained on."""

_BIAS = ".earth_specific_bias"
_COMPACT = "compacted to tables, without loss"
_EXPANDED = "kept for every pair of tokens: it is no function of the difference in longitude alone"
_HOUR = np.timedelta64(3600 * 10**9, "ns")
_PUBLISHED = re.compile(r".*_(1|3|6|24)\.onnx")
_STATISTICS = ("upper_mean", "upper_std", "surface_mean", "surface_std")


def import_pangu(path: str | Path, time_step: DurationLike | None = None) -> Imported:
    """Import a network.

    Args:
        path: An ONNX file.
        time_step: What one step of the network is; None to read it from the end of the name, as `_24.onnx`.

    Raises:
        UserError: The file is missing, damaged or something else, or its time step is not known.
    """
    path = Path(path)
    found = open_onnx(path)
    step = _step_in_name(path) if time_step is None else parse_duration(time_step)
    sizes = sizes_of(path, found)
    spec = _spec(path, sizes)
    matching = match(path, wanted_tensors(sizes, _surface_first(sizes, found)), found)
    mean, std = _moments(path, {name: matching.tensors[name].read() for name in _STATISTICS})
    stored = {name: tensor for name, tensor in matching.tensors.items() if name not in _STATISTICS}
    weights = read_weights(stored, sizes.config.window)
    is_expanded = any(name.endswith(_BIAS) for name in weights)
    model = sizes.config.model_copy(update={"expanded_bias": is_expanded})
    normalizer = normalizer_of(spec, mean, std, step, PERIOD)
    load = partial(load_published_pangu, weights=weights)
    checkpoint = fill(model, normalizer, provenance_of(model, LICENCE, weights=path), load)
    bias = _EXPANDED if is_expanded else _COMPACT
    return Imported(checkpoint, {"matched": matching.summary, "statistics": "in the file", "bias": bias})


def read_weights(tensors: Mapping[str, OnnxTensor], window: Extent) -> dict[str, np.ndarray]:
    """Read weights into the layouts of the public ports' state dicts, with the bias of the attention as tables.

    Where one bias depends on more than a table can hold, all stay expanded.

    Args:
        tensors: By name in those state dicts.
        window: Tokens of a window along level, latitude and longitude.
    """
    biases = [name for name in tensors if name.endswith(_BIAS)]
    weights = {name: tensor.read() for name, tensor in tensors.items() if name not in biases}
    weights = {name: array.T if array.ndim == 2 else array for name, array in weights.items()}
    tables: dict[str, np.ndarray] = {}
    for name in biases:
        table = _published_table(tensors[name].read()[0], window)
        if table is None:
            return weights | {name: tensors[name].read() for name in biases}
        tables[f"{name}_table"] = table
    return weights | tables


def _published_table(expanded: np.ndarray, window: Extent) -> np.ndarray | None:
    """Return the table `[entry, type, head]` of a bias `[type, head, query, key]`; None where it holds more.

    Entries count levels of the key and of the query, then their latitudes, then how far the query is to the east.
    """
    table = compact_bias(expanded, window)
    if table is None:
        return None
    by_entry = table.transpose(4, 2, 5, 3, 6, 0, 1)[:, :, :, :, ::-1]
    return by_entry.reshape(-1, *table.shape[:2])


def _moments(path: Path, statistics: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of the channels of the preset, float32 `[channel]`.

    Args:
        path: Of the file, for the message.
        statistics: Of the upper air `[level, 1, 1, variable]`, from the top down, and of the surface `[variable]`.
    """
    mean, std = (
        np.concatenate([statistics[f"upper_{moment}"][::-1, 0, 0].T.ravel(), statistics[f"surface_{moment}"]])
        for moment in ("mean", "std")
    )
    if not (np.isfinite(mean) & np.isfinite(std) & (std > 0)).all():
        raise UserError(f"{path} holds statistics that are not finite and positive; get the file from its publisher")
    return mean, std


def _spec(path: Path, sizes: PanguSizes) -> StateSpec:
    n_published = len(LEVEL_SETS["pangu"])
    if sizes.n_levels != n_published:
        raise UserError(
            f"{path} has {sizes.n_levels} levels where Pangu-Weather has {n_published}; pass a published file"
        )
    return StateSpec(parse_channels(PRESETS["pangu"]), LatLonGrid.regular(*sizes.grid))


def _surface_first(sizes: PanguSizes, found: Sequence[OnnxTensor]) -> bool:
    """Return whether a step embeds the surface before the upper air."""
    uses = {tensor.shape: tensor.first_use for tensor in found}
    upper, surface, *_ = (uses[*shape, 1] for shape in conv_shapes(sizes.config.width, sizes.config.patch))
    return upper is not None and surface is not None and surface < upper


def _step_in_name(path: Path) -> np.timedelta64:
    match = _PUBLISHED.fullmatch(path.name)
    if not match:
        step = Option("time_step", "24h")
        raise UserError(f"{path.name} does not say how long a step is, as pangu_weather_24.onnx does", step)
    return int(match[1]) * _HOUR
