"""A picture of strike probabilities: members drawn around a real hurricane's best track.

    python benchmarks/strike_probability_picture.py BEST_TRACKS.txt [STORM_ID INIT_TIME] [FOLDER]

No forecast is here: members are the best track, turned aside and hurried or delayed by errors that grow with lead as
those of good ensembles do, so the picture and the verdict beside it are what a reliable ensemble gives.
"""

import sys
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from weatherml import plot
from weatherml.extremes.tracks import make
from weatherml.extremes.tracks.best_tracks import hurdat2
from weatherml.extremes.tracks.judging import errors, mean_tracks, spread_and_error, strike_probability
from weatherml.grid import LatLonGrid
from weatherml.sphere.great_circles import bearing, destination

N_MEMBERS, N_COLOURS = 50, 96
KM_A_DAY, KM_AT_FIRST = 45.0, 15.0
"""Standard deviation of errors in each direction: those of the mean are about twice as large after five days."""


def members(best, init_time, n_members=N_MEMBERS, leads=5 * 4, seed=1):
    """Return tracks of members, of which the best track could be another one."""
    rng = np.random.default_rng(seed)
    own = best.isel(record=(best["time"].values >= init_time) & (best["time"].dt.hour.values % 6 == 0))
    own = own.isel(record=slice(0, leads + 1))
    days = (own["time"].values - init_time) / np.timedelta64(1, "D")
    size = KM_AT_FIRST + KM_A_DAY * days
    drift = rng.normal(size=(2, n_members, 1)) - rng.normal(size=(2, 1, 1))
    wiggle = np.cumsum(rng.normal(0, 0.25, (2, n_members, len(days))), axis=-1) / np.sqrt(1 + np.arange(len(days)))
    along, across = size * (drift + wiggle)
    ahead = bearing(own["latitude"].values[:-1], own["longitude"].values[:-1], own["latitude"].values[1:],
                    own["longitude"].values[1:])  # fmt: skip
    ahead = np.nan_to_num(np.append(ahead, ahead[-1]))
    direction = ahead + np.degrees(np.arctan2(across, along))
    place = destination(own["latitude"].values, own["longitude"].values, direction, np.hypot(along, across))
    columns = {name: np.tile(own[name].values, n_members) for name in ("time", "storm_id", "maximum_wind_speed")}
    number = np.repeat(np.arange(n_members), len(days))
    return make(columns | {"latitude": place[0].ravel(), "longitude": place[1].ravel(), "number": number,
                           "track_id": number, "init_time": np.full(number.size, init_time)})  # fmt: skip


def region(west, east, south, north, step=0.25):
    """Return a grid of a region, in longitudes from 0 to 360."""
    return LatLonGrid.from_coordinates(np.arange(north, south - step / 2, -step), np.arange(west, east, step) % 360)


def main(path, storm_id="AL092022", init_time="2022-09-25T00", folder="."):
    best = hurdat2.read(path)
    storm = best.isel(record=np.flatnonzero(best["storm_id"].values == storm_id))
    first = np.datetime64(init_time, "ns")
    ensemble = members(storm, first)
    probability = strike_probability(ensemble, region(265, 293, 11, 40), N_MEMBERS, (None, "5d"), init_times=[first])
    shown = storm.isel(record=(storm["time"].values >= first))
    name = str(storm["name"].values[0]).title()
    figure = plot.strike_probability(
        probability.isel(init_time=0), ensemble, shown, title=f"{name}: a storm's centre within 120 km in five days"
    )
    drawn = BytesIO()
    figure.savefig(drawn, dpi=110)
    picture = Image.open(drawn).convert("RGB").quantize(N_COLOURS, dither=Image.Dither.NONE)
    picture.save(Path(folder) / "strike_probability.png", optimize=True)
    scores = spread_and_error(mean_tracks(errors(ensemble, best)))
    for lead in scores["lead_time"].values[::4]:
        at = scores.sel(lead_time=lead, bound="estimate")
        print(f"{lead / np.timedelta64(1, 'h'):4.0f} h  spread {float(at['spread']):4.0f} km  error of the mean"
              f" {float(at['error']):4.0f} km")  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
