"""The page: scorecards first, then curves, then what belongs to ensembles and waves."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from html import escape
from importlib.resources import files
from pathlib import Path

import numpy as np
import xarray as xr

from weatherml.errors.wording import counted, listed
from weatherml.plot import style
from weatherml.plot.metrics import look_of, units_of_thresholds
from weatherml.plot.report import Drawing, Section, write_report
from weatherml.plot.verification import cards, panels
from weatherml.plot.verification.cards import Card
from weatherml.plot.verification.looks import looks_of
from weatherml.plot.verification.profiles import profiles
from weatherml.verification.cards import without_cards
from weatherml.verification.metrics.registry import find, judged
from weatherml.verification.pairing.notes import sentences

_PLAIN = {"system", "bound", "channel", "lead_time", *cards.GROUPS}
_SHARE = "share_judged"
_DAY = np.timedelta64(1, "D")


def write_page(
    path: str | Path,
    title: str,
    scores: xr.Dataset,
    compared: Mapping[tuple[str, str], xr.Dataset] | None = None,
    published: xr.Dataset | None = None,
    said: Sequence[str] = (),
) -> Path:
    """Write what was found as one HTML file that opens without a network.

    Args:
        path: Where to, ending in `.html`.
        title: Of the page.
        scores: As `weatherml.verification.evaluate_systems` returns, dims (system, bound, [by,] channel, [region,]
            lead_time), SI units; scorecards that are written beside them are not drawn.
        compared: Scorecards (`weatherml.verification.scorecard`), by who is compared with whom.
        published: Scores of others, dims (system, channel, lead_time), laid beneath the curves as points.
        said: Sentences on what was judged, beside those that the scores tell.

    Raises:
        UserError: The path does not end in .html, or cannot be written.
    """
    scores = without_cards(scores)
    metrics = _metric_names(scores)
    plain = [name for name in metrics if set(scores[name].dims) <= _PLAIN]
    others = [name for name in metrics if name not in plain and not _named_axis(scores[name])]
    sections = [
        *scorecards(compared or {}),
        *(_curves(scores, name, published) for name in plain),
        *(own for name in metrics if _named_axis(scores[name]) for own in _parts_by_lead(scores, name, published)),
        *(_profiles(scores, others) if others else ()),
        _judged(scores, compared or {}, said),
    ]
    filled = [own for own in sections if own.figures or own.tables or own.text]
    return write_report(path, title, filled, _summary(scores, compared or {}), look())


def _summary(scores: xr.Dataset, compared: Mapping[tuple[str, str], xr.Dataset]) -> str:
    systems = [str(name) for name in scores["system"].values]
    n_init, n_leads = int(scores.attrs.get("n_init_times", 0)), scores.sizes["lead_time"]
    last = style.write_lead(scores["lead_time"].values[-1])
    return (
        f"{listed(systems)}: {counted(scores.sizes['channel'], 'channel')} at {counted(n_leads, 'lead time')} to"
        f" {last}, judged on {counted(n_init, 'initial time')}."
        + "".join(f"\n\n{line}" for line in _verdicts(compared))
    )


def _verdicts(compared: Mapping[tuple[str, str], xr.Dataset]) -> Iterator[str]:
    """Yield who is how often better than whom, of all that is compared."""
    for (first, second), own in compared.items():
        judging = [metric for metric in own["metric"].values if find(str(metric)).better != "neither"]
        drawn = [card for metric in judging for card in cards.cards_of(own, str(metric), "")]
        total, better, worse, _ = _tallied(drawn)
        if total:
            yield (
                f"{first} is significantly better than {second} in {better} % and worse in {worse} % of"
                f" {counted(int(total), 'comparison')}."
            )


def look() -> str:
    """Return how drawings of a page look, for `write_report`."""
    return files("weatherml.plot.verification").joinpath("page.css").read_text(encoding="utf-8")


def scorecards(compared: Mapping[tuple[str, str], xr.Dataset]) -> Iterator[Section]:
    """Yield a summary of all comparisons, and a chapter a metric; nothing where nothing is compared."""
    made: dict[str, list[Card]] = {}
    rows: list[Sequence[object]] = [("compared", "metric", "comparisons", "better, %", "worse, %", "neither, %")]
    for (first, second), own in compared.items():
        for metric in map(str, own["metric"].values):
            if find(metric).better == "neither":
                continue
            drawn = cards.cards_of(own, metric, f"{first} against {second}")
            if drawn:
                made.setdefault(metric, []).extend(drawn)
                rows.append((f"{first} against {second}", metric, *_tallied(drawn)))
    if not made:
        return
    text = "How often the first system is significantly better or worse, of all channels, lead times and regions."
    yield Section("Which is better", text, tables={"Significant differences": rows})
    for metric, drawn in made.items():
        markup = cards.draw_scale() + f'<div class="cards">{"".join(map(cards.draw, drawn))}</div>'
        units = units_of_thresholds(next(iter(compared.values())))
        yield Section(f"Scorecard: {look_of(metric, units).words}", _better(metric), {_HOVER: Drawing(markup)})


_HOVER = "Hold the pointer over a cell for the difference, its interval and the p-value."


def _better(metric: str) -> str:
    words = {"lower": "smaller", "higher": "larger", "zero": "nearer to zero", "one": "nearer to one"}
    return f"Better is {words[find(metric).better]}."


def _tallied(drawn: Sequence[Card]) -> tuple[int, int, int, int]:
    """Return how many comparisons there are, and how many % are better, worse and neither."""
    tallies = [card.tally for card in drawn]
    better, worse = sum(own.better for own in tallies), sum(own.worse for own in tallies)
    total = better + worse + sum(own.undecided for own in tallies)
    shares = [round(100 * own / max(total, 1)) for own in (better, worse, total - better - worse)]
    return total, shares[0], shares[1], shares[2]


def _curves(scores: xr.Dataset, metric: str, published: xr.Dataset | None) -> Section:
    """Return the curves of a metric by lead time, those of the first part unfolded."""
    beneath = published[metric] if published is not None and metric in published else None
    if beneath is not None:  # what lies beyond would press the curves together
        beneath = beneath.sel(lead_time=beneath["lead_time"] <= scores["lead_time"].max())
    blocks = []
    for place, (name, part) in enumerate(cards.parts_of(scores[metric])):
        lines = _lines(part, metric, beneath)
        drawn = [panels.draw(own) for own in _panels(part, metric, lines)]
        if drawn:
            grid = f'<div class="panels">{"".join(drawn)}</div>'
            known = {line.name: line for own in lines.values() for line in own}
            blocks.append(_folded(name, panels.legend(list(known.values())) + grid, is_open=place == 0))
    caption = "Along: lead time in days. Bands: intervals. Hold the pointer over a lead time for the numbers."
    figures = {caption: Drawing("".join(blocks))} if blocks else {}
    return Section(look_of(metric, units_of_thresholds(scores[metric])).words, "", figures)


def _folded(name: str, content: str, is_open: bool) -> str:
    """Return elements under a name that unfolds them; the name is text, of whoever asked, and the content elements."""
    head = f"<details{' open' * is_open}><summary>{escape(name)}</summary>"
    return f"{head}{content}</details>" if name else content


def _lines(part: xr.DataArray, metric: str, beneath: xr.DataArray | None) -> dict[str, list[panels.Line]]:
    """Return the curves of each channel, in shown units: those of others first."""
    days = part["lead_time"].values / _DAY
    dashes = looks_of(part["system"].values)
    found: dict[str, list[panels.Line]] = {}
    for channel in map(str, part["channel"].values):
        factor = look_of(metric).factor(style.quantity_of(channel))
        own = part.sel(channel=channel).transpose("system", "bound", "lead_time") * factor
        drawn = _published(beneath, channel, factor)
        for name in map(str, part["system"].values):
            estimate, lower, upper = own.sel(system=name).values
            if np.isfinite(estimate).any():
                drawn.append(panels.Line(name, days, estimate, lower, upper, *dashes[name]))
        if any(not line.is_published for line in drawn):
            found[channel] = drawn
    return found


def _published(beneath: xr.DataArray | None, channel: str, factor: float) -> list[panels.Line]:
    if beneath is None or channel not in beneath["channel"].values:
        return []
    days, none = beneath["lead_time"].values / _DAY, np.full(beneath.sizes["lead_time"], np.nan)
    lines = []
    for place, name in enumerate(map(str, beneath["system"].values)):
        own = beneath.sel(channel=channel, system=name).values * factor
        if np.isfinite(own).any():
            shade = f"hsl({(40 + 67 * place) % 360} 28% 56%)"
            lines.append(panels.Line(f"{name} (published)", days, own, none, none, shade, is_published=True))
    return lines


def _panels(part: xr.DataArray, metric: str, lines: Mapping[str, list[panels.Line]]) -> Iterator[panels.Panel]:
    look = look_of(metric)
    for channel, own in lines.items():
        quantity = style.quantity_of(channel)
        yield panels.Panel(
            quantity.label, look.units(quantity), own, "Lead time (days)", look.reference, not look.is_signed
        )


def _parts_by_lead(scores: xr.Dataset, metric: str, published: xr.Dataset | None) -> Iterator[Section]:
    """Yield the curves of each part of a metric whose own axis has names."""
    axis = _named_axis(scores[metric])
    for label in scores[axis].values:
        section = _curves(scores.assign({metric: scores[metric].sel({axis: label}, drop=True)}), metric, published)
        yield replace(section, title=f"{section.title}: {label}")


def _named_axis(score: xr.DataArray) -> str:
    """Return the one axis of a metric that is of names; empty where there is none, or another axis."""
    own = [str(dim) for dim in score.dims if dim not in _PLAIN]
    is_named = len(own) == 1 and own[0] in score.coords and score[own[0]].dtype.kind in "UO"
    return own[0] if is_named else ""


def _profiles(scores: xr.Dataset, names: Sequence[str]) -> Iterator[Section]:
    """Yield a chapter for metrics that have an axis of numbers: of the first group of times and region."""
    parts = dict(cards.parts_of(scores[list(names)]))
    place, first = next(iter(parts.items()))
    for own in profiles(first, names):
        markup = panels.legend(own.lines) + f'<div class="panels">{"".join(own.drawn)}</div>'
        at = f"Along: {own.x_label.lower()}. At some lead times{f', {place}' if place else ''}."
        yield Section(own.title, own.note, {at: Drawing(markup)})


def _judged(scores: xr.Dataset, compared: Mapping[tuple[str, str], xr.Dataset], said: Sequence[str]) -> Section:
    """Return what was judged, and how sure it is."""
    members = scores.coords.get("n_members")
    rows: list[Sequence[object]] = [("system", "members", *_metric_names(scores))]
    for place, name in enumerate(map(str, scores["system"].values)):
        n_members = int(members[place]) if members is not None else 1
        rows.append((name, n_members, *(judged(own, n_members) or "of the forecast" for own in _metric_names(scores))))
    sentences = [*_on_scores(scores), *_on_cards(compared), *said]
    return Section("What was judged", "\n\n".join(sentences), tables={"Systems": rows})


def _on_scores(scores: xr.Dataset) -> Iterator[str]:
    """Yield what scores say of themselves."""
    attributes = scores.attrs
    n_init, between = int(attributes.get("n_init_times", 0)), attributes.get("init_times", "")
    yield f"{counted(n_init, 'initial time')} that all systems have{f', {between}' if between else ''} (UTC)."
    if "region" in scores.dims:
        yield f"Regions: {listed(str(name).replace('_', ' ') for name in scores['region'].values)}."
    if "control" in attributes:
        yield f"Number 0 of ensembles, which control forecasts have, is {attributes['control']}."
    yield from (f"{clause[:1].upper()}{clause[1:]}." for clause in sentences(scores))
    if _SHARE in scores:
        least = float(scores[_SHARE].min())
        yield f"Of some channel and lead time {100 * (1 - least):.2g} % of the area were missing and do not count."
    else:
        yield "Nothing was missing."
    confidence, method = float(attributes.get("confidence", 0.95)), attributes.get("interval", "")
    yield f"Intervals are of {100 * confidence:g} %, over initial times{f', by the method {method}' if method else ''}."


def _on_cards(compared: Mapping[tuple[str, str], xr.Dataset]) -> Iterator[str]:
    """Yield how scorecards were made, and what they leave out."""
    for (first, second), own in compared.items():
        if own.attrs.get("left_out"):
            yield f"{first} against {second} leaves out: {own.attrs['left_out']}."
    attributes = next(iter(compared.values())).attrs if compared else {}
    if "false_discovery" in attributes:
        yield f"Differences are of pairs of forecasts from one initial time, by the method {attributes['interval']}."
        share = f"{100 * attributes['false_discovery']:g} %"
        yield f"Of the significant ones {share} are expected not to be there (Benjamini and Hochberg 1995)."


def _metric_names(scores: xr.Dataset) -> list[str]:
    return [str(name) for name in scores.data_vars if name != _SHARE]
