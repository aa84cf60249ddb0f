"""Harmonics of the year times harmonics of the day: what a smooth climatology is made of."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from weatherml.data.period import usual_step

_DAY = np.timedelta64(1, "D") / np.timedelta64(1, "ns")
_DAYS_A_YEAR = 365.2425

# Half a year determines one annual harmonic well (condition number 22) and a second poorly (511); 60 days leave even
# the first to chance (2400). Beyond this number the harmonics, not the mean, are drawn towards zero.
_ILL_POSED = 1e3
_RIDGE = 1e-3
_BLOCK = 2**10
_UNSEEN = 1e-9  # of a term of order one: zero but for rounding


@dataclass(frozen=True)
class Harmonics:
    """Products of harmonics of the tropical year and of the UTC day; term 0 is the constant.

    Attributes:
        n_annual: Harmonics of the year; 0 for a planet without seasons.
        n_diurnal: Harmonics of the day.
    """

    n_annual: int
    n_diurnal: int

    @property
    def n_terms(self) -> int:
        """How many products there are."""
        return (1 + 2 * self.n_annual) * (1 + 2 * self.n_diurnal)

    def resolved_by(self, times: np.ndarray) -> "Harmonics":
        """Return these without the harmonics of the day that lie beyond the Nyquist frequency of `times` [time].

        The one at that frequency stays: six-hourly times hold the half-day tide of the atmosphere, as its cosine.
        """
        if len(times) < 2:
            return Harmonics(self.n_annual, 0)
        half_day = np.timedelta64(12, "h") / usual_step(times)
        return Harmonics(self.n_annual, min(self.n_diurnal, int(half_day)))

    def at(self, times: np.ndarray) -> np.ndarray:
        """Return the terms at `datetime64[ns]` times of any shape, float64 `[*times, term]`."""
        day = (times - times.astype("datetime64[D]")) / np.timedelta64(1, "D")
        annual, diurnal = _waves(year_angle(times), self.n_annual), _waves(2 * np.pi * day, self.n_diurnal)
        return np.reshape(annual[..., :, None] * diurnal[..., None, :], (*times.shape, -1))

    def in_blocks(self, times: np.ndarray) -> Iterator[np.ndarray]:
        """Yield the terms of a few of many times `[time]` after the other, float64 `[time, term]`."""
        for start in range(0, len(times), _BLOCK):
            yield self.at(times[start : start + _BLOCK])

    def shift(self, step: np.timedelta64) -> np.ndarray:
        """Return the orthogonal `[term, term]` with which `at(times + step)` is `at(times) @ shift`."""
        days = step / np.timedelta64(1, "D")
        annual, diurnal = 2 * np.pi * days / _DAYS_A_YEAR, 2 * np.pi * days
        return np.kron(_turn(annual, self.n_annual), _turn(diurnal, self.n_diurnal))

    def inverse(self, times: np.ndarray) -> np.ndarray:
        """Return what makes coefficients of least squares of the sums of terms times values, `[term, term]`.

        Where the times cover so little of the year that the annual harmonics are ill-posed, a ridge draws them towards
        zero. What is zero at all times, such as the sine of the half-day tide at 00, 06, 12 and 18 UTC, gets none.

        Args:
            times: Of the values, `datetime64[ns]` [time].
        """
        whole = sum((basis.T @ basis for basis in self.in_blocks(times)), np.zeros((self.n_terms, self.n_terms)))
        seen = np.sqrt(np.diag(whole)) > _UNSEEN
        gram = whole[np.ix_(seen, seen)]
        if np.linalg.cond(gram) > _ILL_POSED:
            gram[1:, 1:] += _RIDGE * len(times) * np.eye(len(gram) - 1)
        inverse = np.zeros((self.n_terms, self.n_terms))
        inverse[np.ix_(seen, seen)] = np.linalg.inv(gram)
        return inverse


def year_angle(times: np.ndarray) -> np.ndarray:
    """Return the phase of the mean Gregorian year, radians, float64, zero at 2000-01-01."""
    days = (times - np.datetime64("2000-01-01", "ns")).astype(np.float64) / _DAY
    return 2 * np.pi * days / _DAYS_A_YEAR


def _waves(angle: np.ndarray, n: int) -> np.ndarray:
    terms = [function(k * angle) for k in range(1, n + 1) for function in (np.cos, np.sin)]
    return np.stack([np.ones_like(angle), *terms], axis=-1)


def _turn(angle: float, n: int) -> np.ndarray:
    """Return what turns the waves of an angle into those of a larger one, `[wave, wave]`."""
    turn = np.eye(1 + 2 * n)
    for k in range(1, n + 1):
        cos, sin = np.cos(k * angle), np.sin(k * angle)
        turn[2 * k - 1 : 2 * k + 1, 2 * k - 1 : 2 * k + 1] = [[cos, sin], [-sin, cos]]
    return turn
