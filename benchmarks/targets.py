"""Print how a finished run stands against its targets, as markdown.

python benchmarks/targets.py runs/demo        # or runs/planet, of configs/planet.yaml
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import xarray as xr

DAY = np.timedelta64(1, "D")
LEADS = (0.25, 1, 3, 5, 7, 10)


def estimate(scores: xr.Dataset, metric: str, system: str) -> xr.DataArray:
    values = scores[metric].sel(bound="estimate", system=system)
    return values.assign_coords(lead_time=values["lead_time"].values / DAY)


def to_day(better: xr.DataArray) -> float:
    """The last lead in days up to which it holds at every lead; 0 where it fails at the first."""
    held = np.cumprod(better.values).sum()
    return float(better["lead_time"].values[held - 1]) if held else 0.0


def targets(scores: xr.Dataset) -> Iterator[tuple[str, str, list[str]]]:
    rmse = {system: estimate(scores, "rmse", system) for system in scores["system"].values}
    yield "forecast beats persistence to day", "5; 7", days(rmse["forecast"] < rmse["persistence"])
    yield "forecast beats climatology to day", "3; 5", days(rmse["forecast"] < rmse["climatology"])
    yield "forecast beats damped persistence to day", "-", days(rmse["forecast"] < rmse["damped persistence"])
    yield "anomaly correlation above 0.6 to day", "-; 5", days(estimate(scores, "acc", "forecast") > 0.6)
    if "ensemble" not in rmse:
        return
    yield "ensemble mean beats persistence to day", "-; 10", days(rmse["ensemble"] < rmse["persistence"])
    yield "ensemble mean beats climatology to day", "-", days(rmse["ensemble"] < rmse["climatology"])
    ratio = (rmse["ensemble"] / rmse["forecast"]).sel(lead_time=7, method="nearest")
    yield "RMSE of the ensemble mean over the forecast's at day 7", "<= 1", [f"{r:.3f}" for r in ratio.values]
    crps = estimate(scores, "crps_fair", "ensemble") / estimate(scores, "mae", "forecast")
    worst = crps.sel(lead_time=crps["lead_time"] > 2).max("lead_time")
    yield "fair CRPS over the forecast's MAE, worst lead past day 2", "< 1", [f"{r:.3f}" for r in worst.values]


def days(better: xr.DataArray) -> list[str]:
    return [f"{to_day(better.sel(channel=channel)):g}" for channel in better["channel"].values]


def print_row(*cells: str) -> None:
    print("| " + " | ".join(cells) + " |")


def print_table(scores: xr.Dataset, metric: str) -> None:
    values = scores[metric].dropna("system", how="all")
    held = [day for day in LEADS if day in values["lead_time"].values / DAY]
    print_row(metric, "system", *(f"{day:g} d" for day in held))
    print_row(*["---"] * (len(held) + 2))
    for channel in values["channel"].values:
        for system in values["system"].values:
            bounds = values.sel(channel=channel, system=system)
            leads = [bounds.sel(lead_time=np.timedelta64(int(24 * day), "h")).sel for day in held]
            cells = [
                f"{lead(bound='estimate'):.3g} ({lead(bound='lower'):.3g}-{lead(bound='upper'):.3g})" for lead in leads
            ]
            print_row(channel, system, *cells)
    print()


def main() -> None:
    scores = xr.load_dataset(Path(sys.argv[1]) / "scores.nc", decode_timedelta=True)
    print_row("what", "target (demonstration; long one)", *map(str, scores["channel"].values))
    print_row(*["---"] * (2 + scores.sizes["channel"]))
    for name, target, cells in targets(scores):
        print_row(name, target, *cells)
    print()
    for metric in ("rmse", "acc", "spread_skill"):
        if metric in scores:
            print_table(scores, metric)


if __name__ == "__main__":
    main()
