"""What was known when a forecast began: the analyses that lie before it."""

from dataclasses import dataclass

import numpy as np

_DAY = np.timedelta64(1, "D")


@dataclass(frozen=True, eq=False)
class Before:
    """Analyses before a forecast, spaced as it is.

    Attributes:
        wanted: Times that they would have, `datetime64[ns]` `[time]`.
        found: Which of these there are, bool `[time]`.
        places: Of those that there are, among all analyses.
    """

    wanted: np.ndarray
    found: np.ndarray
    places: np.ndarray

    @property
    def times(self) -> np.ndarray:
        """Of those that there are, at the forecast's hour."""
        own: np.ndarray = self.wanted[self.found]
        return own


def analyses_before(
    analyses: np.ndarray, times: np.ndarray, init_time: np.datetime64, history: np.timedelta64, of_days: bool
) -> Before:
    """Look for analyses before a forecast.

    Values of days are told apart by their date: files call a day by any of its hours. The day on which a forecast
    begins is known where it has no value of it itself.

    Args:
        analyses: Times of all of them, rising.
        times: Of the forecast, rising.
        init_time: When it began.
        history: For how long before.
        of_days: Whether events are of days; where analyses have one value a day, the hours need not be the same.
    """
    step = times[1] - times[0] if len(times) > 1 else times[0] - init_time
    n_before = int(history // step) if step > np.timedelta64(0, "ns") else 0
    wanted = times[0] - step * np.arange(n_before, 0, -1)
    own, known, until = wanted, analyses, init_time
    if of_days and step % _DAY == np.timedelta64(0, "ns") and not np.isin(wanted, analyses).any():
        dates = [np.asarray(each).astype("datetime64[D]") for each in (wanted, analyses, init_time)]
        if len(np.unique(dates[1])) == len(dates[1]):
            own, known, until = dates  # type: ignore[assignment]
    reached = own <= until
    wanted, own = wanted[reached], own[reached]
    found = np.isin(own, known)
    return Before(wanted, found, np.flatnonzero(np.isin(known, own[found])))
