"""Does a field lie where its labels say? It is held against a pattern in every place where it could lie instead."""

from dataclasses import dataclass
from itertools import product

import numpy as np

from weatherml.grid import LatLonGrid

_SHORTEST = 12
"""Zonal wavenumber from which on a field shows what stands still beneath it more than weather or season."""
ROWS = (-1, 0, 1)
NEAR = 12.0
"""Degrees within which two places fit nearly as well, for a pattern has a width."""
_CLEARLY = 1.6
"""By how much a place fits better than any far from it: true ones by 2.3 to 8 in data that no pattern was made of,
chance maxima of weather by up to 1.3."""
_WORSE = 0.7
"""Of the best fit, what a place beside it reaches at most: 0.44 a row of 2.5 degrees off."""


@dataclass(frozen=True)
class Placement:
    """What was done to a field that does not lie where its labels say, on a grid.

    Attributes:
        is_flipped: Rows run from south to north.
        is_mirrored: Columns run from east to west.
        rows: By how many rows it lies too far south.
        columns: By how many columns it lies too far east.
    """

    is_flipped: bool = False
    is_mirrored: bool = False
    rows: int = 0
    columns: int = 0

    def remedy(self, grid: LatLonGrid) -> str:
        """Return in words what puts a field on a grid back."""
        degrees = abs(self.columns) * 360 / grid.n_lon
        steps = [
            "its rows are reversed" * self.is_flipped,
            "its columns are reversed" * self.is_mirrored,
            f"it is moved {degrees:g} degrees {'west' if self.columns > 0 else 'east'}" * bool(self.columns),
            f"it is moved a row {'north' if self.rows > 0 else 'south'}" * bool(self.rows),
        ]
        return " and ".join(filter(None, steps))

    def undo(self, field: np.ndarray) -> np.ndarray:
        """Return a field `[..., lat, lon]` where it belongs."""
        field = field[..., ::-1, :] if self.is_flipped else field
        field = field[..., ::-1] if self.is_mirrored else field
        return np.roll(field, (-self.rows, -self.columns), (-2, -1))


def short_waves(field: np.ndarray, first: int = _SHORTEST) -> np.ndarray:
    """Return the zonal wavenumbers from `first` on of a field `[..., lat, lon]`; missing values are the row's mean."""
    with np.errstate(invalid="ignore"):
        n_finite = np.isfinite(field).sum(-1, keepdims=True)
        mean = np.nansum(field, -1, keepdims=True) / np.maximum(n_finite, 1)
    waves = np.fft.rfft(np.where(np.isfinite(field), field - mean, 0.0), axis=-1)
    waves[..., :first] = 0
    return np.fft.irfft(waves, field.shape[-1], axis=-1)


def correlations(field: np.ndarray, pattern: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Correlate a field with a pattern for each placement that it may have.

    Args:
        field: Zonal anomalies `[..., lat, lon]`, of one time or several.
        pattern: Zonal anomalies `[..., lat, lon]`, where they belong.
        weights: Of the rows `[lat, 1]`.

    Returns:
        `[flipped, mirrored, row, column]`, of the field with each placement undone; rows by -1, 0 and 1.
    """
    root = np.sqrt(weights)
    waves = np.fft.rfft(pattern * root, axis=-1)
    size = np.sqrt(np.sum(pattern**2 * weights))
    result = np.zeros((2, 2, len(ROWS), field.shape[-1]))
    for flipped, mirrored, row in product((0, 1), (0, 1), range(len(ROWS))):
        moved = Placement(bool(flipped), bool(mirrored), ROWS[row]).undo(field)
        norm = size * np.sqrt(np.sum(moved**2 * weights))
        if norm > 0:
            result[flipped, mirrored, row] = turned(np.fft.rfft(moved * root, axis=-1), waves, field.shape[-1]) / norm
    return result


def turned(waves: np.ndarray, others: np.ndarray, n_columns: int) -> np.ndarray:
    """Return the covariance of two fields for every column `[lon]` by which the first lies too far east."""
    cross = (waves * others.conj()).reshape(-1, waves.shape[-1]).sum(0)
    covariance: np.ndarray = np.fft.irfft(cross, n_columns)
    return covariance


def placement_of(fits: np.ndarray, grid: LatLonGrid, least: float) -> Placement | None:
    """Return the placement that fits clearly better than any other; None where there is none.

    Args:
        fits: As `correlations` gives them.
        grid: On which they were made.
        least: What the best fit must reach.
    """
    best = np.unravel_index(int(fits.argmax()), fits.shape)
    flipped, mirrored, row, column = (int(i) for i in best)
    others = fits.copy()
    near = np.abs(centred(np.arange(grid.n_lon) - column, grid.n_lon))
    others[flipped, mirrored][:, near * 360 / grid.n_lon <= NEAR] = 0
    if fits[best] < max(least, _CLEARLY * others.max()):
        return None
    return Placement(bool(flipped), bool(mirrored), ROWS[row], int(centred(column, grid.n_lon)))


def centred(columns: np.ndarray | int, n_columns: int) -> np.ndarray:
    """Return numbers of columns around the globe as those nearest to 0."""
    return np.asarray((np.asarray(columns) + n_columns // 2) % n_columns - n_columns // 2)


def is_elsewhere(fits: np.ndarray, placement: Placement, worse: float = _WORSE) -> bool:
    """Return whether a field lies not where its labels say, given the placement that fits it best.

    Where it lies by its labels it fits at most `worse` times as well.
    """
    return placement != Placement() and bool(fits[0, 0, ROWS.index(0), 0] < worse * fits.max())
