"""What a case cannot be judged on: leads that a forecast lacks."""

import numpy as np

from weatherml.durations import format_duration
from weatherml.errors import UserError
from weatherml.errors.wording import listed
from weatherml.extremes.hazards.steps import follows


def require_leads(name: str, leads: np.ndarray, until: np.timedelta64) -> None:
    """Require a forecast to have all leads that its spacing tells of: a day without one of its hours is none.

    Args:
        name: Of the system.
        leads: `timedelta64[ns]` `[lead]`.
        until: What is longer is not needed.

    Raises:
        UserError: Some are missing.
    """
    own = np.unique(leads)
    lacking = [lead for lead in _between(own) if lead <= until]
    if lacking:
        raise UserError(
            f"{name} lacks the leads {listed(map(format_duration, lacking))}, of those between its"
            f" {format_duration(own[0])} .. {format_duration(own[-1])}; give forecasts that have them all, or end"
            " before the first that is missing"
        )


def _between(leads: np.ndarray) -> list[np.timedelta64]:
    """Return what lies in holes of rising leads, spaced as beside them."""
    steps = np.diff(leads)
    found: list[np.timedelta64] = []
    for place in np.flatnonzero(~follows(leads)[1:]):
        step = steps[max(place - 1, 0) : place + 2].min()
        found.extend(np.arange(leads[place] + step, leads[place + 1], step))
    return found
