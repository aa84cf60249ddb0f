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
# # A first forecast
#
# Weather models learn from decades of analyses. To see the whole road in a few minutes, without a download, we let a
# small planet make its own weather: dry air, a warm equator, cold poles, four mountain ranges. Then a FourCastNet
# learns the planet's weather from half a year of it, and we ask what it can say about days that it has not seen.
#
# The network here is tiny and the training short. `make demo` does the same in earnest.

# %%
from pathlib import Path

import numpy as np

import weatherml as wml

# %config InlineBackend.print_figure_kwargs = {"dpi": 76}

folder = Path("../runs/notebook")

# %% [markdown]
# ## One experiment
#
# An experiment is one configuration: here a file; `wml.demonstration()` is the one of `make demo`. A few values may
# differ from it. Each phase leaves its result in the folder and is not done again.

# %%
experiment = wml.Experiment(wml.load_yaml(wml.ExperimentConfig, "../configs/smoke.yaml"), folder)
experiment.run("check")
era = experiment.store
era

# %% [markdown]
# The store looks like ERA5: the same names, the same order, SI units. What a check of its values has to say:

# %%
for finding in experiment.findings():
    print(finding)

# %% [markdown]
# ## The planet is alive
#
# Two jets, a warm surface, eddies in the mid-latitudes: the climate of the days that the network learns from.

# %%
wml.plot.climate(era.sel(time=slice(*experiment.config.periods.training)).load())

# %% [markdown]
# ## Training
#
# The network predicts how the state changes in six hours. A training that is interrupted goes on where it was.

# %%
experiment.run("train")
wml.plot.learning(experiment.training.metrics())

# %% [markdown]
# ## A forecast
#
# From a checkpoint, any number of members from any analysis. Number 0 starts from the analysis itself; the others from
# slightly different states.

# %%
forecaster = wml.Forecaster.load(experiment.training.best_checkpoint)
start = experiment.init_times()[2]
ensemble = forecaster.ensemble(era, start, lead_time="3d", members=8)
dict(ensemble.sizes)

# %%
two_days = ensemble["temperature"].sel(level=850, lead_time="2D").squeeze()
truth = era["temperature"].sel(level=850, time=two_days["valid_time"].values)
wml.plot.forecast_vs_truth(two_days.isel(number=0), truth.load(), coastlines=False)

# %%
wml.plot.spread(two_days, coastlines=False)

# %% [markdown]
# ## Is it any good?
#
# One map says little. Scores average over the sphere with exact cell areas, and over many initial times; the honest
# competitors are the forecast that nothing changes and the forecast of the climate.

# %%
experiment.run("evaluate")
wml.plot.skill(experiment.scores, "rmse")

# %%
one_day = experiment.scores["rmse"].sel(bound="estimate", lead_time=np.timedelta64(1, "D"))
one_day.to_pandas().round(2)

# %% [markdown]
# ## A verdict on extremes
#
# How likely is it that 850 hPa gets warmer than on 95 % of the training days, at each place? The share of members is
# the forecast probability; below, how far it can be trusted. With this little training the answer may well be: not
# far. The demonstration's report shows what a longer training does for it.

# %%
experiment.run("extremes")
wml.plot.verdict(experiment.verdict, "temperature_850")
