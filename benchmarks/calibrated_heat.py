"""Probabilities of real heat, calibrated on one part of a summer and judged on the next.

python benchmarks/calibrated_heat.py FOLDER docs/images/calibrated_heat.png > benchmarks/calibrated_heat.md

FOLDER holds ERA-Interim's daily maxima of 2 m temperature, 2.5 degrees, March to August of 2012 and 2015, as
erainterim_t2m_dailymax_2p5deg_2012.nc and _2015.nc. The event: above the 90th percentile of 31 days around the date in
2012. The forecast: the last ten days (`persistence_ensemble`), as if any of them could come again.
"""

import sys
import time
from pathlib import Path

import numpy as np

from weatherml import plot
from weatherml.data.reading.opening import open_files
from weatherml.extremes import calendar_quantiles
from weatherml.extremes.calibration import Calibration, HeldOut
from weatherml.verification import accumulate
from weatherml.verification.baselines import persistence_ensemble

CALIBRATION, TEST = ("2015-03-15", "2015-06-10"), ("2015-06-11", "2015-08-31")
LEADS = np.array([1, 2, 3, 5, 7]) * np.timedelta64(1, "D").astype("timedelta64[ns]")
RISK = 0.3
HEAD = f"""# Calibrated heat

{__doc__.splitlines()[0]}

    {__doc__.splitlines()[2]}

{" ".join(__doc__.splitlines()[4:])}

Calibrated on {" to ".join(CALIBRATION)}, {{blocks}} blocks of five days, judged on {" to ".join(TEST)}; warnings may
miss {100 * RISK:.0f} % of the area of heat. Brier scores and reliability times 100, the rest per cent.

| lead | Brier: raw | isotonic | Venn-Abers | reliability: raw | isotonic | Venn-Abers | warn from | missed | warned |
|---|---|---|---|---|---|---|---|---|---|"""


def sums(truth, threshold, first, last):
    times = truth["time"].sel(time=slice(first, last)).values
    init_times = times[times + LEADS[-1] <= times[-1]]
    forecast = persistence_ensemble(truth, init_times, LEADS, members=10)
    return accumulate(forecast, truth, "brier", references={"threshold": threshold})


def main(folder, picture):
    known, truth = (open_files([Path(folder, f"erainterim_t2m_dailymax_2p5deg_{year}.nc")]) for year in (2012, 2015))
    truth = truth.load()
    threshold = calendar_quantiles(known, [0.9], ("2012", "2012"), 31)
    began = time.process_time()
    learnt, later = (sums(truth, threshold, *own) for own in (CALIBRATION, TEST))
    judging = time.process_time() - began
    began = time.process_time()
    calibration = Calibration.fit(learnt, HeldOut(CALIBRATION, {"climate": ("2012", "2012"), "test": TEST}), risk=RISK)
    verdict = calibration.verdict(later).isel(channel=0)
    seconds = time.process_time() - began
    plot.calibration(calibration, calibration.verdict(later)).savefig(picture)
    print(HEAD.format(blocks=calibration.dataset.attrs["blocks"]))
    for lead in LEADS:
        own = verdict.sel(lead_time=lead)
        warn = calibration.dataset["warn_from"].isel(channel=0).sel(lead_time=lead).item()
        cells = [f"{100 * value:.2f}" for name in ("brier", "reliability") for value in own[name].values]
        cells += [f"{100 * value:.0f}" for value in (warn, own["missed"].item(), own["warned"].item())]
        print(f"| {lead // np.timedelta64(1, 'D')} d | {' | '.join(cells)} |")
    print(f"\nProcessor time: counting {judging:.1f} s, learning and verdict {seconds:.2f} s.")


main(*sys.argv[1:])
