"""Draw the picture of the README: a forecast of the demonstration beside what came.

python benchmarks/first_screen.py runs/demo docs/images/first_forecast.png
"""

import sys
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

import weatherml as wml

DPI, N_COLOURS = 90, 160
LEAD = np.timedelta64(3, "D")


def main() -> None:
    run, output = map(Path, sys.argv[1:3])
    forecasts, store = wml.open_forecast(run / "forecast.zarr"), wml.open_store(run / "data.zarr")
    start = forecasts.isel(init_time=forecasts.sizes["init_time"] // 2)
    forecast = start["temperature"].sel(level=850, lead_time=LEAD, number=0)
    truth = store["temperature"].sel(level=850, time=forecast["valid_time"].values)
    orography = store["geopotential_at_surface"].load()
    drawn = BytesIO()
    wml.plot.forecast_vs_truth(forecast, truth, coastlines=False, orography=orography).savefig(drawn, dpi=DPI)
    Image.open(drawn).convert("RGB").quantize(N_COLOURS, dither=Image.Dither.NONE).save(output, optimize=True)
    print(output, output.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
