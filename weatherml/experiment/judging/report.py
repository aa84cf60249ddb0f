"""The page that a person opens at the end."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from weatherml.data.period import select
from weatherml.durations import parse_duration
from weatherml.errors.wording import counted
from weatherml.experiment.judging.judgement import CLIMATE, CONTROL
from weatherml.experiment.results import Results
from weatherml.plot import Section, climate, forecast_vs_truth, learning, skill, spectra, spread, verdict, write_report
from weatherml.plot import map as draw_map
from weatherml.plot.style import BASELINES, quantity_of, with_units, write_lead, write_time
from weatherml.plot.verification import look, scorecards
from weatherml.products import read_forecast
from weatherml.state import Channel, parse_channels
from weatherml.times import show_periods
from weatherml.training.validation.glimpse import telling
from weatherml.verification.cards import cards_in

_LEADS_SHOWN = ("6h", "1D", "2D", "3D", "5D", "7D", "10D")
_MAP_LEADS = ("3D", "7D")
_MOST_SPECTRA = 6
_COSTS = {"seconds": 1, "cpu_seconds": 1, "peak_memory_bytes": 2**20}
_FAMILIAR = ("2m_temperature", "temperature", "mean_sea_level_pressure")
_DAY = np.timedelta64(1, "D")
_MOST_DAYS = 1500  # a picture of a climate shows no more, and decades of quarter-degree fields are read for hours


def write_experiment_report(path: Path, results: Results, report: Callable[..., None]) -> None:
    """Write what was learned, how good it is and what it took; `report` is told how far this is."""
    chapters = (_data, _training, _forecast, _skill, _event, _account)
    sections = []
    for position, chapter in enumerate(chapters):
        report(position, len(chapters) + 1)
        sections.append(chapter(results))
        sections += _in_pairs(results) if chapter is _skill else []
    report(len(chapters), len(chapters) + 1)
    write_report(path, results.config.title, sections, _summary(results), look())


def draw_last(results: Results) -> Figure:
    """Draw the last of the data on a map: a field that people read at a glance, where there is one."""
    store, (coastlines, orography) = results.store, _ground(results)
    varying = [str(name) for name, field in store.data_vars.items() if "time" in field.dims]
    field = store[next((name for name in _FAMILIAR if name in varying), varying[0])].isel(time=-1)
    if "level" in field.dims:
        field = field.dropna("level", how="all").isel(level=-1)
    return draw_map(field.load(), coastlines=coastlines, orography=orography)


def skill_table(scores: xr.Dataset, metric: str = "rmse") -> pd.DataFrame:
    """Return an error by channel and system (rows) and lead time (columns), to three digits, in the pictures' units."""
    leads = _present(scores, _LEADS_SHOWN)
    values = scores[metric].sel(bound="estimate", lead_time=leads).dropna("system", how="all")
    rows = [
        [_with_units(channel), system, *_shown(values.sel(channel=channel, system=system))]
        for channel in values["channel"].values
        for system in values["system"].values
    ]
    return pd.DataFrame(rows, columns=["channel", "system", *map(write_lead, leads)])


def _shown(errors: xr.DataArray) -> list[str]:
    quantity = quantity_of(str(errors["channel"].item()))
    return [_three_digits(error) for error in quantity.shown_difference(errors).values]


def _three_digits(value: float) -> str:
    rounded = float(f"{value:.3g}")
    return f"{rounded:.0f}" if not rounded or abs(rounded) >= 100 else f"{rounded:#.3g}"


def _with_units(channel: str) -> str:
    return with_units(_words(channel), quantity_of(channel).difference_units)


def _summary(results: Results) -> str:
    scores, config = results.scores, results.config
    channel, system = str(scores["channel"].values[0]), str(scores["system"].values[0])
    n_init, n_members = results.judged.sizes["init_time"], results.judged.sizes["number"]
    network = type(config.model).__name__.removesuffix("Config")
    who = "deterministic forecast" if system == CONTROL else "ensemble mean"
    channels, (n_lat, n_lon) = counted(results.spec.n_channels, "channel"), results.spec.grid.shape
    judged = f"judged on {counted(n_init, 'initial time')} with {counted(n_members, 'member')}"
    rivals = [name for name in BASELINES if name != CLIMATE and name in scores["system"].values]
    *others, last = (f"{name} {how_far_beaten(scores, channel, system, name)}" for name in rivals)
    beaten = ", ".join([*others, f"and {last}"] if others else [last])
    words = (
        f"{network} on {channels} at {n_lat} x {n_lon} points, {judged}. The {who} of {_words(channel)} beats {beaten}."
    )
    return re.sub(r"(?<=\d) (?=[hd]\b)", "\N{NO-BREAK SPACE}", words)


