"""Scores that have an axis of their own, such as ranks, probabilities and waves: what stands along each, and how."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from weatherml.plot import style
from weatherml.plot.metrics import look_of, units_of_thresholds
from weatherml.plot.verification import panels
from weatherml.plot.verification.looks import looks_of
from weatherml.plot.verification.panels import Line, Panel

MOST_LEADS, MOST_CHANNELS = 3, 12
"""That are drawn."""

_BINS = ("forecast_probability", "observed_frequency", "forecast_share")
_WAVES = ("spectrum", "zonal_spectrum")


@dataclass(frozen=True)
class Profile:
    """One chapter.

    Attributes:
        title: What it shows.
        note: How it is to be read.
        x_label: What is along.
        lines: What each colour is.
        drawn: Panels, SVG.
    """

    title: str
    note: str
    x_label: str
    lines: Sequence[Line]
    drawn: Sequence[str]


@dataclass(frozen=True)
class _Kind:
    """How some metrics are drawn together.

    Attributes:
        title: Of the chapter.
        note: How it is to be read.
        x_label: What is along.
        lines: From the metrics at one channel and lead time, by name without parameters or with, to curves.
        reference: A level to measure the eye against.
        is_logarithmic: Both axes.
    """

    title: str
    note: str
    x_label: str
    lines: Callable[[Mapping[str, xr.DataArray]], list[Line]]
    reference: float | None = None
    is_logarithmic: bool = False


def profiles(scores: xr.Dataset, names: Sequence[str]) -> Iterator[Profile]:
    """Yield a chapter for each kind of metrics among those that have an axis of numbers or places.

    Args:
        scores: Dims (system, bound, channel, lead_time, *axes).
        names: Of the metrics; of their groups of times and regions the first is drawn.
    """
    families: dict[str, list[str]] = {}
    for name in names:
        families.setdefault(_family(name), []).append(name)
    for family, own in families.items():
        if profile := _profile(scores, own, _kind_of(family, units_of_thresholds(scores))):
            yield profile


def _family(name: str) -> str:
    base, parameters = _split(name)
    return base if base in _WAVES else f"reliability{parameters}" if base in _BINS else name


def _split(name: str) -> tuple[str, str]:
    base, _, parameters = name.partition("(")
    return base.strip(), f"({parameters}" if parameters else ""


def _kind_of(family: str, units: str) -> _Kind:
    base, parameters = _split(family)
    kind = _KINDS.get(base) or _Kind(look_of(base).words, "", "", _along)
    return replace(kind, title=f"{kind.title}{look_of(f'x{parameters}', units).words[1:]}")


def _profile(scores: xr.Dataset, names: Sequence[str], kind: _Kind) -> Profile | None:
    leads = scores["lead_time"].values[sorted({0, scores.sizes["lead_time"] // 2, scores.sizes["lead_time"] - 1})]
    drawn: list[str] = []
    known: dict[str, Line] = {}
    x_label = kind.x_label or _axis_of(scores[names[0]]).replace("_", " ").capitalize()
    for channel in map(str, scores["channel"].values):
        for lead in leads[:MOST_LEADS]:
            lines = kind.lines({name: scores[name].sel(channel=channel, lead_time=lead) for name in names})
            if any(np.isfinite(line.y).any() for line in lines) and len(drawn) < MOST_LEADS * MOST_CHANNELS:
                known |= {line.name: line for line in lines}
                title = f"{style.quantity_of(channel).label}, {style.write_lead(lead)}"
                drawn.append(panels.draw(Panel(title, "", lines, x_label, kind.reference, True, kind.is_logarithmic)))
    return Profile(kind.title, kind.note, x_label, list(known.values()), drawn) if drawn else None


def _axis_of(score: xr.DataArray) -> str:
    known = ("system", "bound", "channel", "lead_time")
    return next(str(dim) for dim in score.dims if dim not in known)


def _by_system(score: xr.DataArray) -> Iterator[tuple[str, np.ndarray, np.ndarray, tuple[str, str]]]:
    """Yield name, `[bound, ...]`, `[...]` along the first axis, and look of each system that has the score."""
    looks = looks_of(score["system"].values)
    for name in map(str, score["system"].values):
        own = score.sel(system=name).transpose("bound", ...)
        if np.isfinite(own.values).any():
            axis = str(own.dims[1])
            along = own[axis].values if axis in own.coords else np.arange(own.sizes[axis])
            yield name, own.values, along.astype(float), looks[name]


def _along(given: Mapping[str, xr.DataArray]) -> list[Line]:
    (score,) = given.values()
    while score.ndim > 3:  # of several axes the last is drawn
        score = score.isel({_axis_of(score): 0})
    return [Line.of(name, along, values, look) for name, values, along, look in _by_system(score)]


def _ranks(given: Mapping[str, xr.DataArray]) -> list[Line]:
    """Return how often each rank occurred over how often it would if members and truth were drawn alike."""
    (score,) = given.values()
    lines = []
    for name, values, along, look in _by_system(score):
        there = np.isfinite(values[0])
        n_members = max(int(there.sum()) - 1, 1)
        lines.append(Line.of(name, along[there] / n_members, values[:, there] * (n_members + 1), look))
    return lines


def _reliability(given: Mapping[str, xr.DataArray]) -> list[Line]:
    """Return observed frequency by forecast probability, and the diagonal."""
    own = {_split(name)[0]: score for name, score in given.items()}
    if not {"forecast_probability", "observed_frequency"} <= set(own):
        return []
    probabilities = {name: values[0] for name, values, *_ in _by_system(own["forecast_probability"])}
    curves = [
        Line.of(name, probabilities[name], values, look)
        for name, values, _, look in _by_system(own["observed_frequency"])
    ]
    return [_diagonal("reliable"), *map(_sorted, curves)]


def _roc(given: Mapping[str, xr.DataArray]) -> list[Line]:
    """Return hit rate by false-alarm rate, and the diagonal."""
    (score,) = given.values()
    looks, lines = looks_of(score["system"].values), [_diagonal("no discrimination")]
    for name in map(str, score["system"].values):
        rates = score.sel(system=name, bound="estimate").transpose("rate", ...).values
        if np.isfinite(rates).any():
            none = np.full(rates.shape[1], np.nan)
            lines.append(_sorted(Line(name, rates[0], rates[1], none, none, *looks[name])))
    return lines


def _waves(given: Mapping[str, xr.DataArray]) -> list[Line]:
    """Return the spectra of forecasts, of their truth and of their errors."""
    lines = []
    for metric, score in given.items():
        of = next((own for own in ("truth", "error") if re.search(own, metric)), "forecast")
        for name, values, along, (colour, dash) in _by_system(score):
            waves = along > 0
            if of == "truth":
                name, colour, dash = "truth", "var(--ink)", ""
            label = f"{name}, error" if of == "error" else name
            lines.append(Line.of(label, along[waves], values[:, waves], (colour, "1 3" if of == "error" else dash)))
    return list({line.name: line for line in lines}.values())


def _diagonal(name: str) -> Line:
    ends, none = np.array([0.0, 1.0]), np.full(2, np.nan)
    return Line(name, ends, ends, none, none, "var(--quiet)")


def _sorted(line: Line) -> Line:
    """Return a curve from left to right, without the places where there is none."""
    there = np.flatnonzero(np.isfinite(line.x) & np.isfinite(line.y))
    order = there[np.argsort(line.x[there], kind="stable")]
    return replace(line, **{name: getattr(line, name)[order] for name in ("x", "y", "lower", "upper")})


_KINDS = {
    "rank_histogram": _Kind(
        "Rank histogram",
        "How often so many members, as a share of all, lie below the truth, over how often they would in a reliable"
        " ensemble: a bowl means too little spread, a dome too much, a slope a bias.",
        "Members below the truth, share",
        _ranks,
        reference=1.0,
    ),
    "reliability": _Kind(
        "Reliability", "Observed frequency by forecast probability.", "Forecast probability", _reliability
    ),
    "roc_curve": _Kind("Relative operating characteristic", "Hit rate by false-alarm rate.", "False-alarm rate", _roc),
    "spectrum": _Kind(
        "Spectrum on the sphere",
        "Variance by total wavenumber: a forecast that falls below the truth is smoother than weather is.",
        "Total wavenumber",
        _waves,
        is_logarithmic=True,
    ),
    "zonal_spectrum": _Kind(
        "Spectrum along latitude circles",
        "Variance by zonal wavenumber: a forecast that falls below the truth is smoother than weather is.",
        "Zonal wavenumber",
        _waves,
        is_logarithmic=True,
    ),
    "economic_value": _Kind(
        "Relative economic value",
        "By the cost of protection over the loss that it spares: 1 is worth what a perfect forecast is, 0 what knowing"
        " the frequency of the event is.",
        "Cost over loss",
        _along,
    ),
}
