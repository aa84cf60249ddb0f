"""Print every lead of a finished run as markdown and draw its errors: the table and the picture of a winter of ERA5.

python benchmarks/era5_winter.py runs/winter docs/images/era5_winter.png
"""

import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import xarray as xr
from PIL import Image

import weatherml as wml

DPI, N_COLOURS = 90, 64
UNITS = {"mean_sea_level_pressure": ("Pa", 1, 0), "vorticity_850": ("1e-5 s-1", 1e5, 2)}


def rows(scores: xr.Dataset, channel: str) -> list[list[str]]:
    """Return a row a system and a cell a lead: RMSE and its 95 % interval."""
    _, factor, digits = UNITS[channel]
    rmse = factor * scores["rmse"].sel(channel=channel)

    def cell(values: xr.DataArray) -> str:
        low, middle, high = (f"{float(values.sel(bound=bound)):.{digits}f}" for bound in ("lower", "estimate", "upper"))
        return f"{middle} ({low}-{high})"

    leads = rmse["lead_time"].values
    return [
        [str(name), *(cell(rmse.sel(system=name, lead_time=lead)) for lead in leads)] for name in rmse["system"].values
    ]


def write_table(scores: xr.Dataset, channel: str) -> None:
    """Print the leads as rows and the systems as columns."""
    names, *columns = zip(*rows(scores, channel), strict=True)
    hours = scores["lead_time"].values / np.timedelta64(1, "h")
    print(f"\n| RMSE of {channel}, {UNITS[channel][0]} |", " | ".join(names), "|")
    print("|---|" + "---|" * len(names))
    for hour, cells in zip(hours, columns, strict=True):
        print(f"| {hour:g} h |", " | ".join(cells), "|")


def draw(scores: xr.Dataset, output: Path) -> None:
    """Write the errors by lead time as a small picture."""
    drawn = BytesIO()
    wml.plot.skill(scores, "rmse").savefig(drawn, dpi=DPI)
    Image.open(drawn).convert("RGB").quantize(N_COLOURS, dither=Image.Dither.NONE).save(output, optimize=True)
    print(output, output.stat().st_size, "bytes")


def main() -> None:
    run, output = map(Path, sys.argv[1:3])
    with xr.open_dataset(run / "scores.nc") as scores:
        for channel in UNITS:
            write_table(scores, channel)
        draw(scores, output)


if __name__ == "__main__":
    main()
