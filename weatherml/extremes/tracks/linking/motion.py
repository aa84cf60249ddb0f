"""Where storms are expected, and which candidate of a time goes on which track: all together, in whatever order."""

import numpy as np

from weatherml.extremes.assignment import assigned


def expected(last: np.ndarray, before: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Return where storms go on along their great circles, unit vectors `[storm, 3]`.

    Args:
        last: Where they were last `[storm, 3]`.
        before: Where they were before that `[storm, 3]`; the same place where that is not known.
        share: How much of that motion goes on `[storm]`.
    """
    turn = share * angles(before, last)
    axis = np.cross(before, last)
    length = np.linalg.norm(axis, axis=1, keepdims=True)
    ahead = np.cross(np.divide(axis, length, out=np.zeros_like(axis), where=length > 0), last)
    return np.asarray(np.cos(turn)[:, None] * last + np.sin(turn)[:, None] * ahead)


def angles(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the angle between unit vectors `[..., 3]`, radians `[...]`."""
    return np.asarray(2 * np.arcsin(np.minimum(np.linalg.norm(first - second, axis=-1) / 2, 1)))


def assign(
    last: np.ndarray,
    wanted: np.ndarray,
    found: np.ndarray,
    reach: np.ndarray,
    leeway: np.ndarray,
    is_moving: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return which storm goes on at which candidate: positions of storms and of candidates, of as many as are linked.

    First storms whose motion is known, at the candidates that are closest to where they are expected and that no other
    such storm is expected closer to: else many links that are possible would win over few that are right. Then the
    others, all together: the sum of squared distances from where storms are expected is least, where one that does not
    go on counts as if it were its reach away (`assignment.assigned`).

    Args:
        last: Where storms were last, unit vectors `[storm, 3]`.
        wanted: Where they are expected `[storm, 3]`.
        found: The candidates `[candidate, 3]`.
        reach: How far each may be from where it was, radians `[storm]`.
        leeway: How far each may be from where it is expected, radians `[storm]`; no more than the reach.
        is_moving: Of which storms the motion is known `[storm]`.
    """
    if not len(last) or not len(found):
        return np.zeros(0, int), np.zeros(0, int)
    off = angles(wanted[:, None], found)
    may = (angles(last[:, None], found) <= reach[:, None]) & (off <= leeway[:, None])
    storms, candidates = np.nonzero(may)
    cost, alone = off[storms, candidates] ** 2, reach[storms] ** 2
    kept = assigned(storms, candidates, cost, alone, is_moving[storms])
    return storms[kept], candidates[kept]
