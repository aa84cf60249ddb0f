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
# # Which of two models is better, where, and how sure is that?
#
# A network learns the weather of a small simulated planet, for a moment and then for longer. That the second model is
# the better one is no surprise; how much better, in which regions, and whether so few forecasts can tell at all, is
# what verification is for.

# %%
from pathlib import Path

import numpy as np

import weatherml as wml
from weatherml.products.convert import select
from weatherml.verification import baselines, compare, scorecard, skill
from weatherml.verification.systems import accumulate_systems, summarize_systems

# %config InlineBackend.print_figure_kwargs = {"dpi": 76}

folder = Path("../runs/notebook_verification")

# %% [markdown]
# ## Two models
#
# The second experiment reads the store of the first and learns six times as long; nothing else differs.

# %%
training = ("2000-01-01", "2000-02-15")
changes = [
    "source={name: simulated, truncation: 15, spin_up_days: 50, days: 100, levels: [500, 850]}",
    "channels=[z500, t850, u850, v850]",
    f"periods.training={list(training)}",
    "periods.validation=[2000-02-16, 2000-02-19]",
    "periods.test=[2000-02-21, 2000-04-09]",
    "model.width=24",
    "model.depth=1",
    "training.batch_size=8",
    "training.average_decay=0.95",
    "forecast.channels=null",
    "forecast.every=12h",
    "extremes=null",
]


def trained(name, n_steps, *more):
    """Return an experiment whose network has learnt for some optimiser steps."""
    stages = f"training.stages=[{{n_steps: {n_steps}, learning_rate: 3.0e-3}}]"
    config = wml.load_yaml(wml.ExperimentConfig, "../configs/smoke.yaml", [*changes, stages, *more])
    experiment = wml.Experiment(config, folder / name)
    experiment.run("train")
    return experiment


long = trained("long", 120)
short = trained("short", 20, f"source={{name: files, paths: [{long.path('ingest')}]}}")
truth = select(long.store, ["z500", "t850", "u850", "v850"])  # what is forecast of what the store holds

# %% [markdown]
# ## Forecasts, and what they must beat
#
# Five members each, to three days, from every second day that neither model has seen. The baselines are forecasts, too,
# and are computed as they are read: nothing changes; the climate; and an ensemble of days of the training period.

# %%
init_times = np.arange(np.datetime64("2000-02-21"), np.datetime64("2000-04-05"), np.timedelta64(2, "D"))
forecasts = {
    name: wml.Forecaster.load(own.training.best_checkpoint).run(own.store, init_times, own.config.forecast)
    for name, own in {"long": long, "short": short}.items()
}
times = forecasts["long"]["init_time"].values, forecasts["long"]["lead_time"].values
systems = forecasts | {
    "persistence": baselines.persistence(truth, *times),
    "climatology": baselines.climatology(long.climatology, *times),
    "climatological ensemble": baselines.climatological_ensemble(truth, *times, training, window_days=None, members=20),
}
{name: dict(own.sizes) for name, own in systems.items() if "ensemble" in name or name == "long"}

# %% [markdown]
# ## Scores
#
# One pass over each system takes sums of statistics; all that follows is made of them, and reads nothing again.

# %%
METRICS = ["rmse", "crps_fair", "spread_skill", "rank_histogram"]
regions = ["global", "tropics", "extratropics_north", "extratropics_south"]
sums = accumulate_systems(systems, truth, METRICS, regions=regions)
scores = summarize_systems(sums, METRICS)
wml.plot.skill(scores.sel(region="global"), "rmse")

# %%
wml.plot.skill(scores.sel(region="global"), "crps_fair")

# %% [markdown]
# ## How sure?
#
# The bands above are wide: some days are harder to forecast than others. But both models met the same days, so it is
# their difference that is resampled. Where the interval leaves out zero, one model is the better one.

# %%
difference = compare(sums["long"], sums["short"], "rmse").sel(region="global", channel="temperature_850")
difference[["difference", "lower", "upper", "p_value"]].to_pandas().round(3)

# %% [markdown]
# ## Where?
#
# All channels, regions and leads at once. Of so many comparisons some would be called significant by chance; the card
# controls how many. The longer training need not be the better one everywhere: below, by how many percent its errors
# are larger (smaller where below zero).

# %%
card = scorecard(sums["long"], sums["short"], "rmse").sel(metric="rmse")
print(f"significant: {int(card['significant'].sum())} of {card['significant'].size}")
at_one_day = card.sel(lead_time="1D")
(100 * at_one_day["relative"]).to_pandas().round(1)

# %% [markdown]
# `better` is 1 where the first model is significantly better, -1 where the second one is.

# %%
at_one_day["better"].to_pandas()

# %% [markdown]
# And at each place: sums over initial times instead of over area.

# %%
maps = {name: wml.verification.evaluate_maps(own, truth, "rmse") for name, own in forecasts.items()}
errors = {name: own["rmse"].sel(channel="temperature_850", lead_time="2D") for name, own in maps.items()}
wml.plot.score(errors["long"], coastlines=False)

# %%
areas = errors["long"].latitude.copy(data=wml.LatLonGrid.from_dataset(truth).cell_areas())
share = (errors["long"] < errors["short"]).weighted(areas).mean().item()
print(f"the longer training has the smaller error on {100 * share:.0f} % of the globe")

# %% [markdown]
# ## Is either of any use?
#
# Skill is the part of the way from a baseline's score to a perfect one that a model has gone: 0 is no better than the
# baseline. An ensemble must beat one that knows the climate and nothing else.

# %%
to_beat = {"persistence": "rmse", "climatology": "rmse", "climatological ensemble": "crps_fair"}
for name in forecasts:
    for baseline, metric in to_beat.items():
        gained = skill(sums[name], sums[baseline], metric).sel(region="global", channel="temperature_850")
        shown = gained.sel(lead_time=["12h", "1D", "3D"]).transpose("lead_time", "bound").values
        told = ", ".join(f"{value:5.2f} ({lower:5.2f} .. {upper:5.2f})" for value, lower, upper in shown)
        print(f"{name:6}{metric:10} against {baseline:24}{told}")

# %% [markdown]
# ## Does the ensemble know how sure it is?
#
# The truth should be as likely to lie below all members as between any two. Where it lies outside too often, members
# are too much alike. The spread over the error says the same in one number, 1 where the ensemble is reliable. Both
# models are overconfident, and the more so the longer the forecast: members differ by nothing but their start. So is
# the ensemble of the climate, of which six weeks are too few.

# %%
ranks = scores["rank_histogram"].sel(bound="estimate", region="global", channel="temperature_850", rank=slice(0, 5))
ranks.sel(system=list(forecasts), lead_time=["12h", "3D"]).stack(row=["system", "lead_time"]).to_pandas().T.round(3)

# %%
wml.plot.skill(scores.sel(region="global", system=[*forecasts, "climatological ensemble"]), "spread_skill")

# %% [markdown]
# ## How large are the waves?
#
# Networks that are trained on squared errors tend to lose small waves, which nobody can know: leaving them out costs
# least. Young ones may as well have too many, where the patches of the network have left their edges. The spectrum of
# one member on the sphere tells, beside that of what came: this planet is made of waves up to number 15, and has next
# to nothing beyond.

# %%
power = wml.evaluate(forecasts["long"].isel(number=0), truth, ["spectrum", "spectrum(of='truth')"])
at_two_days = power.sel(bound="estimate", lead_time="2D")
wml.plot.spectra(at_two_days.rename({"spectrum": "forecast", "spectrum(of='truth')": "truth"}))
