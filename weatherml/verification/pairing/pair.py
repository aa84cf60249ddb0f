"""One channel of a forecast beside its truth: what statistics are taken of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from weatherml.grid import LatLonGrid
from weatherml.verification import formulas


@dataclass(frozen=True, eq=False)
class Pair:
    """Forecast and truth at some points, in SI units; what follows from them is computed once, when it is asked for.

    Points may have any arrangement, such as `[lead, lat, lon]` or a part of that: what is taken point by point is asked
    for parts that stay in a processor's cache.

    Attributes:
        members: float32 `[member, *point]`; one member where the forecast is deterministic.
        truth: float32 `[*point]`.
        references: Fields `[*point]` that some statistics compare with, by name, such as `climatology`.
        grid: Where the points of whole fields `[lead, lat, lon]` lie; None of parts of fields.
    """

    members: np.ndarray
    truth: np.ndarray
    references: Mapping[str, np.ndarray] = field(default_factory=dict)
    grid: LatLonGrid | None = None

    @property
    def n_members(self) -> int:
        """How many members there are."""
        return len(self.members)

    @cached_property
    def errors(self) -> np.ndarray:
        """Members less truth `[member, *point]`: small numbers, which keep their digits where fields are large."""
        errors: np.ndarray = self.members - self.truth
        return errors

    @cached_property
    def error(self) -> np.ndarray:
        """Ensemble mean less truth, float64 `[*point]`."""
        error: np.ndarray = self.errors.mean(axis=0, dtype=np.float64)
        return error

    @cached_property
    def forecast(self) -> np.ndarray:
        """The ensemble mean, float32 `[*point]`: to the last bit what was forecast where there is one member."""
        one: np.ndarray = self.members[0] if self.n_members == 1 else (self.error + self.truth).astype(np.float32)
        return one

    @cached_property
    def variance(self) -> np.ndarray:
        """Unbiased variance of the members `[*point]`; it needs two."""
        return np.asarray(formulas.ensemble_variance(self.errors))

    @cached_property
    def mean_absolute_error(self) -> np.ndarray:
        """Of the members `[*point]`."""
        mean: np.ndarray = np.abs(self.errors).mean(axis=0)
        return mean

    @cached_property
    def mean_absolute_difference(self) -> np.ndarray:
        """Between members `[*point]`; 0 where there is one."""
        return np.asarray(formulas.mean_absolute_difference(self.errors))

    def forecast_anomaly(self, reference: str = "climatology") -> np.ndarray:
        """Return the ensemble mean less a reference, float64 `[*point]`."""
        anomaly: np.ndarray = self.error + self.truth_anomaly(reference)
        return anomaly

    def truth_anomaly(self, reference: str = "climatology") -> np.ndarray:
        """Return the truth less a reference, float64 `[*point]`."""
        anomaly: np.ndarray = self.truth.astype(np.float64) - self.references[reference]
        return anomaly

    def part(self, leads: slice, points: slice) -> "Pair":
        """Return some leads and points of a pair whose fields are `[lead, point]`."""
        references = {name: own[leads, points] for name, own in self.references.items()}
        return Pair(self.members[:, leads, points], self.truth[leads, points], references)

    def flat(self) -> "Pair":
        """Return a pair with fields `[lead, lat, lon]` as one with `[lead, point]`."""
        references = {name: _flat(own) for name, own in self.references.items()}
        return Pair(_flat(self.members), _flat(self.truth), references)


def _flat(field: np.ndarray) -> np.ndarray:
    return field.reshape(*field.shape[:-2], -1)
