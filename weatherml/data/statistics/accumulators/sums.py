"""All that statistics and climatology need of the times of a period, as sums that merge in any order.

With `X` the terms of the climatology [time, term] and `y` the values of a cell about its value at the first time of the
period, these are `X'y` and `y'y`. From them follow, for any coefficients `b`, the squares of the anomalies `y - Xb`,
which are `y'y - 2 b'X'y + b'X'Xb`; and, since terms one step later are a rotation of the terms, those of their changes.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from weatherml.data.statistics.accumulators.changes import Borders, decide
from weatherml.data.statistics.accumulators.distribution import Distribution
from weatherml.data.statistics.accumulators.harmonics import Harmonics
from weatherml.data.statistics.accumulators.products import product
from weatherml.errors import UserError
from weatherml.errors.wording import counted
from weatherml.state import StateSpec

_PIECE = 2**16
"""Values that are taken at once: few enough that they stay in a processor's cache."""


class Sums:
    """Of some channels, over the times of one or several runs.

    Args:
        spec: What the channels are.
        harmonics: Terms of the climatology.
        steps: Over which changes are taken.
        origin: Values at the first time of the period, float32 `[channel, lat, lon]`, SI units; NaN where there are
            never any. Sums of departures from it keep the digits that sums of 5e5 m2 s-2 would lose.
    """

    def __init__(
        self, spec: StateSpec, harmonics: Harmonics, steps: tuple[np.timedelta64, ...], origin: np.ndarray
    ) -> None:
        self.spec, self.harmonics, self.steps, self.origin = spec, harmonics, steps, origin
        self.valid = np.isfinite(origin)
        self.weights = self.valid * spec.grid.cell_areas()[:, None]
        self.times = np.empty(0, "datetime64[ns]")
        self.right = np.zeros((harmonics.n_terms, *spec.shape))
        self.squares = np.zeros(spec.shape)
        self.changes = np.zeros((len(steps), 2, spec.n_channels))
        self.alone: list[np.ndarray | None] = [None for _ in steps]
        self.distribution = Distribution(spec.n_channels, spec.grid)
        nothing = Borders.of_run(self.times, np.empty((0, *spec.shape), np.float32), np.empty(2, self.times.dtype))
        self._heads = self._recent = nothing
        self._merged: Borders | None = None
        self.others: list[Any] = []  # what else was made of the same blocks, which merges with it

    def add(self, times: np.ndarray, array: np.ndarray) -> None:
        """Take in a block of the one run that these sums are of.

        Args:
            times: Rising, later than those before, `datetime64[ns]` [time].
            array: float32 `[time, channel, lat, lon]`, SI units.

        Raises:
            UserError: Other cells are missing than at the origin.
        """
        joined = np.concatenate([self._recent.times, times])
        first = self.times[0] if len(self.times) else times[0]
        pairs = [decide(joined, len(self._recent.times), first, step, self.harmonics) for step in self.steps]
        basis = self.harmonics.at(times)
        for channel, rows in self.pieces(len(times)):
            recent = self._recent.fields[:, channel, rows]
            self._add_piece(channel, rows, np.concatenate([recent, array[:, channel, rows]]), basis, pairs, times)
        self.distribution.add(times, array)
        self.times = np.concatenate([self.times, times])
        self._move_on(times, array, first)

    def merge(self, other: "Sums") -> None:
        """Take in what other sums have seen, of other times of the same period.

        Raises:
            UserError: They are of other channels, terms, steps or of another period, or share times.
        """
        self._require_like(other)
        borders = self.borders.joined(other.borders)
        for position, step in enumerate(self.steps):
            self._pair(position, step, self.borders, other.borders)
            self._pair(position, step, other.borders, self.borders)
            theirs = other.alone[position]
            if theirs is not None:
                own = self.alone[position]
                self.alone[position] = theirs if own is None else own + theirs
        self.right += other.right
        self.squares += other.squares
        self.changes += other.changes
        self.distribution.merge(other.distribution)
        for own, others in zip(self.others, other.others, strict=True):
            own.merge(others)
        self.times = np.sort(np.concatenate([self.times, other.times]))
        self._merged = borders.still_open(self.times, self.steps)

    def restore(
        self,
        times: np.ndarray,
        right: np.ndarray,
        squares: np.ndarray,
        changes: np.ndarray,
        alone: list[np.ndarray | None],
        borders: Borders,
    ) -> None:
        """Become what other sums were, but for their distribution."""
        self.times, self.right, self.squares, self.changes = times, right, squares, changes
        self.alone, self._merged = alone, borders

    @property
    def borders(self) -> Borders:
        """The fields at the ends of runs that wait for what comes before or after."""
        if self._merged is not None:
            return self._merged
        tails = self._recent.chosen(~np.isin(self._recent.times, self._heads.times))
        ends = self._heads.joined(tails)
        return ends if not len(self.times) else Borders.of_run(ends.times, ends.fields, self.times[[0, -1]])

    def n_pairs(self, step: np.timedelta64) -> int:
        """Return how many times have another one step later."""
        return int(np.isin(self.times + step, self.times).sum())

    def coefficients(self) -> np.ndarray:
        """Return those of the climatology, float32 `[term, channel, lat, lon]`, SI units; NaN where there are no data.

        They are solved piece by piece, which holds little beside them.
        """
        coefficients, inverse = np.empty(self.right.shape, np.float32), self.harmonics.inverse(self.times)
        for channel, rows in self.pieces():
            right = self.right[:, channel, rows]
            solved = product(inverse, _flat(right)).reshape(right.shape)
            solved[0] += self.origin[channel, rows]
            coefficients[:, channel, rows] = np.where(self.valid[channel, rows], solved, np.nan)
        return coefficients

    def products_of_changes(
        self, position: int, channel: int, rows: slice, loose: tuple[np.ndarray, np.ndarray]
    ) -> np.ndarray:
        """Return the sums over pairs of changes of terms times changes of values, `[term, cell]`.

        Args:
            position: Of the step.
            channel: Which channel.
            rows: Which rows.
            loose: What `loose` returns for the step.
        """
        step, alone = self.steps[position], self.alone[position]
        turn, right = self.harmonics.shift(step), _flat(self.right[:, channel, rows])
        # X(t) = turn @ X(t + step), so what each time gives as the later and as the earlier of a pair is in X'y; that
        # of times that have no partner is taken off.
        products = product(turn, right) - right
        if alone is not None:
            products -= _flat(alone[:, channel, rows])
        for term, field in zip(*loose, strict=True):
            products -= np.outer(term, self._departures(field[channel, rows], (channel, rows)))
        return product((turn - np.eye(len(turn))).T, products)

    def loose(self, position: int) -> tuple[np.ndarray, np.ndarray]:
        """Return what the terms of fields at the borders without a partner are weighted with, and the fields."""
        borders, step = self.borders, self.steps[position]
        ends, starts = (side(step, self.times) for side in (borders.without_after, borders.without_before))
        earlier, own = (self.harmonics.at(borders.times - shift) for shift in (step, 0 * step))
        terms = starts[:, None] * earlier - ends[:, None] * own
        return terms[ends | starts], borders.fields[ends | starts]

    def pieces(self, n_times: int = 16) -> Iterator[tuple[int, slice]]:
        """Yield channels and rows, of which so many times are few enough to be taken at once."""
        n_rows, n_columns = self.spec.grid.shape
        height = max(1, _PIECE // (n_times * n_columns))
        for channel in range(self.spec.n_channels):
            for row in range(0, n_rows, height):
                yield channel, slice(row, min(row + height, n_rows))

    def _add_piece(
        self, channel: int, rows: slice, values: np.ndarray, basis: np.ndarray, pairs: list[Any], times: np.ndarray
    ) -> None:
        """Add rows of a channel, float32 `[recent and block, lat, lon]`."""
        place, n_terms, valid = (channel, rows), len(self.right), self.valid[channel, rows]
        departures = (values - self.origin[place].astype(np.float64)).reshape(len(values), -1)
        own = departures[len(values) - len(times) :]
        squares = np.einsum("tc,tc->c", own, own)
        if not (valid.all() and np.isfinite(squares).all()):
            self._require_mask(channel, values[len(values) - len(times) :], valid, times)
            departures[:, ~valid.ravel()] = 0
            squares[~valid.ravel()] = 0
        self.squares[place] += squares.reshape(valid.shape)
        self.right[:, channel, rows] += product(basis.T, own).reshape(n_terms, *valid.shape)
        weights = self.weights[place].ravel()
        for position, (before, after, alone) in enumerate(pairs):
            change = departures[after] - departures[before]
            self.changes[position, 0, channel] += change.sum(axis=0) @ weights
            self.changes[position, 1, channel] += np.einsum("tc,tc->c", change, change) @ weights
            if alone is not None:
                self._alone(position)[:, channel, rows] += product(alone.T, departures).reshape(n_terms, *valid.shape)

    def _alone(self, position: int) -> np.ndarray:
        """Return the sums over fields that have no partner, for which room is made once there is one."""
        array = self.alone[position]
        if array is None:
            array = self.alone[position] = np.zeros_like(self.right)
        return array

    def _require_mask(self, channel: int, values: np.ndarray, valid: np.ndarray, times: np.ndarray) -> None:
        differs = (np.isfinite(values) != valid).any(axis=(1, 2))
        if differs.any():
            raise UserError(
                f"channel {self.spec.names[channel]} has other missing cells at {times[differs.argmax()]} than at the"
                " start of the period; only a mask that is constant in time can be kept: fill the gaps or leave the"
                " time or the channel out"
            )

    def _move_on(self, times: np.ndarray, array: np.ndarray, first: np.datetime64) -> None:
        """Keep the fields that later ones are compared with, and those at the start of the run."""
        longest, block = max(self.steps), Borders.of_run(times, array, times[[0, -1]])
        self._heads = self._heads.joined(block.chosen(times < first + longest))
        kept = self._recent.chosen(self._recent.times > times[-1] - longest)
        self._recent = kept.joined(block.chosen(times > times[-1] - longest))

    def _pair(self, position: int, step: np.timedelta64, earlier: Borders, later: Borders) -> None:
        """Add the changes from fields of one run to those of another."""
        for before, after in zip(*earlier.pairs_with(later, step), strict=True):
            change = self._departures(later.fields[after]) - self._departures(earlier.fields[before])
            self.changes[position, 0] += np.einsum("cyx,cyx->c", change, self.weights)
            self.changes[position, 1] += np.einsum("cyx,cyx,cyx->c", change, change, self.weights)

    def _departures(self, field: np.ndarray, place: Any = ...) -> np.ndarray:
        """Return values of some cells, of all unless told, about their origin, 0 where it is not valid, float64."""
        return np.where(self.valid[place], field - self.origin[place].astype(np.float64), 0)

    def _require_like(self, other: "Sums") -> None:
        if self.spec != other.spec or (self.harmonics, self.steps) != (other.harmonics, other.steps):
            raise UserError("sums of other channels, harmonics or steps do not merge; make them with one configuration")
        if not np.array_equal(self.origin, other.origin, equal_nan=True):
            raise UserError("sums of periods that begin with other fields do not merge; make them from one store")
        shared = np.intersect1d(self.times, other.times)
        if shared.size:
            raise UserError(
                f"{counted(shared.size, 'time')} from {shared[0]:.16} on would count twice; leave one of the parts out"
            )


def _flat(array: np.ndarray) -> np.ndarray:
    return array.reshape(len(array), -1)
