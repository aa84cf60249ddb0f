"""Products of small matrices with many columns, in the thread that asks for them."""

import numpy as np

_ONE_THREAD = 2**18
"""Multiplications below which OpenBLAS does a product itself. Its other threads wait for work by turning round and
round: products of a few microseconds took 15 times the CPU time where several processes share the cores."""


def product(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return `left @ right` of float64 `[row, inner]` and `[inner, column]`."""
    (n_rows, n_inner), n_columns = left.shape, right.shape[1]
    width = max(1, _ONE_THREAD // (n_rows * n_inner))
    whole = n_columns - n_columns % width
    result = np.empty((n_rows, n_columns))
    result[:, whole:] = left @ right[:, whole:]
    pieces = (array[:, :whole].reshape(len(array), -1, width).transpose(1, 0, 2) for array in (right, result))
    np.matmul(left, next(pieces), out=next(pieces))
    return result
