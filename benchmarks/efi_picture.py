"""Draw the extreme forecast index of a real heat wave: of the days before it, taken as an ensemble.

python benchmarks/efi_picture.py SHARED docs/images/efi.png

SHARED/reanalysis has erainterim_t2m_dailymax_2p5deg_{2012,2015}.nc. The forecast is persistence: the daily maxima of
the last ten days. The climate is of a single year, 61 days around each date: enough for a picture, and for no more.
"""

import argparse
from pathlib import Path

import numpy as np
import xarray as xr

import weatherml
from weatherml import extremes, plot
from weatherml.verification import baselines

INIT = np.array(["2015-07-04T09"], "datetime64[ns]")
LEAD = np.array([24], "timedelta64[h]").astype("timedelta64[ns]")
WINDOW_DAYS, N_MEMBERS = 61, 10


def main(shared: Path, image: Path) -> None:
    """Draw July 2015 against 2012: Europe, and the globe beside it."""
    files = [shared / "reanalysis" / f"erainterim_t2m_dailymax_2p5deg_{year}.nc" for year in (2012, 2015)]
    past, year = (weatherml.open_files([file]) for file in files)
    forecast = baselines.persistence_ensemble(year, INIT, LEAD, N_MEMBERS)
    percentiles = extremes.PERCENTILES
    climate = extremes.calendar_quantiles(past, percentiles, ("2012", "2012"), WINDOW_DAYS, times=INIT + LEAD)
    index, tails = (
        own["2m_temperature"][0, 0] for own in (extremes.efi(forecast, climate), extremes.sot(forecast, climate))
    )
    plot.efi(*map(europe, (index, tails))).savefig(image)
    plot.efi(index, tails).savefig(image.with_name(f"{image.stem}_globe{image.suffix}"))


def europe(field: xr.DataArray) -> xr.DataArray:
    """Return the part from the Atlantic to the Urals."""
    east = (field["longitude"] + 180) % 360 - 180
    return field.sel(latitude=slice(72.5, 32.5)).isel(longitude=np.flatnonzero((east >= -15) & (east <= 50)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("shared", type=Path)
    parser.add_argument("image", type=Path)
    arguments = parser.parse_args()
    main(arguments.shared, arguments.image)
