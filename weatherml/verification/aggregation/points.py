"""Which points counted, as one number: that of other points is another, though their area be the same."""

import numpy as np

_BITS = 38  # of each point: the sum of 30 million stays below 2^63


def keys_of_points(n_lat: int, n_lon: int) -> np.ndarray:
    """Return a number for each point of a grid, int64 `[lat, lon]`, whose sums tell sets of points apart.

    They are those of any other grid of this shape, and of any machine. (The finalizer of SplitMix64: Steele, Lea and
    Flood 2014, doi:10.1145/2660193.2660195.)
    """
    mixed = (np.arange(1, n_lat * n_lon + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)).reshape(n_lat, n_lon)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    keys: np.ndarray = ((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(64 - _BITS)).astype(np.int64)
    return keys


def sums_of_keys(mask: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Sum the keys of points that count.

    Args:
        mask: Points that count, bool `[lead, lat, lon]`.
        keys: Of the points in each region, 0 of others, int64 `[region, lat, lon]`.

    Returns:
        int64 `[lead, region]`.
    """
    return np.stack([np.where(mask, own, 0).sum(axis=(1, 2)) for own in keys], axis=1)
