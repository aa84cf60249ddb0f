"""Harmonics of the year times harmonics of the day: what a smooth climatology is made of."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from weatherml.data.period import usual_step

_DAY = np.timedelta64(1, "D") / np.timedelta64(1, "ns")
_DAYS_A_YEAR = 365.2425

_LARGEST_LEVERAGE = 60.0
"""Variance of a climatology, at the day of the year where it is largest, over that of a plain mean of as many times.

With one harmonic it is 30 after half a year, 64 after 150 days and 1600 after 67: beyond, what the harmonics say of
other seasons is chance, hundreds of hPa for pressure. Two harmonics need 255 days.
"""
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
        """Return those of these that `times` [time] tell.

        Harmonics of the day beyond the Nyquist frequency are left out; the one at that frequency stays: six-hourly
        times hold the half-day tide of the atmosphere, as its cosine. So are harmonics of the year of which the times
        cover too little.
        """
        n_annual = next(n for n in range(self.n_annual, -1, -1) if _leverage(n, times) <= _LARGEST_LEVERAGE)
        if len(times) < 2:
            return Harmonics(n_annual, 0)
        half_day = np.timedelta64(12, "h") / usual_step(times)
        return Harmonics(n_annual, min(self.n_diurnal, int(half_day)))

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

    def gram(self, times: np.ndarray) -> np.ndarray:
        """Return the sum of products of the terms over `times` [time], `[term, term]`."""
        return sum((basis.T @ basis for basis in self.in_blocks(times)), np.zeros((self.n_terms, self.n_terms)))

    def inverse(self, times: np.ndarray) -> np.ndarray:
        """Return what makes coefficients of least squares of the sums of terms times values, `[term, term]`.

        What is zero at all times, such as the sine of the half-day tide at 00, 06, 12 and 18 UTC, gets none.

        Args:
            times: Of the values, `datetime64[ns]` [time].
        """
        whole = self.gram(times)
        seen = np.sqrt(np.diag(whole)) > _UNSEEN
        gram = whole[np.ix_(seen, seen)]
        inverse = np.zeros((self.n_terms, self.n_terms))
        inverse[np.ix_(seen, seen)] = np.linalg.inv(gram)
        return inverse


def year_angle(times: np.ndarray) -> np.ndarray:
    """Return the phase of the mean Gregorian year, radians, float64, zero at 2000-01-01."""
    days = (times - np.datetime64("2000-01-01", "ns")).astype(np.float64) / _DAY
    return 2 * np.pi * days / _DAYS_A_YEAR


def _leverage(n_annual: int, times: np.ndarray) -> float:
    """Return by how much chance is larger in harmonics of the year, at their worst day, than in a mean of `times`."""
    if n_annual == 0:
        return 1.0
    annual = Harmonics(n_annual, 0)
    gram = annual.gram(times) / len(times)
    if np.linalg.cond(gram) > 1 / np.finfo(np.float64).eps:
        return np.inf
    days = annual.at(np.datetime64("2000-01-01", "ns") + np.arange(0, 366, 3) * np.timedelta64(1, "D"))
    return float(np.einsum("ti,ij,tj->t", days, np.linalg.inv(gram), days).max())


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
