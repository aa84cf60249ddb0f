"""Statistics of members that fit in memory: what those on disk are compared with."""

import numpy as np

from weatherml.forecast.statistics.dataset import results_of
from weatherml.streaming.moments import Moments, count_above
from weatherml.streaming.sketch import Sketch


class Accumulator:
    """Members of one channel, counted as they come, in any order.

    Args:
        config: What is asked for.
        channel: Which.
        shape: Of the cells.
    """

    def __init__(self, config, channel, shape):
        self._config, self._thresholds = config, config.thresholds_of(channel)
        none = np.empty((0, *shape), np.float32)
        self.moments, self.n_above = Moments.of(none), count_above(none, self._thresholds)
        self.sketch = Sketch.in_memory(config.sketch_size, shape) if config.quantiles else None

    def update(self, members):
        """Count members, float32 `[member, *cell]` in SI units; NaN is no member."""
        self.moments = self.moments + Moments.of(members)
        self.n_above = self.n_above + count_above(members, self._thresholds)
        if self.sketch is not None:
            self.sketch.append(members)

    def merge(self, other):
        """Count the members that another accumulator of the same channel has counted."""
        self.moments, self.n_above = self.moments + other.moments, self.n_above + other.n_above
        if self.sketch is not None and other.sketch is not None:
            self.sketch.merge(other.sketch)

    def results(self):
        """Return what is asked for; see `results_of`."""
        quantiles = None if self.sketch is None else self.sketch.quantiles(self._config.quantiles)
        return results_of(self._config, self.moments, self.n_above, quantiles)
