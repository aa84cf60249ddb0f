"""Means and standard deviations that are published in `.npy` files beside the weights."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from weatherml.errors import Option, UserError


@dataclass(frozen=True, eq=False)
class Moments:
    """What normalises the channels of a network.

    Attributes:
        mean: float32 `[channel]`, SI units.
        std: float32 `[channel]`, positive.
        note: Which channels of which files they are.
    """

    mean: np.ndarray
    std: np.ndarray
    note: str


def read_moments(means: str | Path | None, stds: str | Path | None, n_channels: int, may_hold_more: bool) -> Moments:
    """Read the first channels of `global_means.npy` and `global_stds.npy`.

    Args:
        means: Holds `[1, channel, 1, 1]`; None where it was not given.
        stds: Likewise.
        n_channels: How many channels the network has.
        may_hold_more: Whether channels beyond those are known to be others. The published files have 21 for 20: the
            last is the sea-surface temperature, which the network does not use.

    Raises:
        UserError: A file is missing, holds something else, or another number of channels.
    """
    mean = _read("means", means, n_channels, may_hold_more)
    std = _read("stds", stds, n_channels, may_hold_more)
    which = f"the first {n_channels}" if len(mean) > n_channels else f"all {n_channels}"
    mean, std = mean[:n_channels], std[:n_channels]
    _require(np.isfinite(mean), mean, f"{means} holds a mean of")
    _require(np.isfinite(std) & (std > 0), std, f"{stds} holds a standard deviation of")
    return Moments(mean, std, f"{which} channels of {means} and {stds}")


def _read(name: str, path: str | Path | None, n_channels: int, may_hold_more: bool) -> np.ndarray:
    """Return all that a file holds, float32 `[channel]`."""
    if path is None:
        file = Option(name, f"global_{name}.npy", "from beside the weights")
        raise UserError(f"{name} are missing", file)
    values = _load(path)
    if values.ndim != 4 or values.shape != (1, values.shape[1], 1, 1) or not np.issubdtype(values.dtype, np.floating):
        raise UserError(
            f"{path} holds {values.dtype} {values.shape}, not numbers (1, channel, 1, 1); pass the weights' own"
        )
    n_held = values.shape[1]
    if n_held < n_channels or (n_held > n_channels and not may_hold_more):
        raise UserError(
            f"{path} has {n_held} channels where the weights have {n_channels}; pass the file of these weights"
        )
    return values[0, :, 0, 0].astype(np.float32)


def _load(path: str | Path) -> np.ndarray:
    try:
        values = np.load(path, allow_pickle=False)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}; pass an .npy file") from None
    except Exception:  # a damaged header may raise anything
        values = None
    if not isinstance(values, np.ndarray):  # an archive of arrays is none
        raise UserError(f"{path} holds no plain array; pass the .npy file that was published beside the weights")
    return values


def _require(good: np.ndarray, values: np.ndarray, what: str) -> None:
    if not good.all():
        channel = int(np.argmin(good))
        raise UserError(f"{what} {values[channel]} in channel {channel}; pass the file of these weights")
