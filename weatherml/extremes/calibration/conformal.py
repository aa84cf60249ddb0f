"""Promises that hold for any forecast, if the next block of forecasts is drawn as those before it were.

Forecasts of neighbouring days, places or of one storm fail together. They make one block, and blocks are what is
counted: one that holds many forecasts weighs no more than another (Lee, Barber and Willett 2023, arXiv:2306.06342).
Neighbouring blocks still touch, so that they should be longer than errors last.
"""

import numpy as np

from weatherml.durations import DurationLike, parse_duration
from weatherml.verification.significance.block_length import INDEPENDENT_AFTER


def blocks_of(init_times: np.ndarray, length: DurationLike = INDEPENDENT_AFTER) -> np.ndarray:
    """Return the block of each initial time, integers from zero on of the shape of `init_times`.

    Args:
        init_times: `datetime64`, in any order.
        length: Initial times of so long a span from the first on make one block, and so on.
    """
    span = np.timedelta64(parse_duration(length))
    spans = (init_times - init_times.min()) // span
    blocks: np.ndarray = np.unique(spans, return_inverse=True)[1].reshape(init_times.shape)
    return blocks


def fewest_blocks(coverage: float) -> int:
    """Return how many blocks it takes until a promise of that coverage can be kept by anything but everything."""
    return int(np.ceil(coverage / (1 - coverage) - 1e-9))


def block_quantile(scores: np.ndarray, blocks: np.ndarray, coverage: float) -> float:
    """Return what the score of a forecast from another block stays below with at least that probability.

    All blocks weigh the same, and so does one more whose scores are infinite: of blocks of one forecast each it is the
    score of rank ceil((n + 1) coverage), the split conformal quantile (Papadopoulos et al. 2002,
    doi:10.1007/3-540-36755-1_29; Lei et al. 2018, doi:10.1080/01621459.2017.1307116).

    Args:
        scores: Such as errors, `[record]`, finite.
        blocks: To which block each belongs, any labels `[record]`.
        coverage: Between 0 and 1.

    Returns:
        Infinity where there are fewer than `fewest_blocks` of that coverage.
    """
    _, own, sizes = np.unique(blocks, return_inverse=True, return_counts=True)
    order = np.argsort(scores)
    below = np.cumsum(1 / sizes[own[order]]) / (len(sizes) + 1)
    enough = below >= coverage - 1e-12
    return float(scores[order][enough.argmax()]) if enough.any() else float("inf")


def controlled_level(losses: np.ndarray, risk: float) -> int:
    """Return the highest level at which the expected loss of another block stays at or below a risk.

    Conformal risk control (Angelopoulos et al. 2024, arXiv:2208.02814, equation 4).

    Args:
        losses: Of each block at each level, 0 to 1, rising with the level and zero at the first, `[block, level]`.
        risk: Between 0 and 1.

    Returns:
        Position of a level; -1 where there are too few blocks for any.
    """
    n_blocks = len(losses)
    bound = (losses.sum(axis=0) + 1) / (n_blocks + 1)
    return int((bound <= risk + 1e-12).sum()) - 1
