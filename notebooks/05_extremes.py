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
# # A heat wave, and the storms of a planet
#
# Extremes are events: a heat wave has a place, a first and a last day and a size; a storm has a track and leaves a
# footprint. First the summer of 2015 in Europe, in daily maxima of ERA-Interim. Where these files are not beside the
# checkout, a made-up summer stands in. Then a winter's month of a simulated planet.

# %%
from dataclasses import replace
from pathlib import Path

import numpy as np
import xarray as xr

import weatherml as wml
from weatherml.extremes import objects
from weatherml.extremes.hazards import heat, wind
from weatherml.verification import baselines, evaluate
from weatherml.verification.aggregation.regions import Region

# %config InlineBackend.print_figure_kwargs = {"dpi": 66}

FILES = [Path(f"../../shared/reanalysis/erainterim_t2m_dailymax_2p5deg_{year}.nc") for year in (2012, 2015)]
is_real = all(file.exists() for file in FILES)
EUROPE = Region(32.5, 72.5, -15, 50)

# %% [markdown]
# ## Two summers


# %%
def made_up_summer(year):
    """Return daily maxima that vary from day to day; in 2015 a week and a half in the middle of Europe is hot."""
    rng, grid = np.random.default_rng(year), wml.LatLonGrid.regular(73, 144)
    times = np.datetime64(f"{year}-05-01T09", "ns") + np.arange(120) * np.timedelta64(1, "D")
    north, east = np.array(grid.latitude)[:, None], (np.array(grid.longitude)[None, :] + 180) % 360 - 180
    values = 303 - 25 * np.sin(np.radians(north)) ** 2 + 2 * rng.normal(size=(120, *grid.shape))
    if year == 2015:
        days = np.clip(6 - abs(np.arange(120) - 64), 0, 4)[:, None, None]
        values += 3 * days * np.exp(-(((north - 51) / 8) ** 2) - ((east - 8) / 10) ** 2)
    coords = {"time": times, "latitude": list(grid.latitude), "longitude": list(grid.longitude)}
    return xr.Dataset({"2m_temperature": (tuple(coords), values.astype(np.float32))}, coords)


def europe(fields):
    """Return the part from the Atlantic to the Urals, in memory."""
    held = EUROPE.holds(wml.LatLonGrid.from_dataset(fields))
    return fields.isel(latitude=np.flatnonzero(held.any(axis=1)), longitude=np.flatnonzero(held.any(axis=0))).load()


summers = (wml.open_files([file]) for file in FILES) if is_real else map(made_up_summer, (2012, 2015))
past, summer = map(europe, summers)
print("ERA-Interim" if is_real else "made up", dict(summer.sizes))

# %% [markdown]
# ## Which heat waves there were
#
# Three days in a row, 2 K above the 90th percentile of the daily maxima around the date, in cells that touch along
# their sides. The percentile should be of decades; here it is of the one other year that there is.

# %%
definition = heat.HeatWave(margin=2.0, neighbours=4)
threshold = heat.threshold(past, definition, ("2012", "2012"))
june_to_august = summer.sel(time=slice("2015-06-01", "2015-08-25"))
waves = heat.heat_waves(june_to_august, definition, threshold)
columns = ["onset", "end", "largest_area", "latitude", "longitude", "maximum_exceedance", "cumulated_exceedance"]
waves[columns].to_dataframe().loc[waves["severity"].to_series().nlargest(4).index].round(dict.fromkeys(columns[2:], 1))

# %%
worst = waves.isel(object=int(waves["severity"].values.argmax()))
event, beyond = (make(june_to_august, definition, threshold) for make in (heat.event, heat.exceedance))
labels = objects.label(event.values == 1, wml.LatLonGrid.from_dataset(event), definition.neighbours, connect_time=True)
covered = event.copy(data=labels == worst["label"].item()).any("time")
strength = (beyond * event).sel(time=slice(worst["onset"], worst["end"])).sum("time")
strength = strength.assign_attrs(long_name="Heat beyond the threshold, summed over days", units="K day")
days = " to ".join(f"{worst[name].dt.strftime('%d %B').item()}" for name in ("onset", "end"))
wml.plot.event_objects(strength, covered, title=f"The heat wave of {days} 2015")

