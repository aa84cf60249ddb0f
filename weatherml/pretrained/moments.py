"""Means and standard deviations that are published in `.npy` files beside the weights."""

from pathlib import Path

import numpy as np

from weatherml.errors import UserError


def read_means(path: Path | None, n_channels: int, may_hold_more: bool) -> np.ndarray:
    """Read `global_means.npy`, SI units, float32 `[channel]`; see `_read`."""
    means = _read("--means", path, n_channels, may_hold_more)
    _require(np.isfinite(means), means, f"{path} holds a mean of")
    return means


def read_stds(path: Path | None, n_channels: int, may_hold_more: bool) -> np.ndarray:
    """Read `global_stds.npy`, SI units, float32 `[channel]`; see `_read`."""
    stds = _read("--stds", path, n_channels, may_hold_more)
    _require(np.isfinite(stds) & (stds > 0), stds, f"{path} holds a standard deviation of")
    return stds


def _read(option: str, path: Path | None, n_channels: int, may_hold_more: bool) -> np.ndarray:
    """Read the first channels of a file `[1, channel, 1, 1]`.

    Args:
        option: What the file is called on the command line.
        path: The file, or None where none was given.
        n_channels: How many channels the network has.
        may_hold_more: Whether channels beyond those are known to be others. The published files have 21 for 20: the
            last is the sea-surface temperature, which the network does not use.

    Raises:
        UserError: There is no such file, it holds something else, or another number of channels.
    """
    if path is None:
        raise UserError(f"{option} is missing; pass the .npy file that was published beside the weights")
    values = _load(path)
    if values.ndim != 4 or values.shape != (1, values.shape[1], 1, 1) or not np.issubdtype(values.dtype, np.floating):
        raise UserError(
            f"{path} holds {values.dtype} {values.shape}, not numbers (1, channel, 1, 1); pass {option[2:]}"
        )
    n_held = values.shape[1]
    if n_held < n_channels or (n_held > n_channels and not may_hold_more):
        raise UserError(
            f"{path} has {n_held} channels where the weights have {n_channels}; pass the file of these weights"
        )
    return values[0, :n_channels, 0, 0].astype(np.float32)


def _load(path: Path) -> np.ndarray:
    try:
        values = np.load(path, allow_pickle=False)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}; pass an .npy file") from None
    except (ValueError, EOFError):
        values = None
    if not isinstance(values, np.ndarray):  # an archive of arrays is none
        raise UserError(f"{path} holds no plain array; pass the .npy file that was published beside the weights")
    return values


def _require(good: np.ndarray, values: np.ndarray, what: str) -> None:
    if not good.all():
        channel = int(np.argmin(good))
        raise UserError(f"{what} {values[channel]} in channel {channel}; pass the file of these weights")
