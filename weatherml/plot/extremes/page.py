"""The page of one event: what happened, how early it was seen, where, how strong, and how well each system did."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from weatherml.errors.wording import counted
from weatherml.extremes.cases import scores
from weatherml.extremes.cases.config import Stored
from weatherml.extremes.cases.running import Outcome
from weatherml.extremes.hazards.keys import UNITS
from weatherml.extremes.hazards.registry import OF_OBJECTS
from weatherml.plot import style
from weatherml.plot.extremes.event_maps import write_ahead
from weatherml.plot.extremes.page_pictures import (
    calibrated,
    how_unusual,
    panels_of,
    plumes,
    quantity_of,
    storms,
    where,
)
from weatherml.plot.report import Drawing, Rows, Section, write_report
from weatherml.plot.verification import look
from weatherml.plot.verification.looks import looks_of
from weatherml.plot.verification.page import scorecards
from weatherml.plot.verification.panels import Line, Panel, legend

_DAY = np.timedelta64(1, "D")
_NO_SAMPLE = (
    "One event is no sample: intervals are over initial times that all look at the same weather, and a system that was"
    " better here may be worse at the next. Judge systems by many cases."
)


def write_page(path: str | Path, outcome: Outcome, said: Sequence[str] = ()) -> Path:
    """Write what came of a case as one HTML file that opens without a network.

    Args:
        path: Where to, ending in `.html`.
        outcome: As `weatherml.extremes.cases.run` returns.
        said: Sentences on what was judged, beside those that the case tells.

    Raises:
        UserError: The path does not end in .html, or cannot be written.
    """
    sections = [
        _happened(outcome),
        _early(outcome),
        where(outcome),
        *storms(outcome),
        plumes(outcome),
        *how_unusual(outcome),
        *_scores(outcome),
        *calibrated(outcome),
        _errors(outcome),
        _judged(outcome, said),
    ]
    filled = [own for own in sections if own.figures or own.tables or own.text]
    return write_report(path, outcome.case.name, filled, "\n\n".join(_headline(outcome)), look())


def _headline(outcome: Outcome) -> Iterator[str]:
    truth, stage = outcome.truth, outcome.stage
    words = stage.hazard.words
    for remark in outcome.remarks:
        yield f"Mind this first: {remark}."
    if not truth.happened:
        asked = scores.write_asked(outcome.case.share_asked)
        most = f"{100 * truth.largest_share:.2g} %"
        yield f"No {words}: at most {most} of the region was in one, and {asked} is asked for."
    else:
        yield (
            f"The {words} lasted from {_when(truth.onset, outcome)} to {_when(truth.end, outcome)}, over"
            f" {100 * truth.largest_share:.2g} % of the region at its largest.{''.join(_on_cut(outcome))}"
        )
    for name, own in outcome.systems.items():
        yield _signal(name, outcome, own.probability_of_happening)
    yield _NO_SAMPLE


def _on_cut(outcome: Outcome) -> Iterator[str]:
    """Yield what is to be said of an event that the period cuts, a sentence each."""
    if outcome.cut.onset:
        yield " It had begun before the period, so that no error of its onset is told."
    if outcome.cut.end:
        yield " It went on after the period, as far as is known, so that no error of its end is told."


def _signal(name: str, outcome: Outcome, probability: pd.Series) -> str:
    own, truth = outcome.systems[name], outcome.truth
    if probability.empty:
        return f"Forecasts of `{name}` do not reach over the period."
    ahead = scores.first_signal(own, truth)
    if ahead is not None:
        return f"By `{name}` it was likely, at 50 % or more, from {write_ahead(ahead)} before the onset on."
    before = probability[probability.index < pd.Timestamp(truth.onset)] if truth.happened else probability
    if before.empty:
        return f"Forecasts of `{name}` begin when it had begun."
    if not before.max():
        return f"By `{name}` it was never likely: 0 % at all {counted(len(before), 'initial time')} before."
    return f"By `{name}` it was never lastingly likely: {100 * before.max():.0f} % at most, at one initial time."


def _happened(outcome: Outcome) -> Section:
    case, stage, truth = outcome.case, outcome.stage, outcome.truth
    rows: list[Sequence[object]] = [
        ("of the case", "told"),
        ("period", " to ".join(_when(own, outcome) for own in (stage.times[0], stage.times[-1]))),
        ("region", str(case.region)),
        ("it happens", f"where {_asked(case.share_asked)} in it at one time"),
        ("onset", _when(truth.onset, outcome) + (", or before" if outcome.cut.onset else "")),
        ("end", _when(truth.end, outcome) + (", or after" if outcome.cut.end else "")),
        ("most extreme", f"{_value(truth.peak, outcome)}, {_number_words(outcome)} of the region"),
        ("on" if outcome.stage.is_of_days else "at", _when(truth.peak_time, outcome)),
    ]
    defined: list[Sequence[object]] = [
        ("threshold", "value"),
        *_defined(stage.definition),
    ]
    tables: dict[str, Rows] = {"The case": rows, f"What counts as {stage.hazard.one}": defined}
    return Section("What happened", case.about, tables=tables)


def _asked(share: float) -> str:
    return f"{100 * share:g} % of the region's area is" if share else "any cell of the region is"


def _defined(definition: object) -> Iterator[Sequence[object]]:
    for name, value in vars(definition).items():
        if name not in OF_OBJECTS:
            yield name.replace("_", " "), f"{_plain(value)} {_units(name) if value is not None else ''}".rstrip()


def _units(name: str) -> str:
    units = UNITS.get(name, "")
    return "" if units == "1" else {"d": "days", "h": "hours"}.get(units, style.typeset(units))


def _plain(value: object) -> str:
    """Write a threshold, in SI units as its definition has it; nothing asked is a dash."""
    if value is None:
        return "\N{EN DASH}"
    return style.typeset(f"{value:.10g}") if isinstance(value, float) else str(value)


def _early(outcome: Outcome) -> Section:
    """Return the probability that the event happens, by initial time."""
    since = outcome.truth.onset if outcome.truth.happened else outcome.stage.times[0]
    looks = looks_of(list(outcome.systems))
    lines = []
    for name, own in outcome.systems.items():
        told = scores.happening(own).transpose("bound", "init_time")
        told = told.isel(init_time=told["init_time"].values <= since)
        if told.sizes["init_time"]:
            days = (told["init_time"].values - since) / _DAY
            lines.append(Line.of(name, days, 100 * told.values, looks[name]))
    panel = Panel(f"Probability of {outcome.stage.hazard.one}", "%", lines, "Initial time, days from the onset", 50.0)
    text = (
        "The share of members in which the event happens in region and period, by initial time. Bands: what that share"
        " would be of infinitely many members, with 95 %; one forecast says 0 or 100 %."
        " The level grey line is 50 %, from which on the event is called likely."
    )
    caption = (
        "Along: initial time, days from the onset; lines of like values hide each other. Hold the pointer"
        " over a place for the numbers."
    )
    return Section("How early it was seen", text, {caption: Drawing(legend(lines) + panels_of([panel]))})


def _scores(outcome: Outcome) -> Iterator[Section]:
    brier, crps = scores.event_scores(outcome)["brier"], scores.index_scores(outcome)
    looks, quantity = looks_of(list(outcome.systems)), quantity_of(outcome)
    lines = [_line(name, brier.sel(system=name).isel(channel=0), looks[name], 1.0) for name in looks]
    others = [_line(name, crps.sel(system=name), looks[name], quantity.factor) for name in looks]
    panels = [
        Panel("Brier score of the event at each cell and time", "", lines, "Lead time (days)"),
        Panel(
            f"CRPS of the region's {outcome.stage.hazard.summary}",
            quantity.difference_units,
            others,
            "Lead time (days)",
        ),
    ]
    counts = scores.n_judged(outcome).values
    least, most = counts[counts > 0].min(initial=counts.max()), counts.max()
    how_many = f"{least} to {most} forecasts" if least < most else counted(int(most), "forecast")
    text = (
        f"Smaller is better. Each lead is judged at the valid times of the period, {how_many} a lead;"
        " intervals are told where these are five or more, and drawn of systems of which none is wider than the scores:"
        " forecasts that look at one event err alike, and tell little. The CRPS is fair to ensembles of any size, and"
        " of one forecast the absolute error."
    )
    markup = Drawing(legend(lines) + panels_of(panels))
    has_bands = any(np.isfinite(own.lower).any() for own in [*lines, *others])
    caption = "Along: lead time in days." + (" Bands: 95 % intervals." if has_bands else "")
    yield Section("Scores", text, {caption: markup}, _differences(outcome))
    yield from (own for own in scorecards(scores.event_differences(outcome)) if own.figures)


def _number_words(outcome: Outcome) -> str:
    """Return what a region's number is called: `mean 2 m temperature`."""
    label = quantity_of(outcome).label
    return f"{outcome.stage.hazard.summary} {label[:1].lower()}{label[1:]}"


