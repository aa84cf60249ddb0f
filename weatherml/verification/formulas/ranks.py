"""Where the truth ranks among the members, and what that tells of an ensemble."""

from typing import Any

Array = Any
"""A numpy or jax array."""


def members_below(members: Array, truth: Array) -> tuple[Array, Array]:
    """Return how many members lie below the truth and how many equal it, `[member, ...]` and `[...]` to int `[...]`.

    The rank of the truth is any from the one to the sum of both, each as likely as the others (Hamill 2001,
    doi:10.1175/1520-0493(2001)129<0550:IORHFV>2.0.CO;2, draws one; sharing out is the same on average, and is the same
    each time).
    """
    below, not_above = how_many(members < truth), how_many(members <= truth)
    return below, not_above - below


def how_many(holds: Array) -> Array:
    """Count members of which something holds, bool `[member, ...]` to int `[...]`.

    Bytes are added in bytes where they suffice, many at once.
    """
    xp = holds.__array_namespace__()
    whole = xp.asarray(1).dtype  # that of numpy, and jax's own
    return xp.sum(holds.view(xp.uint8), axis=0, dtype=xp.uint8 if holds.shape[0] < 256 else whole).astype(whole)


def frequencies(counts: Array) -> Array:
    """Return the share of each rank, `[..., rank]`, of how often each occurred; flat where an ensemble is reliable."""
    return counts / counts.__array_namespace__().sum(counts, axis=-1, keepdims=True)


def reliability_index(counts: Array) -> Array:
    """Return how far a rank histogram is from flat: the sum over ranks of |frequency - 1 / number of ranks|.

    Delle Monache et al. 2006, doi:10.1029/2005JD006917, there in per cent. 0 is flat; below 2.

    Args:
        counts: How often each rank occurred, `[..., rank]`.

    Returns:
        `[...]`.
    """
    xp = counts.__array_namespace__()
    return xp.sum(xp.abs(frequencies(counts) - 1 / counts.shape[-1]), axis=-1)
