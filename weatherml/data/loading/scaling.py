"""States brought to order one where they lie: in blocks that stay in a processor's cache, by one product each."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from weatherml.data.statistics.normalization import Normalizer
from weatherml.errors import UserError

# 512 KiB: of 64 KiB two threads spend more time waiting for the interpreter, of 4 MiB the cache is missed.
_BLOCK = 2**17


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
    """Does in place what `Normalizer.normalize` does, for some rows.

    Args:
        normalizer: How.
        rows: Of its grid.
    """

    def __init__(self, normalizer: Normalizer, rows: slice) -> None:
        statistics, climatology = normalizer.statistics, normalizer.climatology
        self._normalizer, self._names = normalizer, normalizer.spec.names
        self._mean, self._std = statistics.mean.astype(np.float32), statistics.std.astype(np.float32)
        valid = statistics.valid[:, rows].reshape(len(self._mean), -1)
        self._missing = {index: ~cells for index, cells in enumerate(valid) if not cells.all()}
        # A view, not a copy: these are gigabytes.
        self._coefficients = None if climatology is None else climatology.coefficients[:, :, rows]

    def moments(self, times: np.ndarray) -> Moments:
        """Return what is to be known of times `[time]`."""
        return Moments(times, self._normalizer.terms(times))

    def apply(self, channel: int, fields: np.ndarray, moments: Moments) -> None:
        """Normalise one channel at several times, in place.

        Args:
            channel: Its position in the state.
            fields: float32 `[time, row, lon]` in SI units; the last two axes lie together.
            moments: Of these times.

        Raises:
            UserError: A value is missing where the statistics had data.
        """
        flat = fields.reshape(len(fields), -1)
        missing = self._missing.get(channel)
        coefficients = None if self._coefficients is None else self._coefficients[:, channel]
        flat_coefficients = None if coefficients is None else coefficients.reshape(len(coefficients), -1)
        for times, cells in _blocks(*flat.shape, together=coefficients is not None):
            block = flat[times, cells]
            block -= (
                self._mean[channel] if flat_coefficients is None else moments.terms[times] @ flat_coefficients[:, cells]
            )
            block /= self._std[channel]
            if missing is not None:
                np.copyto(block, 0, where=missing[cells])
            if not np.isfinite(np.add.reduce(block, axis=None)):
                raise self._incomplete(channel, moments.times[times], block)

    def _incomplete(self, channel: int, times: np.ndarray, block: np.ndarray) -> UserError:
        where = times[~np.isfinite(block).all(axis=1)][0]
        return UserError(
            f"channel {self._names[channel]} has missing values at {where} in cells that had data when"
            " the statistics were computed; leave that time out of the period or fill the gap"
        )


def _blocks(n_times: int, n_cells: int, together: bool) -> Iterator[tuple[slice, slice]]:
    """Yield blocks of times and cells, of all times where they share what is computed of a cell."""
    length = n_times if together else max(1, min(n_times, _BLOCK // n_cells))
    width = max(1, min(n_cells, max(_BLOCK // length, 512)))
    for first in range(0, n_times, length):
        for start in range(0, n_cells, width):
            yield slice(first, first + length), slice(start, start + width)
