"""How often an event happened after each probability, as a function that never falls."""

import numpy as np
from scipy.optimize import isotonic_regression


def isotonic(cases: np.ndarray, events: np.ndarray) -> np.ndarray:
    """Return the frequency of the event in each class, made to rise by pooling neighbours that violate it.

    Pool adjacent violators (Ayer et al. 1955; as calibration: Zadrozny and Elkan 2002, doi:10.1145/775047.775151).
    Between classes that have cases it is linear, beyond them constant; NaN where there is none at all.

    Args:
        cases: Weight of the cases in each class, rising in probability, `[class]`.
        events: Weight of those in which the event happened, `[class]`.

    Returns:
        `[class]`, 0 to 1.
    """
    there = np.flatnonzero(cases > 0)
    if not len(there):
        return np.full(len(cases), np.nan)
    fitted = isotonic_regression(events[there] / cases[there], weights=cases[there]).x
    return np.asarray(np.interp(np.arange(len(cases)), there, fitted))


def venn_abers(cases: np.ndarray, events: np.ndarray, weight: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Return between which probabilities that of the event lies, after each class.

    The inductive Venn-Abers predictor (Vovk et al. 2015, arXiv:1511.00213): what `isotonic` would say at the class if
    the case at hand were one more of it without the event, and with it. One of the two is calibrated, whatever the
    forecast, as long as that case is drawn as the others were; how far they are apart says how few cases speak for it.

    Args:
        cases: As of `isotonic`.
        events: As of `isotonic`.
        weight: Of the case at hand, in the units of `cases`.

    Returns:
        Lower and upper, each `[class]`.
    """
    classes = range(len(cases))
    one_more = weight * np.eye(len(cases))
    lower = [isotonic(cases + one_more[own], events)[own] for own in classes]
    upper = [isotonic(cases + one_more[own], events + one_more[own])[own] for own in classes]
    return np.array(lower), np.array(upper)


def merged(lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """Return the one probability between two of `venn_abers` that loses least whichever is right.

    In the logarithmic score (Vovk et al. 2015, section 5).
    """
    probability: np.ndarray = upper / (1 - lower + upper)
    return probability
