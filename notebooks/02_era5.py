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
# # A season of ERA5 from an archive in the cloud
#
# ERA5 lies in buckets, ready to read: ARCO-ERA5 and WeatherBench 2. Here is the way from a first look to a store that
# training reads: look, count the cost, check, ingest, draw. So that it runs without a network, the archive is one of
# our own, cut as ARCO-ERA5 is and served by a web server on this machine, and its weather is that of a simulated
# planet. For the Earth's, write `arco` where commands have `$URL` here; nothing else changes.

# %%
import json
import os
import shutil
import sys
import threading
import time
from collections import Counter
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import matplotlib.pyplot as plt

import weatherml as wml

folder = Path("../runs/notebook_era5")
shutil.rmtree(folder / "season", ignore_errors=True)
(folder / "season").mkdir(parents=True)
os.environ["RUN"] = str(folder)
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # weatherml lies there

# %% [markdown]
# ## An archive
#
# A winter of the planet, twice a day, on a grid of 3 degrees with both poles. As in ARCO-ERA5, a chunk holds one time
# of one variable on all its levels.

# %% language="bash"
# cat > $RUN/planet.yaml <<END
# source: {name: simulated, start: 2001-12-01, days: 90, spin_up_days: 50}
# END
# weatherml ingest $RUN/planet.yaml -o $RUN/planet

# %%
planet = wml.open_store(folder / "planet/data.zarr").drop_vars(["surface_pressure", "mean_sea_level_pressure"])
twice_a_day = planet.isel(time=slice(None, None, 2)).load()
winter = wml.regrid(twice_a_day, "61x120", "bilinear").drop_encoding()
one_time = {name: {"chunks": (1, *field.shape[1:])} for name, field in winter.items() if "time" in field.dims}
winter.to_zarr(folder / "bucket/era5.zarr", mode="w", zarr_format=2, consolidated=True, encoding=one_time);

# %% [markdown]
# The server takes its time, as a bucket far away does, and counts which chunks it is asked for.


# %%
asked = Counter()


class Bucket(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        time.sleep(0.02)
        variable, key = self.path.split("/")[-2:]
        asked[variable] += key.count(".") == 3
        super().do_GET()

    def log_message(self, *words):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Bucket, directory=folder / "bucket"))
threading.Thread(target=server.serve_forever, daemon=True).start()
os.environ["URL"] = f"http://127.0.0.1:{server.server_port}/era5.zarr"

# %% [markdown]
# ## Look
#
# To say what an archive holds, only what describes it is fetched; for a picture, the one chunk that it shows.

# %% language="bash"
# weatherml info $URL

# %%
era5 = wml.open_files(os.environ["URL"])
mountains = era5["geopotential_at_surface"].load()
wml.plot.map(era5["temperature"].sel(level=850, time="2002-01-15T00"), coastlines=False, orography=mountains)

# %% [markdown]
# ## Check
#
# A check judges values, whatever their labels say. There is nothing to say of this week:

# %%
week = era5.sel(time=slice("2002-01-01", "2002-01-07")).load()
wml.check_dataset(week)

# %% [markdown]
# Two mistakes that happen, and that no label gives away: degrees Celsius under the name of Kelvin, and levels from the
# ground upwards where the labels run downwards.

# %%
celsius = week.assign(temperature=week["temperature"] - 273.15)
upside_down = week.assign_coords(level=week["level"].values[::-1]).sortby("level")
for broken in (celsius, upside_down):
    print(*wml.check_dataset(broken), sep="\n", end="\n\n")

# %% [markdown]
# ## What it will cost
#
# A chunk is fetched whole, on all its levels, however few of them are kept. So one counts chunks: here those of three
# variables, one time a day.

# %%
needed = era5[["temperature", "u_component_of_wind", "v_component_of_wind"]].sel(time=era5["time"].dt.hour == 0)
print(f"{3 * needed.sizes['time']} chunks, {needed.nbytes / 1e6:.0f} MB before compression")

# %% [markdown]
# ## Ingest
#
# The season on a coarser grid, each cell the mean over its area, and the speed of the wind beside its components: the
# mean of speeds is not the speed of the mean wind, so it is derived first and averaged later.

# %% language="bash"
# cat > $RUN/season.yaml <<END
# source:
#   name: archive
#   url: arco
#   channels: [t850, u250, v250]
#   derive: [wind_speed]
#   regrid: 32x64
#   periods: [[2001-12-01, 2002-02-28]]
#   every: 24h
# END

# %% [markdown]
# Nights are long and machines fail: the first attempt is killed once the values of two variables are there.

# %% language="bash"
# weatherml ingest $RUN/season.yaml source.url=$URL -o $RUN/season &
# while kill -0 $! && [ $(ls $RUN/season/data.zarr/*/c.* 2> /dev/null | wc -l) -lt 2 ]; do sleep 0.05; done
# kill -9 $!

# %%
store = folder / "season/data.zarr"
try:
    wml.open_store(store)
except wml.UserError as error:
    print(error)

# %% [markdown]
# Half a store is not mistaken for a whole one. The same command again goes on with what is not there:

# %%
asked.clear()

# %% language="bash"
# weatherml ingest $RUN/season.yaml source.url=$URL -o $RUN/season

# %%
{variable: n for variable, n in asked.items() if n}

# %% [markdown]
# What was there and noted is not fetched again, but for the first time, which says what a variable looks like. A
# component of the wind that was there is fetched for the speed, which is made of it; otherwise what is kept and made
# into others travels once.
#
# ## What there is now

# %%
manifest = json.loads((store / "manifest.json").read_text())
print(manifest["n_times"], "times,", manifest["first_time"][:16], "to", manifest["last_time"][:16])
for name, (size, checksum) in manifest["files"].items():
    print(f"{size:>9,} bytes  sha256 {checksum[:12]}...  {name}")

# %% [markdown]
# Size and checksum of every file are known, so one flipped bit is found, and mended from where the values came from.

# %%
(values,) = store.glob("wind_speed/c.*")
content = bytearray(values.read_bytes())
content[1000] ^= 1
values.write_bytes(content);

# %% language="bash"
# weatherml check $RUN/season/data.zarr --files || echo "exit code $?"
# weatherml check $RUN/season/data.zarr --files --repair

# %% [markdown]
# ## The season
#
# The jets of both hemispheres, and the mountains in their way:

# %%
season = wml.open_store(store).load()
jets = season["wind_speed"].sel(level=250).mean("time", keep_attrs=True)
wml.plot.map(jets, title="Mean wind speed at 250 hPa, December to February", coastlines=False, orography=mountains)

# %% [markdown]
# And its weather: the northward wind of the northern mid-latitudes, day by day. Ridges and troughs wander east, and
# packets of them travel faster than each one alone.

# %%
waves = season["v_component_of_wind"].sel(level=250, latitude=slice(60, 35)).mean("latitude")
figure, axes = plt.subplots(figsize=(7, 6), layout="constrained")
waves.plot.contourf(ax=axes, levels=13, vmin=-30, vmax=30, cmap="PuOr_r", cbar_kwargs={"label": "m s⁻¹"})
axes.set(title="Northward wind at 250 hPa, 35 to 60°N", xlabel="degrees east", ylabel="")
axes.invert_yaxis()

# %% [markdown]
# From here a model can be trained, as in [the first notebook](01_first_forecast.ipynb). There is more on
# [archives](../docs/from_archives.md), on [grids and derived variables](../docs/regridding.md), and on
# [stores that many workers build](../docs/building_stores.md).

# %%
server.shutdown()
