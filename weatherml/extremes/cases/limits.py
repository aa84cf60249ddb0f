"""What a case cannot be judged on, or only with a word to it: leads that a forecast lacks, days of other hours."""

import numpy as np

from weatherml.durations import format_duration
from weatherml.errors import UserError
from weatherml.errors.wording import listed
from weatherml.extremes.cases.stage import Stage
from weatherml.extremes.hazards.steps import follows
from weatherml.times import parse_period

_DAY = np.timedelta64(1, "D")


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


def other_hours(name: str, times: np.ndarray, stage: Stage) -> str:
    """Say where days of a forecast are of other hours than those of the truth: a maximum of more values is higher.

    One value a day is that of the day, whatever its hour.

    Args:
        name: Of the system.
        times: Valid times of a forecast, `datetime64[ns]` `[lead]`.
        stage: On what it is judged.

    Returns:
        Empty where they are not, or events are of no days.
    """
    if not callable(getattr(stage.definition, "days", None)):
        return ""
    first, last = parse_period(stage.case.period)
    truth = stage.truth["time"].values
    own, true = _hours(times), _hours(truth[(truth >= first - _DAY) & (truth <= last + _DAY)])
    if own == true or len(own) == len(true) == 1:
        return ""
    return (
        f"the hours of the day differ: {name} has values at {listed(own)} UTC, and the truth at {listed(true)} UTC,"
        " so that extremes of the day do; give both at the same hours"
    )


def _hours(times: np.ndarray) -> list[str]:
    """Return hours of the day, rising, as words."""
    minutes = np.unique((times - times.astype("datetime64[D]")) // np.timedelta64(1, "m")).astype(int)
    return [f"{own // 60:02}" + (f":{own % 60:02}" if own % 60 else "") for own in minutes]


def _between(leads: np.ndarray) -> list[np.timedelta64]:
    """Return what lies in holes of rising leads, spaced as beside them."""
    steps = np.diff(leads)
    found: list[np.timedelta64] = []
    for place in np.flatnonzero(~follows(leads)[1:]):
        step = steps[max(place - 1, 0) : place + 2].min()
        found.extend(np.arange(leads[place] + step, leads[place + 1], step))
    return found
