"""The page that a person opens at the end."""

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from weatherml.data.period import select
from weatherml.durations import parse_duration
from weatherml.experiment.judgement import CONTROL
from weatherml.experiment.results import Results
from weatherml.plot import Section, climate, forecast_vs_truth, learning, skill, spread, verdict, write_report
from weatherml.state import Channel, parse_channels

_LEADS_SHOWN = ("1D", "3D", "5D", "7D", "10D")
_MAP_LEADS = ("3D", "7D")
_DAY = np.timedelta64(1, "D")


def write_experiment_report(path: Path, results: Results) -> None:
    """Write what was learned, how good it is and what it took."""
    sections = [
        _data(results),
        _training(results),
        _forecast(results),
        _skill(results),
        _event(results),
        _account(results),
    ]
    write_report(path, results.config.title, sections, _summary(results))


def skill_table(scores: xr.Dataset, metric: str = "rmse") -> pd.DataFrame:
    """Return a metric by channel and system (rows) and lead time in days (columns), to three digits in SI units."""
    leads = [lead for lead in map(parse_duration, _LEADS_SHOWN) if lead in scores.indexes["lead_time"]]
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


def _summary(results: Results) -> str:
    scores = results.scores
    channel = str(scores["channel"].values[0])
    useful = _crossing(scores, channel, CONTROL)
    n_init, n_members = results.forecast.sizes["init_time"], results.forecast.sizes["number"]
    return (
        f"FourCastNet on {results.spec.n_channels} channels at"
        f" {results.spec.grid.n_lat} x {results.spec.grid.n_lon} points, judged on {n_init} initial times with"
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


def _data(results: Results) -> Section:
    findings = [[f.severity, f.subject, f.message] for f in results.findings()]
    has_winds = {"u_component_of_wind", "v_component_of_wind", "temperature"} <= set(results.store.data_vars)
    figures = {"Climate of the training period": climate(_sample(results))} if has_winds else {}
    times = results.store["time"].values
    text = (
        f"{len(times)} analyses from {times[0]:.10} to {times[-1]:.10}; learned from"
        f" {' to '.join(results.config.periods.training)}, judged on {' to '.join(results.config.periods.test)}."
    )
    tables = {"What the check of the data says": [["severity", "subject", "finding"], *findings]} if findings else {}
    return Section("The data", text, figures, tables)


def _sample(results: Results) -> xr.Dataset:
    """Return daily analyses of the training period in memory."""
    step = max(1, int(_DAY / results.statistics.time_step))
    return select(results.store, results.config.periods.training).isel(time=slice(None, None, step)).load()


def _training(results: Results) -> Section:
    entries = results.training.metrics()
    best = min(e["validation_loss"] for e in entries if e.get("validation_loss") is not None)
    text = f"{results.config.training.n_steps} optimiser steps; best validation loss {best:.4g}."
    return Section("The training", text, {"Loss by optimiser step": learning(entries)})


def _forecast(results: Results) -> Section:
    forecast, (coastlines, orography) = results.forecast, _ground(results)
    channel = parse_channels([str(results.scores["channel"].values[0])])[0]
    start = forecast.isel(init_time=forecast.sizes["init_time"] // 2)
    figures = {}
    for lead in _present(forecast, _MAP_LEADS):
        one = _field(start.sel(lead_time=lead), channel)
        truth = _field(results.store.sel(time=one["valid_time"].values), channel)
        name = f"{_words(str(channel))} after {lead / _DAY:g} days"
        figures[f"Deterministic forecast of {name}, and what came"] = forecast_vs_truth(
            one.isel(number=0), truth, coastlines=coastlines, orography=orography
        )
        if one.sizes["number"] > 1:
            figures[f"What the ensemble says of {name}"] = spread(one, coastlines=coastlines, orography=orography)
    return Section("A forecast", f"From {str(start['init_time'].values)[:16]} UTC.", figures)


def _skill(results: Results) -> Section:
    scores = results.scores
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


def _event(results: Results) -> Section:
    judgement = results.verdict
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


def _account(results: Results) -> Section:
    rows = [
        [phase, f"{entry['seconds']:.0f}", f"{entry['peak_memory_bytes'] / 2**20:.0f}"]
        for phase, entry in results.ledger.entries().items()
    ]
    columns = ["phase", "seconds", "peak memory so far, MiB"]
    return Section("What it took", tables={"By phase": [columns, *rows]})


def _ground(results: Results) -> tuple[bool, xr.DataArray | None]:
    """Return whether maps of this world have the Earth's coasts, and the mountains that they show instead."""
    if results.store.attrs.get("source") != "simulated":
        return True, None
    orography = results.store.get("geopotential_at_surface")
    return False, None if orography is None else orography.load()


def _present(forecast: xr.Dataset, wanted: tuple[str, ...]) -> list[np.timedelta64]:
    leads = forecast["lead_time"].values
    return [lead for lead in (parse_duration(text) for text in wanted) if lead in leads]


def _field(dataset: xr.Dataset, channel: Channel) -> xr.DataArray:
    field = dataset[channel.variable]
    return (field if channel.level is None else field.sel(level=channel.level)).load()