def _differences(outcome: Outcome) -> dict[str, Rows]:
    quantity = quantity_of(outcome)
    rows: list[Sequence[object]] = [("compared", "lead", "difference", "lower", "upper")]
    for (one, other), own in scores.index_differences(outcome).items():
        told = own.isel(lead_time=np.flatnonzero(np.isfinite(own.sel(bound="lower"))))
        for lead in told["lead_time"].values[:: max(1, -(-told.sizes["lead_time"] // 4))]:
            values = told.sel(lead_time=lead).values * quantity.factor
            rows.append((f"{one} less {other}", lead, *map(float, values)))
    words = f"Differences in CRPS of the region's {_number_words(outcome)}"
    caption = f"{style.with_units(words, quantity.difference_units)}; below 0 the first is better"
    return {caption: rows} if len(rows) > 1 else {}


def _errors(outcome: Outcome) -> Section:
    table = scores.errors(outcome)
    quantity, truth = quantity_of(outcome), outcome.truth
    if truth.happened:
        table = table[table["init_time"] < pd.Timestamp(truth.onset)]
    shown = table.sort_values("init_time", ascending=False, kind="stable").groupby("system", sort=False).head(5)
    shown = shown.sort_values(["system", "init_time"], kind="stable")
    rows: list[Sequence[object]] = [
        (
            "system",
            "from",
            "members",
            "probability, %",
            "onset, h",
            "end, h",
            f"peak, {quantity.difference_units}",
            "place, km",
        )
    ]
    for own in shown.itertuples():
        errors = own.onset_error, own.end_error, own.peak_error * quantity.factor, own.place_error
        rows.append((own.system, own.init_time, own.members, round(100 * own.probability), *map(_rounded, errors)))
    text = (
        "Medians over members: of onset, end and place over those in which the event happens, of the peak over all."
        " Later and more are positive. Forecasts that begin after the onset know that it began, and are left out."
    )
    return Section("When, how strong, where: errors", text, tables={"Forecasts from the last five initial times": rows})


def _judged(outcome: Outcome, said: Sequence[str]) -> Section:
    case = outcome.case
    rows: list[Sequence[object]] = [("system", "members", "what it is")]
    for name, own in outcome.systems.items():
        told = case.systems.get(name)
        made = (
            "forecasts"
            if told is None or isinstance(told, Stored)
            else f"{told.baseline.replace('_', ' ')}, made of analyses"
        )
        note = told.note if told is not None else ""
        rows.append((name, own.n_members, f"{made}: {note}" if note else made))
    inits = next(iter(outcome.systems.values())).series["init_time"].values
    sentences = [
        f"{counted(len(inits), 'initial time')} that all systems have{_between(inits)}."
        + _on_reach(outcome, len(inits)),
        f"Left out, as no forecast reaches over the period: {', '.join(outcome.left_out)}." if outcome.left_out else "",
        *_on_climatology(outcome),
        f"Before each forecast lie the analyses of {case.history}, as far as the truth has them, so that spells and"
        " storms that had begun go on.",
        f"Intervals by the method {case.interval}.",
        *_on_one(outcome),
        *said,
    ]
    return Section("What was judged", "\n\n".join(filter(None, sentences)), tables={"Systems": rows})


def _between(inits: np.ndarray) -> str:
    return f", {_time(inits[0])} to {_time(inits[-1])}" if len(inits) > 1 else f", {_time(inits[0])}"


def _on_reach(outcome: Outcome, n_inits: int) -> str:
    """Say from how many initial times forecasts reach over the period, where not from all."""
    reach = {name: len(own.probability_of_happening) for name, own in outcome.systems.items()}
    few = [f"{n} of `{name}`" for name, n in reach.items() if n < n_inits]
    if not few:
        return ""
    return f" Probabilities are of those that reach to the end of the period: {', '.join(few)}."


def _on_climatology(outcome: Outcome) -> Iterator[str]:
    own = outcome.case.climatology
    if own is not None:
        years = pd.Timestamp(own.period[0]).year, pd.Timestamp(own.period[1]).year
        n_years = years[1] - years[0] + 1
        few = f" {counted(n_years, 'year')} only: thresholds are as uncertain as that." if n_years < 10 else ""
        yield f"What is usual is of the analyses of {' to '.join(own.period)}.{few}"


def _on_one(outcome: Outcome) -> Iterator[str]:
    ones = [name for name, own in outcome.systems.items() if own.n_members == 1]
    if ones:
        yield f"An ensemble of one says 0 or 100 %: {', '.join(ones)}."


def _line(name: str, own: xr.DataArray, shown: tuple[str, str], factor: float) -> Line:
    values = own.transpose("bound", "lead_time").values * factor
    is_wide = (values[2] - values[1] > np.nanmax(values[0], initial=0.0)).any()
    values[1:] = np.nan if is_wide else np.maximum(values[1:], 0.0)  # no score is below zero
    return Line.of(name, own["lead_time"].values / _DAY, values, shown)


def _value(value: float, outcome: Outcome) -> str:
    quantity = quantity_of(outcome)
    return style.typeset(f"{value * quantity.factor + quantity.offset:.4g} {quantity.units}".strip())


def _rounded(value: float) -> object:
    return float(f"{value:.3g}") if np.isfinite(value) else float("nan")


def _when(time: np.datetime64, outcome: Outcome) -> str:
    """Write a time of events; of those of days the date."""
    if outcome.stage.is_of_days and not np.isnat(time):
        return str(time.astype("datetime64[D]"))
    return _time(time)


def _time(time: np.datetime64) -> str:
    return "never" if np.isnat(time) else style.write_time(time)
