# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The storms of a winter
#
# Every low of a season is found, followed for as long as it lives, and compared with the storms that another tracker
# has found in the same analyses: ERA5 of December 2025 to February 2026 every six hours, and Hodges' TRACK. Where these
# files are not beside the checkout, a made-up winter stands in, whose storms are known because they were put there.

# %%
from dataclasses import replace
from pathlib import Path

import numpy as np
import xarray as xr

import weatherml as wml
from weatherml.extremes.tracks import FILTERED_LOWS, imilast, make, to_frame, track
from weatherml.extremes.tracks.density import lasting, lifetimes, track_density
from weatherml.extremes.tracks.filtering import Band, band_passed
from weatherml.extremes.tracks.imilast import ANOMALY
from weatherml.extremes.tracks.matching import Matching, match, match_rates
from weatherml.sphere.great_circles import destination, distance

# %config InlineBackend.print_figure_kwargs = {"dpi": 66}

shared = Path("../../shared")
STORE = shared / "reanalysis/era5_msl_2025-2026_djf_2.5x2.5.zarr"
TRACKS = shared / "reference/cyclones/era5_msl_2025-2026_djf_2.5x2.5_hodges_imilast.txt"
is_real = STORE.exists() and TRACKS.exists()

# %% [markdown]
# ## Analyses, and storms to compare with


# %%
def made_up_winter(n_storms=40, n_times=120):
    """Return pressure with lows that go north-eastward or south-eastward, and their tracks."""
    rng, grid = np.random.default_rng(6), wml.LatLonGrid.regular(73, 144)
    times = np.datetime64("2025-12-01", "ns") + np.arange(n_times) * np.timedelta64(6 * 3600 * 10**9)
    pressure = np.full((n_times, *grid.shape), 101300.0, np.float32)
    rows = {"track_id": [], "time": [], "latitude": [], "longitude": []}
    for storm in range(n_storms):
        first, n_own = rng.integers(0, n_times - 20), rng.integers(9, 20)
        side = rng.choice([-1, 1])
        km = 250.0 * np.arange(n_own)
        latitude, longitude = destination(side * rng.uniform(35, 50), rng.uniform(0, 360), 90 - 15 * side, km)
        depth = 4000 * np.sin(np.pi * (np.arange(n_own) + 1) / (n_own + 1))
        for age in range(n_own):
            away = distance(latitude[age], longitude[age], np.array(grid.latitude)[:, None], np.array(grid.longitude))
            pressure[first + age] -= depth[age] * np.exp(-((away / 700) ** 2))
        own = np.full(n_own, storm), times[first : first + n_own], latitude, longitude
        for name, values in zip(rows, own, strict=True):
            rows[name].append(values)
    coords = {"time": times, "latitude": list(grid.latitude), "longitude": list(grid.longitude)}
    field = xr.DataArray(pressure, coords, ("time", "latitude", "longitude"), "mean_sea_level_pressure")
    return field.assign_attrs(units="Pa"), make({name: np.concatenate(values) for name, values in rows.items()})


if is_real:
    pressure, reference = wml.open_files([str(STORE)])["mean_sea_level_pressure"].load(), imilast.read(TRACKS)
else:
    pressure, reference = made_up_winter()
print("ERA5 and TRACK" if is_real else "a made-up winter", dict(pressure.sizes), reference.sizes["record"], "records")

# %% [markdown]
# A low over a warm continent need not be a storm, and the deepest one of an ocean may hide others. So storms are looked
# for in the waves that are neither as large as these nor as small as a few points of the grid: total wavenumbers 5 to
# 36, in which TRACK has found them on this grid.

# %%
anomaly = band_passed(pressure, Band(5, 36))
moment = "2025-12-14T00"
wml.plot.map(pressure.sel(time=moment))

# %%
shown = anomaly.sel(time=moment).rename("mean_sea_level_pressure")
wml.plot.map(shown, difference=True, title="The same in total wavenumbers 5 to 36")

# %% [markdown]
# ## Found and followed
#
# Every minimum below zero counts; of lows that were made up, the ripples around them must not. From one time to the
# next a storm goes no further than 6.5 degrees, and no further than 4 from where its last motion would take it; what
# lives for less than half a day is left out.

# %%
detection, linking = FILTERED_LOWS
storms = track(anomaly.to_dataset(), detection if is_real else replace(detection, intensity=-500.0), linking)
lasting(storms, 2)

# %%
north = (-100, 45, 20, 80)
early = storms.isel(record=storms["time"].values < np.datetime64("2025-12-20"))
wml.plot.tracks(lasting(early, 2), color=ANOMALY, region=north)

# %% [markdown]
# ## The same storms as another tracker's?
#
# TRACK's file needs two repairs first: at the pole itself each column of the grid has a copy of one storm, and the
# winter was tracked in seven periods that overlap by three times, at whose borders storms are cut in two.
#
# Two tracks are of one storm where they are less than four degrees apart on average, and have half of their times in
# common.

# %%
ids, place = np.unique(reference["track_id"], return_inverse=True)
at_pole = np.bincount(place, reference["latitude"].values > 89.99) / np.bincount(place)
theirs = imilast.rejoined(reference.isel(record=np.flatnonzero(at_pole[place] < 0.5)))
pairs = match(theirs, storms, Matching(separation=444.8, overlap=0.5))
rates = match_rates(lasting(theirs, 2), lasting(storms, 2), pairs)
print(f"{rates['n_first']} storms of two days and more in theirs, of which {100 * rates['first']:.0f} % are in ours")
print(f"{rates['n_second']} in ours, of which {100 * rates['second']:.0f} % are in theirs")
print(f"{rates['separation']:.0f} km apart on average")

# %%
for name, own in {"ours": storms, "theirs": theirs}.items():
    days = lifetimes(lasting(own, 2))
    median, long, longest = (float(days.quantile(share)) for share in (0.5, 0.9, 1))
    print(f"{name:7} median {median:.1f} days, a tenth more than {long:.1f}, longest {longest:.1f}")

# %%
grid = wml.LatLonGrid.from_dataset(pressure)
densities = [track_density(lasting(own, 2), grid, n_days=pressure.sizes["time"] / 4) for own in (storms, theirs)]
wml.plot.track_density(*densities, names=("weatherml", "TRACK" if is_real else "as they were made"))

# %% [markdown]
# ## The deepest one
#
# Both tracks of one storm, and its pressure.

# %%
deepest = storms["track_id"].values[storms[ANOMALY].values.argmin()]
own = storms.isel(record=storms["track_id"] == deepest)
partner = pairs["first"].values[pairs["second"].values == deepest]
print(f"from {own['time'].values[0]:.13} to {own['time'].values[-1]:.13}, in theirs number {partner}")
west, south = float(own["longitude"][0]) - 25, float(own["latitude"].min()) - 12
region = (west, west + 100, max(south, -89), min(south + 45, 89))
wml.plot.tracks(own, color=ANOMALY, region=region, title="The deepest storm")

# %%
there = {name: own[name] for name in ("time", "latitude", "longitude")}
told = to_frame(own).set_index("time")[["latitude", "longitude"]]
told["pressure (hPa)"] = pressure.sel(there, method="nearest").values / 100
told["anomaly (hPa)"] = own[ANOMALY].values / 100
told.astype(float).round(1).iloc[::4]
