"""Return levels by pyextremes and lmoments3 of the series in a file, as JSON; run by return_periods.py."""

import json
import sys
import time

import lmoments3
import lmoments3.distr
import numpy as np
import pandas as pd
from pyextremes import EVA
from scipy import stats


def main(path: str) -> None:
    """Print what they find."""
    given = np.load(path)
    daily = pd.Series(given["daily"].astype(float), pd.DatetimeIndex(given["times"]))
    found = {}
    blocks = EVA(daily)
    blocks.get_extremes("BM", block_size="365.2425D")
    maxima = given["maxima"].astype(float)
    begin = time.process_time()
    fitted = lmoments3.distr.gev.lmom_fit(maxima.tolist())
    found["lmoments3 seconds"] = time.process_time() - begin
    found["lmoments"] = [fitted["loc"], fitted["scale"], -fitted["c"]]
    begin = time.process_time()
    shape, location, scale = stats.genextreme.fit(maxima)
    found["scipy seconds"] = time.process_time() - begin
    found["likelihood"] = [location, scale, -shape]
    peaks = EVA(daily)
    peaks.get_extremes("POT", threshold=float(given["threshold"]), r="72h")
    found["peaks"] = peaks.extremes.values.tolist()
    peaks.fit_model("MLE", distribution="genpareto")
    begin = time.process_time()
    levels = peaks.get_return_value([10, 100], alpha=0.95, n_samples=200)
    found["pyextremes seconds"] = time.process_time() - begin
    found["pot levels"] = [np.atleast_1d(own).tolist() for own in levels]
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
