"""What is a model that was trained by CRPS worth? Its ensemble beside the demonstration's, at the same initial times.

weatherml demo
mkdir -p runs/planet_crps && ln -s ../demo/data.zarr runs/planet_crps/data.zarr
weatherml demo configs/planet_crps.yaml -o runs/planet_crps
python benchmarks/noise_conditioned.py runs/demo runs/planet_crps
"""

import sys
from pathlib import Path

import numpy as np
import xarray as xr

DAYS = (1, 3, 5, 10)
COLUMNS = {
    "fair CRPS": ("crps_fair", "ensemble"),
    "spread over error": ("spread_skill", "ensemble"),
    "RMSE of the mean": ("rmse", "ensemble"),
    "RMSE of the control": ("rmse", "forecast"),
}


def read(folder: str) -> xr.Dataset:
    """Return the estimates of a run, `(system, channel, lead_time)` with leads in days."""
    scores = xr.load_dataset(Path(folder) / "scores.nc", engine="netcdf4", decode_timedelta=True)
    days = scores["lead_time"] / np.timedelta64(1, "D")
    return scores.sel(bound="estimate").assign_coords(lead_time=days).sel(lead_time=list(DAYS))


def main() -> None:
    perturbed, conditioned = map(read, sys.argv[1:3])
    for title, (metric, system) in COLUMNS.items():
        ours, theirs = (scores[metric].sel(system=system) for scores in (conditioned, perturbed))
        print(f"\n{title}: noise-conditioned / perturbed" + ("" if metric == "spread_skill" else " (ratio)") + "\n")
        print("| channel | " + " | ".join(f"{day} d" for day in DAYS) + " |\n|---|" + "---|" * len(DAYS))
        for channel in ours["channel"].values:
            pairs = zip(ours.sel(channel=channel).values, theirs.sel(channel=channel).values, strict=True)
            cells = [f"{a:.3g} / {b:.3g}" + ("" if metric == "spread_skill" else f" ({a / b:.2f})") for a, b in pairs]
            print(f"| {channel} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
