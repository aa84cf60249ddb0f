"""Objects that go on from time to time, of fields that come one after the other."""

import numpy as np
import xarray as xr

from weatherml.extremes.objects.labels import Labeller
from weatherml.extremes.objects.properties import Gathering
from weatherml.grid import LatLonGrid


class Following:
    """Follows objects of a field time after time, as `label` with `connect_time` and `properties` of all times would.

    The rule: pieces that touch, at one time or from one to the next, are one object. So one that splits stays one, with
    all that comes of its parts, and those that merge are one from their beginnings on.

    It holds the objects of the last time, which places each has covered, and a row for each at each time.
    """

    def __init__(self, grid: LatLonGrid, neighbours: int = 8) -> None:
        self._grid, self._labeller, self._gathering = grid, Labeller(grid, neighbours), Gathering(grid)

    def add(self, mask: np.ndarray, values: np.ndarray, time: np.datetime64, follows: bool = True) -> np.ndarray:
        """Take in the next time.

        Args:
            mask: Where the event is, bool `[lat, lon]`.
            values: What the objects are of `[lat, lon]`, finite where the event is.
            time: When.
            follows: Whether objects of the last time may go on: not across times that are missing.

        Returns:
            Provisional labels int32 `[lat, lon]`.
        """
        if not follows:
            self._labeller.add(np.zeros(self._grid.shape, bool))
        labels = self._labeller.add(mask)
        self._gathering.add(labels, values, time)
        return labels

    def final(self) -> np.ndarray:
        """Return the label in the tables of each provisional label, int32 `[provisional]`."""
        return self._labeller.final()

    def table(self) -> xr.Dataset:
        """Return one row an object, as `properties`."""
        return self._gathering.properties(self.final())

    def evolution(self) -> xr.Dataset:
        """Return one row for each time of each object, as the function of that name."""
        return self._gathering.evolution(self.final())
