"""For how long each of the times of a record stands, and where times are missing."""

import numpy as np

from weatherml.errors import UserError
from weatherml.extremes.tracks.linking.steps import is_hole


def hours_and_holes(times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how many hours each time stands for `[time]`, and whether times are missing before it `[time]`.

    A time stands for the step to the next one, which may change; the last one, and one before a hole, for the step
    before it. A lone time stands for none.

    Args:
        times: `datetime64` `[time]`.

    Raises:
        UserError: They do not rise.
    """
    steps = np.diff(times) / np.timedelta64(1, "h")
    if (steps <= 0).any():
        raise UserError("times do not rise, and rivers last from one to the next; sort them: fields.sortby('time')")
    holes = is_hole(steps)
    hours = np.zeros(len(times))
    for place in range(len(times)):
        last = place == len(steps) or holes[place]
        hours[place] = steps[place] if not last else hours[place - 1] if place and not holes[place - 1] else 0.0
    return hours, np.append(False, holes)
