"""Between physical units and the normalised values that models see."""

from dataclasses import dataclass

import numpy as np

from weatherml.data.statistics.channel_statistics import Statistics
from weatherml.data.statistics.climatology import Climatology
from weatherml.errors import UserError
from weatherml.errors.wording import listed
from weatherml.state import StateSpec
from weatherml.times import parse_times


@dataclass(frozen=True, eq=False)
class Normalizer:
    """Subtracts the reference and divides by the standard deviation; the reference is the climatology, else the mean.

    Attributes:
        statistics: Of anomalies where `climatology` is given.
        climatology: The expected state at each time, or None.

    Raises:
        UserError: The two describe different states.
    """

    statistics: Statistics
    climatology: Climatology | None = None

    def __post_init__(self) -> None:
        if self.climatology is not None and not self.climatology.spec.is_same(self.statistics.spec):
            raise UserError(
                f"climatology has channels {listed(self.climatology.spec.names)}, statistics have"
                f" {listed(self.statistics.spec.names)}; compute both from the same channels and grid"
            )

    @property
    def spec(self) -> StateSpec:
        """What the channels are."""
        return self.statistics.spec

    def terms(self, times: np.ndarray) -> np.ndarray:
        """Return what the coefficients of the reference are multiplied with at times, float32 `[*times, term]`."""
        if self.climatology is None:
            return np.ones((*np.shape(times), 1), np.float32)
        return self.climatology.terms_at(times)

    def normalize(self, array: np.ndarray, times: np.ndarray) -> np.ndarray:
        """Return float32 `[..., channel, lat, lon]` of order one, 0 where a cell is not valid.

        Args:
            array: `[..., channel, lat, lon]` in SI units.
            times: Valid times, `datetime64`, broadcast to the leading axes of `array`.
        """
        self.spec.check(array)
        normalized = np.asarray(array, np.float32) - self._reference(times)
        normalized *= self.factors[:, None, None]
        return np.where(self.statistics.valid, normalized, np.float32(0))

    def denormalize(self, array: np.ndarray, times: np.ndarray) -> np.ndarray:
        """Return float32 `[..., channel, lat, lon]` in SI units, NaN where a cell is not valid.

        Args:
            array: `[..., channel, lat, lon]`, normalised.
            times: Valid times, `datetime64`, broadcast to the leading axes of `array`.
        """
        self.spec.check(array)
        physical = np.asarray(array, np.float32) * self._scale
        physical += self._reference(times)
        return np.where(self.statistics.valid, physical, np.float32(np.nan))

    @property
    def factors(self) -> np.ndarray:
        """What is left of a state, the reference subtracted, is multiplied with, float32 `[channel]`.

        A product takes a quarter of the time of a quotient, and differs from it by the last bit.
        """
        return np.float32(1) / self.statistics.std.astype(np.float32)

    @property
    def _scale(self) -> np.ndarray:
        return self.statistics.std[:, None, None]

    def _reference(self, times: np.ndarray) -> np.ndarray:
        """Return float32 `[*times, channel, lat, lon]`, or `[channel, 1, 1]` without a climatology."""
        if self.climatology is None:
            return self.statistics.mean[:, None, None]
        # The members of an ensemble share their times: each is evaluated once.
        unique, index = np.unique(parse_times(times), return_inverse=True)
        return self.climatology.array_at(unique)[index.reshape(np.shape(times))]
