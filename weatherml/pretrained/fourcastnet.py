"""Published FourCastNet weights, `backbone.ckpt` and `precip.ckpt`, as checkpoints.

The files hold weights and the state of an optimiser, but no sizes: those follow from the shapes. Means and standard
deviations come in files of their own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import isqrt, prod
from pathlib import Path

import numpy as np

from weatherml.config import apply_overrides, from_mapping
from weatherml.errors import Option, UserError
from weatherml.errors.wording import counted
from weatherml.grid import LatLonGrid
from weatherml.models import FourCastNetConfig, load_published
from weatherml.models.precipitation import PrecipitationConfig
from weatherml.pretrained.imported import Imported, fill, normalizer_of, provenance_of
from weatherml.pretrained.moments import read_moments
from weatherml.pretrained.torch_file import StoredTensor, open_torch
from weatherml.state import Channel, StateSpec, parse_channels
from weatherml.variables import PRESETS

LICENCE = "BSD-3-Clause (NVIDIA, FourCastNet)"
TIME_STEP = np.timedelta64(6 * 3600 * 10**9, "ns")
PERIOD = ("1979-01-01", "2015-12-31")
"""What the published weights were trained on."""

_PARALLEL = "module."  # before every name, where several devices trained
_NOT_A_WEIGHT = "ged"  # the rest of a name that the original's reader passes over, too
_BACKBONE = "backbone."  # before the names of a diagnostic's network
_PUBLISHED = [parse_channels(PRESETS[name]) for name in ("fourcastnet", "fourcastnet_0.1")]


def import_fourcastnet(
    path: str | Path,
    means: str | Path | None,
    stds: str | Path | None,
    channels: Sequence[str] | None = None,
    grid: tuple[int, int] | None = None,
    settings: Sequence[str] = (),
) -> Imported:
    """Import a network that steps the state, or the precipitation diagnostic: the names in the file say which it is.

    Args:
        path: `backbone.ckpt` or `precip.ckpt`.
        means: `global_means.npy`, `[1, channel, 1, 1]` in SI units.
        stds: `global_stds.npy`, likewise.
        channels: What the channels are; those of the published network with as many when None.
        grid: Rows and columns; twice as many columns as rows when None.
        settings: `key=value` for what weights do not show, such as `sparsity_threshold`, where it is not as published.

    Raises:
        UserError: A file is missing, damaged or something else, or the files do not fit each other.
    """
    path = Path(path)
    stored = _stored_weights(path)
    shapes = _Shapes(path, {name.removeprefix(_BACKBONE): tensor.shape for name, tensor in stored.items()})
    backbone = shapes.config(settings)
    spec = StateSpec(_channels(path, shapes.n_in, channels), _grid(path, shapes.n_points, grid))
    moments = read_moments(means, stds, spec.n_channels, may_hold_more=spec.channels in _PUBLISHED)
    normalizer = normalizer_of(spec, moments.mean, moments.std, TIME_STEP, PERIOD)
    is_diagnostic = any(name.startswith(_BACKBONE) for name in stored)
    if not is_diagnostic and shapes.n_out != shapes.n_in:
        raise UserError(
            f"{path} gives {shapes.n_out} channels from {shapes.n_in}; only a network that gives what it takes can step"
        )
    model = PrecipitationConfig(backbone=backbone) if is_diagnostic else backbone
    load = partial(load_published, weights={name: tensor.read() for name, tensor in stored.items()})
    origin = provenance_of(model, LICENCE, weights=path, means=means, stds=stds)
    checkpoint = fill(model, normalizer, origin, load)
    matched = f"{len(stored)} tensors by name, {len(checkpoint.weights)} of them in use"
    return Imported(checkpoint, {"matched": matched, "statistics": moments.note})


def _stored_weights(path: Path) -> dict[str, StoredTensor]:
    """Return the weights of a file by their names without prefix."""
    content = open_torch(path)
    states = [content[key] for key in ("model_state", "state_dict") if isinstance(content, Mapping) and key in content]
    if not states or not isinstance(states[0], Mapping):
        raise UserError(f"{path} has no 'model_state'; pass a FourCastNet backbone.ckpt or precip.ckpt")
    named = {
        str(n).removeprefix(_PARALLEL): v for n, v in states[0].items() if str(n)[len(_PARALLEL) :] != _NOT_A_WEIGHT
    }
    strange = [name for name, value in named.items() if not isinstance(value, StoredTensor)]
    if strange:
        raise UserError(f"{path}: {strange[0]!r} is no tensor; pass a FourCastNet backbone.ckpt or precip.ckpt")
    return named


def _channels(path: Path, n_channels: int, names: Sequence[str] | None) -> tuple[Channel, ...]:
    published = {len(channels): channels for channels in _PUBLISHED}
    if names is None and n_channels not in published:
        raise UserError(
            f"{path} has {n_channels} channels where published weights have {' or '.join(map(str, published))}",
            Option("channels", "t2m,z500,...", "to say which they are", "channels=['t2m', 'z500', ...]"),
        )
    channels = published[n_channels] if names is None else parse_channels(names)
    if len(channels) != n_channels:
        raise UserError(f"{counted(len(channels), 'channel')} named, but {path} has {n_channels}; name each in order")
    return channels


def _grid(path: Path, n_points: int, shape: tuple[int, int] | None) -> LatLonGrid:
    """Return the grid of a network: equally spaced rows from the North Pole to one short of the South Pole.

    Args:
        path: Of the file, for the message.
        n_points: How many the network has.
        shape: Rows and columns; twice as many columns as rows when None.
    """
    rows, columns = shape or (isqrt(n_points // 2), 2 * isqrt(n_points // 2))
    if rows * columns != n_points:
        what = "twice as wide as high" if shape is None else f"of {rows} x {columns}"
        grid = Option("grid", "ROWSxCOLUMNS", python="grid=(rows, columns)")
        raise UserError(f"{path} has positions for {n_points} points, which a grid {what} has not", grid)
    return LatLonGrid.from_coordinates(90 - 180 / rows * np.arange(rows), 360 / columns * np.arange(columns))


@dataclass(frozen=True)
class _Shapes:
    """Shapes of the weights of a network by name, and the sizes that follow from them.

    Attributes:
        path: Of the file, for messages.
        by_name: As published.
    """

    path: Path
    by_name: Mapping[str, tuple[int, ...]]

    def config(self, settings: Sequence[str]) -> FourCastNetConfig:
        """Return the sizes of the network; `settings` win."""
        width, _, *patch = self._of("patch_embed.proj.weight", 4)
        _, n_blocks, size, hidden = self._of("blocks.0.filter.w1", 4)
        found = {
            "patch": patch if patch[0] != patch[1] else patch[0],
            "width": width,
            "depth": sum(name.endswith(".filter.w1") for name in self.by_name),
            "n_blocks": n_blocks,
            "mlp_ratio": self._of("blocks.0.mlp.fc1.weight", 2)[0] / width,
            "hidden_size_factor": hidden // size,
        }
        return from_mapping(FourCastNetConfig, apply_overrides(found, settings), "KEY=VALUE")

    @property
    def n_in(self) -> int:
        """Number of channels that the network takes."""
        return self._of("patch_embed.proj.weight", 4)[1]

    @property
    def n_points(self) -> int:
        """Number of points of the grid."""
        _, n_tokens, _ = self._of("pos_embed", 3)
        return n_tokens * prod(self._of("patch_embed.proj.weight", 4)[2:])

    @property
    def n_out(self) -> int:
        """Number of channels that the network gives."""
        return self._of("head.weight", 2)[0] // prod(self._of("patch_embed.proj.weight", 4)[2:])

    def _of(self, name: str, n_axes: int) -> tuple[int, ...]:
        shape = self.by_name.get(name, ())
        if len(shape) != n_axes or 0 in shape:
            raise UserError(
                f"{self.path} is no FourCastNet: {name!r} is {shape or 'missing'}, not of {n_axes} axes; pass"
                " backbone.ckpt or precip.ckpt"
            )
        return shape
