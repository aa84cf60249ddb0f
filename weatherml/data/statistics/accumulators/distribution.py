"""The range of each channel, and its quantiles over area and time, from a sample of equal areas."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from weatherml.grid import LatLonGrid
from weatherml.streaming.sketch import Sketch

N_PLACES = 512
"""Places of equal area at which a channel is sampled at each time; they move on from time to time."""
_SKETCH_SIZE = 2048
_GOLDEN = (np.sqrt(5) - 1) / 2


class Distribution:
    """Minimum, maximum and a sketch of the values of each channel."""

    def __init__(self, n_channels: int, grid: LatLonGrid) -> None:
        self.minimum = np.full(n_channels, np.inf, np.float32)
        self.maximum = np.full(n_channels, -np.inf, np.float32)
        self.sketch = Sketch.in_memory(_SKETCH_SIZE, (n_channels,))
        self._rows, self._column = _rows_of_equal_area(grid), grid.n_lon
        self._turns = np.arange(N_PLACES) * _GOLDEN

    def add(self, times: np.ndarray, array: np.ndarray) -> None:
        """Take in float32 `[time, channel, lat, lon]`; cells that are NaN are not counted."""
        self.minimum = np.fmin(self.minimum, np.fmin.reduce(array, axis=(0, 2, 3)))
        self.maximum = np.fmax(self.maximum, np.fmax.reduce(array, axis=(0, 2, 3)))
        hours = times.astype("datetime64[h]").astype(np.int64)
        turns = (self._turns + (hours[:, None] % 2**20) * _GOLDEN**2) % 1
        columns = (turns * self._column).astype(np.int64)
        sample = array[np.arange(len(times))[:, None], :, self._rows, columns]  # [time, place, channel]
        self.sketch.append(sample.reshape(-1, array.shape[1]))

    def merge(self, other: "Distribution") -> None:
        """Take in what another has seen."""
        self.minimum, self.maximum = np.fmin(self.minimum, other.minimum), np.fmax(self.maximum, other.maximum)
        self.sketch.merge(other.sketch)

    def quantiles(self, probabilities: Sequence[float]) -> np.ndarray:
        """Return quantiles of the sample, float32 `[quantile, channel]`, SI units."""
        return self.sketch.quantiles(probabilities)

    @property
    def rank_error(self) -> float:
        """By which share of the sample the rank of a quantile can be off at most."""
        return self.sketch.rank_error / max(1, self.sketch.n_members)

    def state(self) -> tuple[np.ndarray, list[Any]]:
        """Return values float32 `[value, channel]` and plain numbers, of which `restore` makes the same."""
        values, record = self.sketch.state()
        return np.concatenate([self.minimum[None], self.maximum[None], values]), record

    def restore(self, values: np.ndarray, record: list[Any]) -> None:
        """Become what `state` was taken of."""
        self.minimum, self.maximum = values[0], values[1]
        self.sketch = Sketch.of_state(values[2:], record)


def _rows_of_equal_area(grid: LatLonGrid) -> np.ndarray:
    """Return the row of each place, `[place]`: as many in each row as its share of the area."""
    areas = np.cumsum(grid.cell_areas())
    places = (np.arange(N_PLACES) + 0.5) / N_PLACES * areas[-1]
    rows: np.ndarray = np.minimum(np.searchsorted(areas, places), grid.n_lat - 1)
    return rows