# %% [markdown]
# ## Who knew, and when?
#
# Forecasts of any system are looked at member by member. Here it is the least that a forecast must beat: the last ten
# days go on, each as a member. Heat waves of each member, of half a million km² and more, are matched with those that
# came: of ten members, each with ten days, so many.

# %%
times = summer["time"].values
init_times = times[(times >= np.datetime64("2015-06-20")) & (times < np.datetime64("2015-07-08"))]
lead_times = np.arange(1, 11) * np.timedelta64(1, "D").astype("timedelta64[ns]")
forecast = baselines.persistence_ensemble(summer, init_times, lead_times, 10)
large = replace(definition, minimum_area=5e5)
errors = heat.compare(forecast.isel(init_time=slice(None, None, 3)), summer, large, threshold)
counts = errors[["hits", "misses", "false_alarms"]].groupby("run_init_time").sum().to_dataframe()
counts

# %% [markdown]
# Where each member is in a heat wave, day by day, is a forecast of a probability, and is judged as any other.

# %%
members = heat.members_in_spell(forecast, definition, threshold, before=summer)
truth = heat.truth_in_spell(june_to_august, definition, threshold)
scores = evaluate(members, truth, ["brier(threshold=0.5)", "roc_area(threshold=0.5)"])
scores.sel(bound="estimate", channel="2m_temperature").to_dataframe()[list(scores)].round(3)

# %% [markdown]
# And for a region: the probability that a quarter of France and Germany is in a heat wave on the 4th of July, forecast
# after forecast. Persistence knows it when it has begun.

# %%
signal = heat.early_signal(members, Region(44, 54, -2, 14), "2015-07-04", least_share=0.25)
signal.to_dataframe().round({"probability": 2, "area_share": 2})

# %% [markdown]
# ## The storms of a planet
#
# A month of a small simulated planet without moisture or seasons: its lows in pressure, without the largest waves.

# %%
from weatherml.data.sources.simulated import PlanetConfig, SimulatedSource
from weatherml.extremes.tracks import FILTERED_LOWS, track
from weatherml.extremes.tracks.density import lasting
from weatherml.extremes.tracks.filtering import Band, band_passed

config = PlanetConfig(truncation=21, spin_up_days=60, days=30, levels=(850,))
planet = SimulatedSource(config, Path("../runs/planet_storms"))
wanted = ["mean_sea_level_pressure", "u_component_of_wind", "v_component_of_wind"]
month = planet.read(planet.times(), wanted)
lows = band_passed(month["mean_sea_level_pressure"], Band(5, 21)).to_dataset()
detection, linking = FILTERED_LOWS
storms = track(lows, replace(detection, intensity=-400.0), linking)  # 4 hPa deep in these waves
wml.plot.tracks(lasting(storms, 3), coastlines=False)

# %% [markdown]
# And what their winds leave behind: footprints where the wind at 850 hPa is above its 98th percentile of each place,
# followed through time, with the storm severity index of each.

# %%
at_850 = month.sel(level=850, drop=True)
speed = np.hypot(at_850["u_component_of_wind"], at_850["v_component_of_wind"]).to_dataset(name="wind_speed")
gale = wind.Definition(variable="wind_speed", least_speed=10.0)
v98 = wind.threshold(speed, gale, (month["time"].values[0], month["time"].values[-1]))
footprints = wind.storms(speed, gale, v98)
columns = ["first_time", "last_time", "area", "length", "width", "severity_index", "greatest_ratio", "latitude"]
table = footprints[columns].to_dataframe()
table.nlargest(5, "severity_index").round(dict.fromkeys(columns[2:], 2))

# %%
severity = wind.severity_index(speed, gale, v98)
place = footprints["severity_index"].values.argmax()
moment = footprints["first_time"].values[place]
wml.plot.map(speed["wind_speed"].sel(time=moment), title="Wind at 850 hPa when the worst began", coastlines=False)
