"""Differences along and across the rows of the full grid, of some times."""

from dataclasses import dataclass
from typing import Self

import numpy as np


@dataclass(frozen=True, eq=False)
class RowSums:
    """Sums over fields, and how many values are in each.

    Attributes:
        spread: Of the standard deviations along the rows `[level, lat]`.
        n_spread: Rows that have any value.
        across: Squares of the differences between neighbouring rows `[level, lat - 1]`.
        n_across: Pairs of values.
        along: Squares of the differences between a column and the next one eastward `[level, lon]`.
        n_along: Pairs of values.
    """

    spread: np.ndarray
    n_spread: np.ndarray
    across: np.ndarray
    n_across: np.ndarray
    along: np.ndarray
    n_along: np.ndarray

    @classmethod
    def of(cls, fields: np.ndarray) -> Self:
        """Return the sums of `[field, level, lat, lon]`, NaN where there is no value."""
        finite = np.isfinite(fields)
        number = finite.sum(-1)
        mean = np.where(finite, fields, 0).sum(-1, dtype=np.float64) / number.clip(1)
        apart = np.where(finite, fields - mean[..., None].astype(np.float32), 0)
        variance = np.einsum("flij,flij->fli", apart, apart) / number.clip(1)
        across, n_across = _squares(np.diff(fields, axis=-2), (0, 3))
        along, n_along = _squares(np.roll(fields, -1, axis=-1) - fields, (0, 2))
        spread = np.sqrt(variance, dtype=np.float64).sum(0)
        return cls(spread, (number > 0).sum(0), across, n_across, along, n_along)

    def __add__(self, other: Self) -> Self:
        pairs = ((getattr(self, name), getattr(other, name)) for name in self.__dataclass_fields__)
        return type(self)(*(one + another for one, another in pairs))

    def means(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return spread along rows, RMS across them and RMS along them; NaN where there is no value."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return (
                self.spread / self.n_spread,
                np.sqrt(self.across / self.n_across),
                np.sqrt(self.along / self.n_along),
            )


def _squares(differences: np.ndarray, over: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    finite = np.isfinite(differences)
    squares = np.square(np.where(finite, differences, 0))
    return squares.sum(over[1]).sum(over[0], dtype=np.float64), finite.sum(over)
