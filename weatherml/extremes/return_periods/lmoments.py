"""Sample L-moments: averages of ordered values, which one wild value moves little."""

import numpy as np

Array = np.ndarray


def sample_lmoments(values: Array) -> tuple[Array, Array, Array]:
    """Return the first two L-moments, and the ratio of the third to the second: unbiased, of each record by itself.

    Of the probability-weighted moments b0, b1, b2 they are b0, 2 b1 - b0 and 6 b2 - 6 b1 + b0 (Hosking 1990,
    doi:10.1111/j.2517-6161.1990.tb01775.x).

    Args:
        values: `[..., value]`; NaN where a record has fewer values than another.

    Returns:
        `[...]` each; NaN where a record has fewer than three.
    """
    ordered = np.sort(values, axis=-1)  # NaN last
    if np.isnan(ordered[..., -1]).any():
        b0, b1, b2 = _of_unequal(ordered)
    else:
        b0, b1, b2 = (ordered @ weights for weights in _weights(np.float64(values.shape[-1]), values.shape[-1]))
    second = 2 * b1 - b0
    with np.errstate(invalid="ignore", divide="ignore"):
        return b0, second, (6 * b2 - 6 * b1 + b0) / second


def _of_unequal(ordered: Array) -> list[Array]:
    counts = np.isfinite(ordered).sum(axis=-1)
    known = np.where(np.isfinite(ordered), ordered, 0.0)
    with np.errstate(invalid="ignore"):
        moments = [(known * weights).sum(axis=-1) for weights in _weights(counts[..., None], ordered.shape[-1])]
    return [np.where(counts > 2, own, np.nan) for own in moments]


def _weights(n: Array | np.float64, length: int) -> list[Array]:
    """Return the weights of ordered values `[..., value]` in the moments, of records of n values."""
    place = np.arange(length, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        first = place / (n - 1)
        return [np.ones(length) / n, first / n, first * (place - 1) / (n - 2) / n]
