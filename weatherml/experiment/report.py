"""The page that a person opens at the end."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from weatherml.experiment.judgement import CONTROL
from weatherml.plot import Section, climate, forecast_vs_truth, learning, skill, spread, verdict, write_report
from weatherml.state import Channel, parse_channels

if TYPE_CHECKING:
    from weatherml.experiment.run import Experiment

_LEADS_SHOWN = ("1D", "3D", "5D", "7D", "10D")
_MAP_LEADS = ("3D", "7D")
_DAY = np.timedelta64(1, "D")


def write_experiment_report(path: Path, experiment: "Experiment") -> None:
    """Write what was learned, how good it is and what it took."""
    sections = [
        _data(experiment),
        _training(experiment),
        _forecast(experiment),
        _skill(experiment),
        _event(experiment),
        _account(experiment),
    ]
    write_report(path, experiment.config.title, sections, _summary(experiment))


def skill_table(scores: xr.Dataset, metric: str = "rmse") -> pd.DataFrame:
    """Return a metric by channel and system (rows) and lead time in days (columns), to three digits in SI units."""
    leads = [lead for lead in map(pd.Timedelta, _LEADS_SHOWN) if lead in scores.indexes["lead_time"]]
    values = scores[metric].sel(bound="estimate", lead_time=leads).dropna("system", how="all")
    rows = [
        [_with_units(channel), system, *map(_three_digits, values.sel(channel=channel, system=system).values)]
        for channel in values["channel"].values
        for system in values["system"].values
    ]
    return pd.DataFrame(rows, columns=["channel", "system", *(f"{lead / _DAY:g} d" for lead in leads)])


def _three_digits(value: float) -> str:
    return f"{float(f'{value:.3g}'):g}"


def _with_units(channel: str) -> str:
    return f"{_words(channel)} ({Channel.parse(channel).units})"


def _summary(experiment: "Experiment") -> str:
    scores = experiment.scores
    channel = str(scores["channel"].values[0])
    useful = _crossing(scores, channel, CONTROL)
    n_init, n_members = experiment.forecast.sizes["init_time"], experiment.forecast.sizes["number"]
    return (
        f"FourCastNet on {experiment.spec.n_channels} channels at"
        f" {experiment.spec.grid.n_lat} x {experiment.spec.grid.n_lon} points, judged on {n_init} initial times with"
        f" {n_members} members. The deterministic forecast of {_words(channel)} beats climatology {useful}."
    )


def _crossing(scores: xr.Dataset, channel: str, system: str) -> str:
    rmse = scores["rmse"].sel(bound="estimate", channel=channel)
    better = (rmse.sel(system=system) < rmse.sel(system="climatology")).values
    days = scores["lead_time"].values / _DAY
    if better.all():
        return f"at every lead to {days[-1]:g} days"
    n_first = int(np.argmin(better))
    return f"to day {days[n_first - 1]:g}" if n_first else "at no lead"


def _words(channel: str) -> str:
    parsed = Channel.parse(channel)
    level = "" if parsed.level is None else f" at {parsed.level} hPa"
    return parsed.variable.replace("_", " ") + level


def _data(experiment: "Experiment") -> Section:
    findings = [[f.severity, f.subject, f.message] for f in experiment.findings()]
    has_winds = {"u_component_of_wind", "v_component_of_wind", "temperature"} <= set(experiment.store.data_vars)
    figures = {"Climate of the training period": climate(_sample(experiment))} if has_winds else {}
    times = experiment.store["time"].values
    text = (
        f"{len(times)} analyses from {times[0]:.10} to {times[-1]:.10}; learned from"
        f" {' to '.join(experiment.config.periods.training)}, judged on {' to '.join(experiment.config.periods.test)}."
    )
    tables = {"What the check of the data says": [["severity", "subject", "finding"], *findings]} if findings else {}
    return Section("The data", text, figures, tables)


def _sample(experiment: "Experiment") -> xr.Dataset:
    """Return daily analyses of the training period in memory."""
    step = max(1, int(_DAY / experiment.statistics.time_step))
    return (
        experiment.store.sel(time=slice(*experiment.config.periods.training)).isel(time=slice(None, None, step)).load()
    )


def _training(experiment: "Experiment") -> Section:
    entries = experiment.training.metrics()
    best = min(e["validation_loss"] for e in entries if e.get("validation_loss") is not None)
    text = f"{experiment.config.training.n_steps} optimiser steps; best validation loss {best:.4g}."
    return Section("The training", text, {"Loss by optimiser step": learning(entries)})


def _forecast(experiment: "Experiment") -> Section:
    forecast, (coastlines, orography) = experiment.forecast, _ground(experiment)
    channel = parse_channels([str(experiment.scores["channel"].values[0])])[0]
    start = forecast.isel(init_time=forecast.sizes["init_time"] // 2)
    figures = {}
    for lead in _present(forecast, _MAP_LEADS):
        one = _field(start.sel(lead_time=lead), channel)
        truth = _field(experiment.store.sel(time=one["valid_time"].values), channel)
        name = f"{_words(str(channel))} after {lead / _DAY:g} days"
        figures[f"Deterministic forecast of {name}, and what came"] = forecast_vs_truth(
            one.isel(number=0), truth, coastlines=coastlines, orography=orography
        )
        if one.sizes["number"] > 1:
            figures[f"What the ensemble says of {name}"] = spread(one, coastlines=coastlines, orography=orography)
    return Section("A forecast", f"From {str(start['init_time'].values)[:16]} UTC.", figures)


def _skill(experiment: "Experiment") -> Section:
    scores = experiment.scores
    metrics = [name for name in ("rmse", "acc", "crps_fair", "spread_skill") if name in scores]
    text = (
        "Bands are 95 % bootstrap intervals over initial times. Every error is averaged over the sphere with exact cell"
        " areas and over initial times before the root is taken."
    )
    figures = {_METRICS[name]: skill(scores, name) for name in metrics}
    return Section("How good it is", text, figures, {"Root-mean-square error": skill_table(scores)})


_METRICS = {
    "rmse": "Root-mean-square error by lead time",
    "acc": "Anomaly correlation by lead time",
    "crps_fair": "Fair continuous ranked probability score of the ensemble",
    "spread_skill": "Spread of the ensemble over the error of its mean; 1 is reliable",
}


def _event(experiment: "Experiment") -> Section:
    judgement = experiment.verdict
    channel = str(judgement["channel"].values[0])
    event = f"{_words(channel)} above its local {100 * judgement.attrs['quantile']:g}th percentile"
    skilful = _skilful_days(judgement["brier_skill"].sel(channel=channel))
    text = f"The event: {event}. Its probability is the share of members that exceed. {skilful}"
    return Section("The verdict on extremes", text, {f"Verdict on {event}": verdict(judgement, channel)})


def _skilful_days(brier_skill: xr.DataArray) -> str:
    n_skilful = int(np.cumprod(brier_skill.sel(bound="lower").values > 0).sum())
    if not n_skilful:
        return (
            "The forecast is not surely better than the constant probability of the training period at the first lead."
        )
    last = brier_skill["lead_time"].values[n_skilful - 1] / _DAY
    return f"It beats the constant probability of the training period up to day {last:g} (95 % interval above zero)."


def _account(experiment: "Experiment") -> Section:
    rows = [
        [phase, f"{entry['seconds']:.0f}", f"{entry['peak_memory_bytes'] / 2**20:.0f}"]
        for phase, entry in experiment.ledger.entries().items()
    ]
    columns = ["phase", "seconds", "peak memory so far, MiB"]
    return Section("What it took", tables={"By phase": [columns, *rows]})


def _ground(experiment: "Experiment") -> tuple[bool, xr.DataArray | None]:
    """Return whether maps of this world have the Earth's coasts, and the mountains that they show instead."""
    if experiment.store.attrs.get("source") != "simulated":
        return True, None
    orography = experiment.store.get("geopotential_at_surface")
    return False, None if orography is None else orography.load()


def _present(forecast: xr.Dataset, wanted: tuple[str, ...]) -> list[np.timedelta64]:
    leads = forecast["lead_time"].values
    return [lead for lead in (pd.Timedelta(text).to_timedelta64() for text in wanted) if lead in leads]


def _field(dataset: xr.Dataset, channel: Channel) -> xr.DataArray:
    field = dataset[channel.variable]
    return (field if channel.level is None else field.sel(level=channel.level)).load()
