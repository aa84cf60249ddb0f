"""Means and standard deviations of channels over area and time, of values or of anomalies, out of the sums."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from weatherml.data.statistics.accumulators.products import product
from weatherml.data.statistics.accumulators.sums import Sums


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
    n_terms, step = sums.harmonics.n_terms, sums.steps[position]
    own = Terms.over(sums.harmonics.in_blocks(sums.times), n_terms)
    starts = sums.times[np.isin(sums.times + step, sums.times)]
    turn = sums.harmonics.shift(step) - np.eye(n_terms)
    turns = Terms.over((basis @ turn for basis in sums.harmonics.in_blocks(starts)), n_terms)
    areas = np.maximum(sums.weights.sum(axis=(1, 2)), np.finfo(float).tiny)
    levels = np.zeros(len(areas))
    if coefficients is None:  # a mean near that of the values keeps their digits
        levels = np.einsum("cyx,cyx->c", np.where(sums.valid, sums.origin, 0).astype(np.float64), sums.weights) / areas
    values, changes = np.zeros((2, len(areas))), sums.changes[position].copy()
    loose = sums.loose(position)
    for channel, rows in sums.pieces():
        valid = sums.valid[channel, rows]
        weights, right = sums.weights[channel, rows][valid], sums.right[:, channel, rows][:, valid]
        reference = np.zeros_like(right)
        reference[0] = levels[channel]
        if coefficients is not None:
            reference[:] = coefficients[:, channel, rows][:, valid]
        reference[0] -= sums.origin[channel, rows][valid]
        values[:, channel] += right[0] @ weights, sums.squares[channel, rows][valid] @ weights
        values[:, channel] -= own.explained(reference, right, weights)
        if coefficients is not None:
            products = sums.products_of_changes(position, channel, rows, loose)[:, valid.ravel()]
            changes[:, channel] -= turns.explained(reference, products, weights)
    (mean, std), (_, change_std) = _spread(values, own.number * areas), _spread(changes, turns.number * areas)
    return Moments(levels + mean, std, change_std)


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
    def over(cls, blocks: Iterable[np.ndarray], n_terms: int) -> "Terms":
        """Sum blocks of float64 `[time, term]`, of which there may be none."""
        number, total, gram = 0, np.zeros(n_terms), np.zeros((n_terms, n_terms))
        for terms in blocks:
            number, total, gram = number + len(terms), total + terms.sum(axis=0), gram + terms.T @ terms
        return cls(number, total, gram)

    def explained(self, reference: np.ndarray, products: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return what to subtract from the sum and the sum of squares of values for those without a reference, `[2]`.

        Args:
            reference: Coefficients `[term, cell]`.
            products: Sums of terms times values, `[term, cell]`.
            weights: Of the cells, `[cell]`.
        """
        squares = np.einsum("kc,kc->c", reference, 2 * products - product(self.gram, reference))
        return np.array([np.einsum("k,kc,c->", self.total, reference, weights), squares @ weights])


def _spread(sums: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return means and standard deviations from the sums of values and of their squares `[2, channel]`."""
    with np.errstate(invalid="ignore", divide="ignore"):
        mean, square = sums / weights
    return mean, np.sqrt(np.maximum(0.0, square - mean**2))
