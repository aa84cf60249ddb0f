"""States brought to order one: in tiles that stay in a processor's cache, by products instead of quotients."""

import math
from dataclasses import dataclass
from functools import partial

import numpy as np

from weatherml.data.statistics.normalization import Normalizer
from weatherml.data.store.maps import Finish
from weatherml.errors import UserError

# 512 KiB: of 64 KiB two threads spend more time waiting for the interpreter, of 4 MiB the cache is missed.
_BLOCK = 2**17

_ROW = 2**13
"""Products that are summed at once; of more than 10,000 OpenBLAS would start threads of its own."""


@dataclass(frozen=True, eq=False)
class Moments:
    """The times of some states, and what the coefficients of their reference are multiplied with.

    Attributes:
        times: `[time]`.
        terms: float32 `[time, term]`.
    """

    times: np.ndarray
    terms: np.ndarray


class Scaling:
    """Does what `Normalizer.normalize` does, to the last bit where the reference is the mean, for some rows.

    Args:
        normalizer: How.
        rows: Of its grid.
    """

    def __init__(self, normalizer: Normalizer, rows: slice) -> None:
        statistics, climatology = normalizer.statistics, normalizer.climatology
        self._normalizer, self._names = normalizer, normalizer.spec.names
        self._mean, self._factors = statistics.mean.astype(np.float32)[:, None], normalizer.factors[:, None]
        self._numbers = [(mean[0, ...], factor[0, ...]) for mean, factor in zip(self._mean, self._factors, strict=True)]
        valid = statistics.valid[:, rows].reshape(len(self._mean), -1)
        self._missing = {index: ~cells for index, cells in enumerate(valid) if not cells.all()}
        # A view, not a copy: these are gigabytes.
        self._coefficients = None if climatology is None else climatology.coefficients[:, :, rows]

    def moments(self, times: np.ndarray) -> Moments:
        """Return what is to be known of times `[time]`."""
        return Moments(times, self._normalizer.terms(times))

    def finish(self, moments: Moments) -> Finish | None:
        """Return what normalises fields of some times as they are read; None where their reference is a climatology.

        Of that, one product for all times of a batch costs least: `apply`, once they are read.
        """
        return partial(self._normalize, moments) if self._coefficients is None else None

    def _normalize(self, moments: Moments, time: int, channel: int, start: int, values: np.ndarray) -> None:
        """Normalise a tile by the mean, as `Finish` says; raise what `apply` raises."""
        mean, factor = self._mean_and_factor(channel, len(values))
        np.subtract(values, mean, values)
        if self._missing:
            for index, own in enumerate(values, channel):
                self._fill(index, slice(start, start + len(own)), own)
        np.multiply(values, factor, values)
        if not (_are_finite(values) or np.isfinite(values).all()):
            index = int(np.flatnonzero(~np.isfinite(values).all(axis=1))[0])
            raise self._incomplete(channel + index, moments.times[time])

    def _mean_and_factor(self, channel: int, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Return those of one channel as numbers, of which numpy does a product fastest, of several as columns."""
        if n == 1:
            return self._numbers[channel]
        return self._mean[channel : channel + n], self._factors[channel : channel + n]

    def apply(self, channel: int, fields: np.ndarray, moments: Moments) -> None:
        """Normalise one channel at several times by the climatology, in place.

        Args:
            channel: Its position in the state.
            fields: float32 `[time, row, lon]` in SI units; the last two axes lie together.
            moments: Of these times.

        Raises:
            UserError: A value is missing where the statistics had data.
        """
        assert self._coefficients is not None
        flat, coefficients = fields.reshape(len(fields), -1), self._coefficients[:, channel]
        coefficients = coefficients.reshape(len(coefficients), -1)
        width = max(_BLOCK // len(flat), 512)
        scratch = np.empty(len(flat) * width, np.float32)
        for start in range(0, flat.shape[1], width):
            cells = slice(start, start + width)
            block = flat[:, cells]
            values = np.matmul(moments.terms, coefficients[:, cells], out=scratch[: block.size].reshape(block.shape))
            np.subtract(block, values, out=values)
            self._fill(channel, cells, values)
            np.multiply(values, self._factors[channel], out=block)
            if not (_are_finite(values) or np.isfinite(block).all()):
                raise self._incomplete(channel, moments.times[~np.isfinite(block).all(axis=1)][0])

    def _fill(self, channel: int, cells: slice, values: np.ndarray) -> None:
        """Set to 0 what had no data when the statistics were computed."""
        missing = self._missing.get(channel)
        if missing is not None:
            np.copyto(values, 0, where=missing[cells])

    def _incomplete(self, channel: int, time: np.datetime64) -> UserError:
        return UserError(
            f"channel {self._names[channel]} has missing values at {time} in cells that had data when"
            " the statistics were computed; leave that time out of the period or fill the gap"
        )


def _are_finite(values: np.ndarray) -> bool:
    """Return whether all values are finite for sure: each is in one product, and their sum may overflow at worst.

    Two at a time, for a processor then loads each value once; numpy may warn of what it meets.
    """
    flat = values.reshape(-1)
    half = flat.size // 2
    first, second, whole = flat[:half], flat[half : 2 * half], half - half % _ROW
    products = np.vecdot(first[:whole].reshape(-1, _ROW), second[:whole].reshape(-1, _ROW)).tolist()
    return math.isfinite(sum(products) + first[whole:].dot(second[whole:]) + flat[-1])
