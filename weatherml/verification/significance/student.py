"""Intervals without resampling: Student's t, with the variance of the mean of values that follow one another."""

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np

from weatherml.verification.significance.block_length import autocovariance
from weatherml.verification.significance.method import Bounds, Method, registry, student_bounds
from weatherml.verification.significance.sample import Sample

_LEAST_EFFECTIVE = 2.0  # values: no series is so much alike that its mean has no variance to speak of


class Student(Method):
    """An interval of the same length on either side, of pseudo-values (`Sample.deviations`)."""

    def _judge(self, sample: Sample, confidence: float) -> Bounds:
        variance, freedom = self.variance_of_mean(sample.deviations(), sample.n_used.astype(float))
        error = np.sqrt(variance)
        return student_bounds(sample.estimate, error, freedom, confidence).where(np.isfinite(error))

    @abstractmethod
    def variance_of_mean(self, deviations: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the variance of the mean of n values from their deviations `[init, ...]`, and with how many degrees
        of freedom it is known."""


@registry.register("independent")
@dataclass(frozen=True)
class Independent(Student):
    """The textbook's interval, of forecasts that have nothing to do with one another: far too narrow where they do."""

    def variance_of_mean(self, deviations: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the variance of the mean, and n - 1."""
        return autocovariance(deviations, 0)[0] * len(deviations) / n / (n - 1), n - 1


@registry.register("lag1")
@dataclass(frozen=True)
class LagOne(Student):
    """As many independent values as the correlation r of neighbours leaves: n (1 - r) / (1 + r) (Wilks 2011, equation
    5.12; r without the bias of short series, Marriott and Pope 1954, doi:10.1093/biomet/41.3-4.390)."""

    def variance_of_mean(self, deviations: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the variance of the mean, and the effective number of values less one."""
        variance, covariance = autocovariance(deviations, 1) * len(deviations) / n
        correlation = np.where(variance > 0, covariance / variance, 0)
        correlation = np.clip(correlation + (1 + 4 * correlation) / n, 0, 1)
        effective = np.maximum(n * (1 - correlation) / (1 + correlation), _LEAST_EFFECTIVE)
        return variance * n / (n - 1) / effective, effective - 1


@registry.register("ar2")
@dataclass(frozen=True)
class SecondOrder(Student):
    """The interval inflated as that of an autoregressive process of second order (Geer 2016,
    doi:10.3402/tellusa.v68.30229).

    Geer's inflation is that of autocorrelations about the sample's own mean, which are too small in short series. Here
    the variance of that mean is given back to each autocovariance, until both agree; the degrees of freedom are those
    of the values that the inflation leaves, and nothing is ever narrowed.
    """

    def variance_of_mean(self, deviations: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the variance of the mean, and the effective number of values less one."""
        covariances = autocovariance(deviations, 2) * len(deviations) / n
        variance = covariances[0] / n
        for _ in range(3):  # more change it by less than sampling does
            given_back = covariances + variance
            inflation = _inflation(*(given_back[1:] / given_back[0]))
            inflation = np.clip(np.where(given_back[0] > 0, inflation, 1), 1, n / _LEAST_EFFECTIVE)
            variance = given_back[0] * inflation / n
        return variance, n / inflation - 1


@registry.register("cosines")
@dataclass(frozen=True)
class Cosines(Student):
    """The variance of the slowest cosines of the series, of which there are 0.4 n^(2/3) (Lazarus, Lewis, Stock and
    Watson 2018, doi:10.1080/07350015.2018.1506926): no process is assumed, and few degrees of freedom are left."""

    def variance_of_mean(self, deviations: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the variance of the mean, and the number of cosines."""
        n_init = len(deviations)
        n_waves = max(1, int(0.4 * n_init ** (2 / 3)))
        phase = np.pi * np.outer(np.arange(1, n_waves + 1), (np.arange(n_init) + 0.5) / n_init)
        amplitudes = np.tensordot(np.sqrt(2 / n_init) * np.cos(phase), deviations, axes=1)
        variance = (amplitudes**2).mean(axis=0) * n_init / n**2
        return np.where(n > 1, variance, np.nan), np.full_like(n, n_waves)


def _inflation(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return by how much the variance of a mean grows with autocorrelations at one and two steps."""
    phi_1 = first * (1 - second) / (1 - first**2)
    phi_2 = (second - first**2) / (1 - first**2)
    grown: np.ndarray = (1 - first * phi_1 - second * phi_2) / (1 - phi_1 - phi_2) ** 2
    return grown