def how_far_beaten(scores: xr.Dataset, channel: str, system: str, baseline: str) -> str:
    """Say up to which lead time the errors of a system are smaller than those of a baseline, and how far surely so."""
    rmse = scores["rmse"].sel(bound="estimate", channel=channel)
    leads = scores["lead_time"].values
    n_smaller = _n_first(rmse.sel(system=system) < rmse.sel(system=baseline))
    if not n_smaller:
        return "at no lead"
    card = cards_in(scores)[system, baseline].sel(metric="rmse", channel=channel, region="global")
    n_sure = min(_n_first(card["better"] > 0), n_smaller)
    surely = "not significantly" if not n_sure else f"significantly up to {write_lead(leads[n_sure - 1])}"
    how_far = (
        f"at every lead to {write_lead(leads[-1])}"
        if n_smaller == len(leads)
        else f"up to {write_lead(leads[n_smaller - 1])}"
    )
    return f"{how_far} ({'significantly' if n_sure == n_smaller else surely})"


def _n_first(holds: xr.DataArray) -> int:
    """Return at how many first lead times something holds."""
    return int(np.cumprod(holds.values).sum())


def _words(channel: str) -> str:
    """Return the name of a channel as pictures have it, within a sentence."""
    label = quantity_of(channel).label
    return label[:1].lower() + label[1:]


def _data(results: Results) -> Section:
    findings = [[f.severity, f.subject, f.message, f.rule] for f in results.findings()]
    has_winds = {"u_component_of_wind", "v_component_of_wind", "temperature"} <= set(results.store.data_vars)
    figures = {"Climate of the training period": climate(_sample(results))} if has_winds else {}
    times = results.store["time"].values
    text = (
        f"{counted(len(times), 'analysis', 'analyses')} from {times[0]:.10} to {times[-1]:.10}; learned from"
        f" {show_periods(results.config.periods.training, ' to ')}, judged on"
        f" {' to '.join(results.config.periods.test)}."
    )
    tables = (
        {"What the check of the data says": [["severity", "subject", "finding", "rule"], *findings]} if findings else {}
    )
    return Section("The data", text, figures, tables)


