"""Which of many differences are there, when one in twenty of those that are not looks as if it were."""

import numpy as np


def discoveries(p_values: np.ndarray, false_discovery: float) -> np.ndarray:
    """Return where a difference is taken to be there, of which no more than such a share are expected not to be
    (Benjamini and Hochberg 1995, doi:10.1111/j.2517-6161.1995.tb02031.x; for maps and cards that are correlated, Wilks
    2016, doi:10.1175/BAMS-D-15-00267.1).

    Args:
        p_values: Of any shape; NaN where nothing was tested.
        false_discovery: The share.
    """
    known = np.sort(p_values[np.isfinite(p_values)])
    passed = np.flatnonzero(known <= false_discovery * np.arange(1, len(known) + 1) / max(1, len(known)))
    return p_values <= (known[passed[-1]] if len(passed) else -1)
