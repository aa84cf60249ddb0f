"""Means and standard deviations of channels over area and time, of values or of anomalies, out of the sums."""

from typing import NamedTuple

import numpy as np

from weatherml.data.statistics.sums.sums import Sums


class Moments(NamedTuple):
    """Of each channel, float64 `[channel]`, SI units.

    Attributes:
        mean: Weighted with area.
        std: Standard deviation about it.
        change_std: Standard deviation of changes over a step; NaN where there is no change.
    """

    mean: np.ndarray
    std: np.ndarray
    change_std: np.ndarray


def moments_of(sums: Sums, position: int = 0, coefficients: np.ndarray | None = None) -> Moments:
    """Return the moments of what is left of the values without a climatology.

    Args:
        sums: Of the period.
        position: Of the step among those of the sums.
        coefficients: Of the climatology, `[term, channel, lat, lon]`, whose harmonics are those of the sums; None for
            moments of the values.
    """
    own = Terms.over(sums.harmonics.at(sums.times))
    starts = sums.times[np.isin(sums.times + sums.steps[position], sums.times)]
    turns = Terms.over(sums.harmonics.at(starts + sums.steps[position]) - sums.harmonics.at(starts))
    found = []
    for channel in range(sums.spec.n_channels):
        given = None if coefficients is None else coefficients[:, channel]
        found.append(_of_channel(sums, position, channel, own, turns, given))
    return Moments(*np.array(found, np.float64).T)


class Terms(NamedTuple):
    """Sums of terms of the climatology, or of their changes.

    Attributes:
        number: Of times or pairs.
        total: `[term]`.
        gram: Of products, `[term, term]`.
    """

    number: int
    total: np.ndarray
    gram: np.ndarray

    @classmethod
    def over(cls, terms: np.ndarray) -> "Terms":
        """Sum float64 `[time, term]`."""
        return cls(len(terms), terms.sum(axis=0), terms.T @ terms)

    def explained(self, reference: np.ndarray, products: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return what to subtract from the sum and the sum of squares of values for those without a reference, `[2]`.

        Args:
            reference: Coefficients `[term, cell]`.
            products: Sums of terms times values, `[term, cell]`.
            weights: Of the cells, `[cell]`.
        """
        squares = np.einsum("kc,kc->c", reference, 2 * products - self.gram @ reference)
        return np.array([self.total @ reference @ weights, squares @ weights])


def _of_channel(
    sums: Sums, position: int, channel: int, own: Terms, turns: Terms, coefficients: np.ndarray | None
) -> tuple[float, float, float]:
    """Return mean, standard deviation, and that of changes."""
    valid = sums.valid[channel]
    area = max(sums.weights[channel].sum(), np.finfo(float).tiny)
    weights, origin = sums.weights[channel][valid] / area, sums.origin[channel][valid].astype(np.float64)
    right, squares = sums.right[:, channel][:, valid], sums.squares[channel][valid]
    reference, level = np.zeros_like(right), 0.0
    if coefficients is None:
        level = origin @ weights  # a mean near that of the values keeps their digits
        reference[0] = level
    else:
        reference[:] = coefficients[:, valid]
    reference[0] -= origin
    mean, std = _spread(
        own.number, np.array([right[0] @ weights, squares @ weights]) - own.explained(reference, right, weights)
    )
    changes = sums.changes[position, :, channel] / area
    if coefficients is not None:
        products = sums.products_of_changes(position, channel)[:, valid.ravel()]
        changes = changes - turns.explained(reference, products, weights)
    return level + mean, std, _spread(turns.number, changes)[1]


def _spread(count: int, sums: np.ndarray) -> tuple[float, float]:
    """Return mean and standard deviation from a count, and the sums of values and of their squares `[2]`."""
    if not count:
        return np.nan, np.nan
    mean, square = sums / count
    return float(mean), float(np.sqrt(max(0.0, square - mean**2)))
