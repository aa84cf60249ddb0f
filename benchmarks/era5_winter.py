"""Print the errors of a finished run at every lead as markdown and draw them: a winter of ERA5.

python benchmarks/era5_winter.py runs/winter docs/images/era5_winter.png
"""

import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import xarray as xr
from PIL import Image

import weatherml as wml
from weatherml.data.statistics.climatology import Climatology
from weatherml.verification import accumulate, baselines, compare

DPI, N_COLOURS = 90, 64
UNITS = {"mean_sea_level_pressure": ("Pa", 1, 0), "vorticity_850": ("1e-5 s-1", 1e5, 2)}


def difference(run: Path) -> xr.DataArray:
    """Return the error of the forecast less that of damped persistence from the same initial times."""
    forecast = wml.open_forecast(run / "forecast.zarr").sel(number=0, drop=True)
    store, climatology = wml.open_store(run / "data.zarr"), Climatology.load(run / "climatology.nc")
    leads = forecast["lead_time"].values
    damping = baselines.fit_damping(store.sel(time=slice(*climatology.period)), climatology, leads)
    damped = baselines.damped_persistence(store, climatology, damping, forecast["init_time"].values, leads)
    return compare(*(accumulate(system, store, "rmse", climatology) for system in (forecast, damped)), "rmse")


def write_table(columns: dict[str, xr.DataArray], channel: str) -> None:
    """Print a row a lead time and a column a system, `(bound, channel, lead_time)`."""
    units, factor, digits = UNITS[channel]
    names = list(columns)
    print(f"\n| RMSE of {channel}, {units} |", " | ".join(names), "|")
    print("|---|" + "---|" * len(names))
    for lead in columns[names[0]]["lead_time"].values:
        cells = []
        for values in columns.values():
            one = factor * values.sel(channel=channel, lead_time=lead)
            middle, low, high = (f"{float(one.sel(bound=b)):.{digits}f}" for b in ("estimate", "lower", "upper"))
            cells.append(f"{middle} ({low} to {high})")
        print(f"| {lead / np.timedelta64(1, 'h'):g} h |", " | ".join(cells), "|")


def draw(scores: xr.Dataset, output: Path) -> None:
    """Write the errors by lead time as a small picture."""
    drawn = BytesIO()
    wml.plot.skill(scores, "rmse").savefig(drawn, dpi=DPI)
    Image.open(drawn).convert("RGB").quantize(N_COLOURS, dither=Image.Dither.NONE).save(output, optimize=True)
    print(output, output.stat().st_size, "bytes")


def main() -> None:
    run, output = map(Path, sys.argv[1:3])
    with xr.open_dataset(run / "scores.nc", decode_timedelta=True) as scores:
        columns = {str(name): scores["rmse"].sel(system=name) for name in scores["system"].values}
        columns["forecast less damped persistence"] = difference(run)
        for channel in UNITS:
            write_table(columns, channel)
        draw(scores, output)


if __name__ == "__main__":
    main()
