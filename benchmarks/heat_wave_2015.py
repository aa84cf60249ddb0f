"""Find the heat waves of a real summer, and draw the worst of them.

python benchmarks/heat_wave_2015.py SHARED docs/images/heat_wave_2015.png

SHARED/reanalysis has erainterim_t2m_dailymax_2p5deg_{2012,2015}.nc: daily maxima, ERA-Interim. The percentile is of a
single other year, 31 days around each date: enough to find a heat wave as strong as this one, and for no more.
"""

import argparse
from pathlib import Path

import numpy as np
import xarray as xr

import weatherml
from weatherml import plot
from weatherml.extremes import objects
from weatherml.extremes.hazards import heat
from weatherml.verification.aggregation.regions import Region

EUROPE = Region(32.5, 72.5, -15, 50)
SUMMER = slice("2015-06-01", "2015-08-31")
DEFINITIONS = {
    "as it is by default": heat.HeatWave(),
    "cells touch along sides": heat.HeatWave(neighbours=4),
    "and 2 K beyond": heat.HeatWave(neighbours=4, margin=2.0),
}
SHOWN = ["onset", "end", "area", "largest_area", "latitude", "longitude", "maximum_exceedance", "cumulated_exceedance"]


def main(shared: Path, image: Path) -> None:
    """Print the three most severe of each definition, and draw the worst of the last."""
    files = [shared / "reanalysis" / f"erainterim_t2m_dailymax_2p5deg_{year}.nc" for year in (2012, 2015)]
    past, year = (europe(weatherml.open_files([file])) for file in files)
    for words, definition in DEFINITIONS.items():
        threshold = heat.threshold(past, definition, ("2012", "2012"))
        waves = heat.heat_waves(year.sel(time=SUMMER), definition, threshold)
        worst = waves.to_dataframe().sort_values("severity", ascending=False)
        print(f"{words}: {len(worst)}\n{worst[SHOWN].head(3).to_string(index=False, float_format='%.1f')}")
    draw(year.sel(time=SUMMER), definition, threshold, worst.iloc[0]).savefig(image)


def europe(fields: xr.Dataset) -> xr.Dataset:
    """Return the part from the Atlantic to the Urals."""
    held = EUROPE.holds(weatherml.LatLonGrid.from_dataset(fields))
    return fields.isel(latitude=np.flatnonzero(held.any(axis=1)), longitude=np.flatnonzero(held.any(axis=0)))


def draw(year, definition, threshold, wave):
    """Draw how many K days each place had of heat waves while one lasted, and where that one was."""
    event, beyond = (make(year, definition, threshold) for make in (heat.event, heat.exceedance))
    grid = weatherml.LatLonGrid.from_dataset(event)
    labels = event.copy(data=objects.label(event.values, grid, definition.neighbours, connect_time=True))
    days = slice(wave["onset"], wave["end"])
    strength = (beyond * event).sel(time=days).sum("time")
    strength.attrs = {"long_name": "Heat beyond the 90th percentile and 2 K, summed over the days", "units": "K day"}
    title = f"Heat wave of {wave['onset']:%-d %B} to {wave['end']:%-d %B %Y}"
    note = (
        f"line: all that it covered, {wave['area'] / 1e6:.2f} million km², on one day {wave['largest_area'] / 1e6:.2f}"
    )
    return plot.event_objects(strength, (labels == wave["label"]).any("time"), title=title, note=note)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("shared", type=Path)
    parser.add_argument("image", type=Path)
    arguments = parser.parse_args()
    main(arguments.shared, arguments.image)