def _sample(results: Results) -> xr.Dataset:
    """Return daily analyses of the training period, still lazy; every few days of a long one."""
    training = select(results.store, results.config.periods.training)
    step = max(1, int(_DAY / results.statistics.time_step))
    n_days = -(-training.sizes["time"] // step)
    return training.isel(time=slice(None, None, step * -(-n_days // _MOST_DAYS)))


def _training(results: Results) -> Section:
    entries = results.training.metrics()
    best = min(e["validation_loss"] for e in entries if e.get("validation_loss") is not None)
    config = results.config.training
    text = f"{config.n_steps} optimiser steps; best validation loss {best:.4g}."
    if config.longest_rollout > 1:
        text += f" Every validation is of rollouts of {config.longest_rollout} steps, as the longest stage's are."
    figures = {"Loss by optimiser step": learning(entries)}
    if results.training.glimpse.is_dir():
        figures |= _glimpse(results)
    return Section("The training", text, figures)


def _glimpse(results: Results) -> dict[str, Figure]:
    """Return what the best validation of a training has left to be drawn."""
    folder, (coastlines, orography) = results.training.glimpse, _ground(results)
    forecast = read_forecast(folder / "forecast.nc").isel(init_time=0, lead_time=0, number=0)
    analysis, power = (xr.load_dataset(folder / name) for name in ("analysis.nc", "spectra.nc"))
    name = str(next(iter(forecast.data_vars)))
    known = forecast[name].dropna("level", how="all") if "level" in forecast[name].dims else None
    channel = Channel(name, None if known is None else int(known["level"].values[0]))
    channels = [str(one) for one in telling([Channel.parse(name) for name in power["channel"].values.tolist()])]
    pair = [_field(dataset, channel) for dataset in (forecast, analysis.isel(time=0))]
    when = f"after {power.attrs['optimiser_step']} optimiser steps, at the best validation"
    return {
        f"A forecast of {_words(str(channel))} {when}": forecast_vs_truth(
            *pair, coastlines=coastlines, orography=orography
        ),
        f"How much waves of each length vary {when}": spectra(power, channels[:_MOST_SPECTRA]),
    }


def _forecast(results: Results) -> Section:
    forecast, (coastlines, orography) = results.judged, _ground(results)
    channel = parse_channels([str(results.scores["channel"].values[0])])[0]
    middle = forecast.sizes["init_time"] // 2
    start, init_time = forecast.isel(init_time=middle), forecast.indexes["init_time"][middle]
    figures, lines = {}, "" if orography is None else "; dotted lines are mountains"
    for lead in _present(forecast, _MAP_LEADS):
        members = _field(start.sel(lead_time=lead), channel)
        truth = _field(results.store.sel(time=members["valid_time"].values), channel)
        name = f"{_words(str(channel))} after {write_lead(lead)}"
        who, one = _one_of(members)
        figures[f"{who} of {name}, and what came{lines}"] = forecast_vs_truth(
            one, truth, coastlines=coastlines, orography=orography
        )
        if members.sizes["number"] > 1:
            figures[f"What the ensemble says of {name}{lines}"] = spread(
                members, coastlines=coastlines, orography=orography
            )
    return Section("A forecast", f"From {write_time(init_time.to_datetime64())}.", figures)


def _one_of(members: xr.DataArray) -> tuple[str, xr.DataArray]:
    """Return the control, or the mean where there is none, and what it is called."""
    if 0 in members["number"].values:
        return "Deterministic forecast", members.sel(number=0)
    return "Ensemble mean", members.mean("number", keep_attrs=True)


def _skill(results: Results) -> Section:
    scores = results.scores
    metrics = [name for name in _METRICS if name in scores]
    text = (
        "Bands are 95 % bootstrap intervals over initial times. Every error is averaged over the sphere with exact cell"
        " areas and over initial times before the root is taken." + _left_out(results)
    )
    figures = {_METRICS[name]: skill(scores, name) for name in metrics}
    return Section("How good it is", text, figures, {"Root-mean-square error": skill_table(scores)})


def _in_pairs(results: Results) -> list[Section]:
    """Return who is better than whom, where forecasts of the same initial times say so."""
    scores = results.scores
    cards = {pair: card.sel(metric=_of(card, _CARDS)) for pair, card in cards_in(scores).items()}
    first, *others = scorecards(cards)
    chance = f"{100 * scores.attrs['false_discovery']:g} %"
    text = (
        f"{first.text} Errors are compared at each of {counted(scores.attrs['n_init_times'], 'initial time')}, allowing"
        " for those that follow one another; of what is called significant about"
        f" {chance} is expected to be chance."
    )
    return [replace(first, text=text), *others]


def _of(card: xr.Dataset, wanted: Sequence[str]) -> list[str]:
    return [name for name in wanted if name in card["metric"].values]


def _left_out(results: Results) -> str:
    """Say which members are not judged."""
    if not results.n_stopped:
        return ""
    stopped = np.setdiff1d(results.forecast["number"].values, results.judged["number"].values)
    control = " Number 0, the deterministic forecast, is among them." if 0 in stopped else ""
    return (
        f"\n\n{results.n_stopped} of {results.forecast.sizes['number']} members stopped, their values being no longer"
        f" plausible, and are left out of all scores: number {', '.join(map(str, stopped))}.{control}"
    )


_CARDS = ("rmse", "crps_fair")
_METRICS = {
    "rmse": "Root-mean-square error by lead time",
    "acc": "Anomaly correlation by lead time; above the line at 0.6 a forecast is said to be of use",
    "crps_fair": "Fair continuous ranked probability score of the ensemble",
    "crps_fair_skill": "Skill of the ensemble in that score: the share of the climatological ensemble's that it saves",
    "spread_skill": "Spread of the ensemble over the error of its mean; 1 is reliable",
}


def _event(results: Results) -> Section:
    if results.config.extremes is None:
        kept = results.config.kept_channels[0]
        text = f"None is given: the configuration names no event. `extremes.channel={kept}` would judge high values."
        return Section("The verdict on extremes", text)
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
    left_out = {"extremes"} if results.config.extremes is None else set()
    rows = [
        [phase, *(round(entry.get(key, 0) / unit) for key, unit in _COSTS.items())]
        for phase, entry in results.ledger.entries().items()
        if phase not in left_out
    ]
    columns = ["phase", "seconds", "seconds of all cores", "peak memory of its process, MiB"]
    return Section("What it took", tables={"By phase, this page's own left out": [columns, *rows]})


def _ground(results: Results) -> tuple[bool, xr.DataArray | None]:
    """Return whether maps of this world have the Earth's coasts, and the mountains that they show instead."""
    if results.store.attrs.get("source") != "simulated":
        return True, None
    orography = results.store.get("geopotential_at_surface")
    return False, None if orography is None else orography.load()


def _present(dataset: xr.Dataset, wanted: tuple[str, ...]) -> list[np.timedelta64]:
    """Return the wanted leads that there are, or the last where there is none of them."""
    leads = dataset["lead_time"].values
    return [lead for lead in map(parse_duration, wanted) if lead in leads] or [leads[-1]]


def _field(dataset: xr.Dataset, channel: Channel) -> xr.DataArray:
    field = dataset[channel.variable]
    return (field if channel.level is None else field.sel(level=channel.level)).load()
