"""Which times of fields follow each other where the step between them changes, as of late leads."""

import numpy as np


def follows(times: np.ndarray) -> np.ndarray:
    """Return whether no time lacks between each and the one before; the first follows none.

    A step is a hole if shorter ones lie both before it and after it; the first and the last are told from the one
    beside them.

    Args:
        times: Rising `datetime64` [time].

    Returns:
        Bool [time].
    """
    steps = np.diff(times)
    found = np.zeros(len(times), bool)
    if len(steps) < 2:
        found[1:] = True
        return found
    before = np.concatenate([steps[1:2], np.minimum.accumulate(steps)[:-1]])
    after = np.concatenate([np.minimum.accumulate(steps[::-1])[-2::-1], steps[-2:-1]])
    found[1:] = (steps <= before) | (steps <= after)
    return found


def lengths(times: np.ndarray) -> np.ndarray:
    """Return how long each time stands for: until the next, or at a hole and at the end as long as the one before did.

    Args:
        times: Two or more, rising `datetime64` [time].

    Returns:
        `timedelta64` [time].
    """
    steps, one_by_one = np.diff(times), follows(times)[1:]
    here, last = np.append(one_by_one, False), np.append(False, one_by_one)
    found: np.ndarray = np.where(here, np.append(steps, 0), np.where(last, np.append(0, steps), steps.min()))
    return found
