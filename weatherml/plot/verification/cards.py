"""Scorecards as tables: a cell a channel and lead time, coloured by how much better a system is, marked where sure.

Blue is better and red is worse, which every common colour blindness tells apart; a triangle points up or down where the
difference is significant, so that it is also read in black and white, and colours are pale where it is not.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby, product
from typing import TypeVar

import numpy as np
import xarray as xr

from weatherml.plot.metrics import MetricLook, look_of
from weatherml.plot.style import quantity_of, typeset, write_lead
from weatherml.state import Channel, parse_channels
from weatherml.verification.metrics.registry import find

Fields = TypeVar("Fields", xr.Dataset, xr.DataArray)

STEPS = (1.0, 2.0, 5.0, 10.0, 20.0)
"""Differences from which a cell is of the next colour, % of the score of the system that is compared with."""

GROUPS = ("season", "month", "init_hour", "valid_hour", "region")
"""Dimensions that divide scores into parts, each of which has a card and curves of its own."""

_CHANCE = "p_value"
_MOST_LABELS = 10
_FEW_LEADS = 12
_WIDE, _NARROW = "1.6rem", ".98rem"


@dataclass(frozen=True)
class Tally:
    """How many comparisons came out which way.

    Attributes:
        better: Significantly.
        worse: Significantly.
        undecided: The others.
    """

    better: int
    worse: int
    undecided: int


@dataclass(frozen=True)
class Card:
    """One table.

    Attributes:
        title: Of the table: who is compared with whom, and where.
        gain: By how much the first system is better, share of the second one's score, `[channel, lead]`; infinite where
            that is 0, NaN where there is nothing to compare.
        better: 1 where it is surely better, -1 where it is surely worse, else 0, `[channel, lead]`.
        tested: Where that was asked, bool `[channel, lead]`: of too few forecasts it cannot be.
        hints: What is said when a pointer is over a cell, `[channel, lead]`.
        channels: Names.
        leads: `timedelta64 [lead]`.
    """

    title: str
    gain: np.ndarray
    better: np.ndarray
    tested: np.ndarray
    hints: np.ndarray
    channels: Sequence[str]
    leads: np.ndarray

    @property
    def tally(self) -> Tally:
        """How many cells are significantly better and worse, and how many are neither."""
        better, worse = (int((self.better == sign).sum()) for sign in (1, -1))
        return Tally(better, worse, int(self.tested.sum()) - better - worse)


def cards_of(compared: xr.Dataset, metric: str, title: str) -> list[Card]:
    """Return the tables of one metric: one for each region and group of times where there is something to compare.

    Args:
        compared: As `weatherml.verification.scorecard` returns.
        metric: Of its metrics.
        title: Who is compared with whom.
    """
    better, look = find(metric).better, look_of(metric)
    drawn = [
        _card(part, better, f"{title} · {name}" if name else title, look)
        for name, part in parts_of(compared.sel(metric=metric))
    ]
    return [card for card in drawn if card.channels]


def parts_of(scores: Fields) -> Iterator[tuple[str, Fields]]:
    """Yield the parts of scores by group of times and region, with their names; that of all of the globe has none."""
    dims = [dim for dim in GROUPS if dim in scores.dims]
    for place in product(*(scores[dim].values for dim in dims)):
        named = [str(own).replace("_", " ") for own, dim in zip(place, dims, strict=True) if scores.sizes[dim] > 1]
        yield " · ".join(named), scores.sel(dict(zip(dims, place, strict=True)))


def draw(card: Card) -> str:
    """Return a table in HTML."""
    cell = _WIDE if len(card.leads) <= _FEW_LEADS else _NARROW
    body = "".join(f"<tbody>{''.join(rows)}</tbody>" for rows in _groups(card))
    return (
        f'<table class="card" style="--cell:{cell}"><caption>{escape(card.title, quote=False)}</caption>'
        f'<thead><tr><th colspan="2"></th>{"".join(_heads(card.leads))}</tr></thead>{body}</table>'
    )


def draw_scale() -> str:
    """Return what the colours and marks mean, as a list."""
    bounds = [f"{step:g}" for step in STEPS]
    colours = [f"w{n}" for n in range(len(STEPS), 0, -1)] + ["n"] + [f"b{n}" for n in range(1, len(STEPS) + 1)]
    words = [*(f"-{own}" for own in bounds[::-1]), "", *bounds]
    swatches = "".join(f'<i class="{name}">{typeset(word)}</i>' for name, word in zip(colours, words, strict=True))
    return (
        f'<p class="scale"><span>worse</span><span class="steps">{swatches}</span><span>better, from so many %</span>'
        "<span>▲ significantly better</span><span>▼ significantly worse</span><span>pale: not significant</span></p>"
    )


def _card(own: xr.Dataset, better: str, title: str, look: MetricLook) -> Card:
    own = own.transpose("channel", "lead_time", ...)
    gain = gain_of(own["difference"].values, own["relative"].values, better)
    leads = own["lead_time"].values
    names = [str(name) for name in own["channel"].values]
    there = ~np.isnan(gain).all(axis=1)
    order = [place for place in _ordered(names) if there[place]]
    hints = np.array([_hints(own.isel(channel=place), names[place], look) for place in order], dtype=object)
    sure, tested = own["better"].values[order], own[_CHANCE].notnull().values[order]
    return Card(title, gain[order], sure, tested, hints, [names[place] for place in order], leads)


def gain_of(difference: np.ndarray, relative: np.ndarray, better: str) -> np.ndarray:
    """Return by how much the first system is better, share of the second one's score, whatever the sign of that is;
    infinite where the second one's is 0 and the first one's is not."""
    share = np.where(difference == 0, 0, np.abs(relative))
    gain: np.ndarray = np.sign(difference) * share * (1 if better == "higher" else -1)
    return gain


def _ordered(names: Sequence[str]) -> list[int]:
    """Return positions: variables as they come, of each the levels from the top down."""
    channels = [Channel.parse(name) if _is_known(name) else Channel(name) for name in names]
    variables = list(dict.fromkeys(channel.variable for channel in channels))
    return sorted(range(len(names)), key=lambda n: (variables.index(channels[n].variable), channels[n].level or 0))


def _is_known(name: str) -> bool:
    try:
        return bool(parse_channels([name]))
    except ValueError:
        return False


def _hints(own: xr.Dataset, channel: str, look: MetricLook) -> list[str]:
    """Return what is said of each lead time of a channel, in shown units."""
    quantity = quantity_of(channel)
    factor, units = look.factor(quantity), look.units(quantity)
    shown = (own[name].values * factor for name in ("difference", "lower", "upper"))
    numbers = zip(*shown, own["relative"].values, own[_CHANCE].values, strict=True)
    leads = map(write_lead, own["lead_time"].values)
    return [f"{quantity.label}, {lead}: {_hint(units, *at)}" for lead, at in zip(leads, numbers, strict=True)]


def _hint(units: str, difference: float, lower: float, upper: float, relative: float, chance: float) -> str:
    percent = f"{100 * relative:+.2g} %, " if np.isfinite(relative) else ""
    interval = f" ({lower:.3g} .. {upper:.3g})" if np.isfinite(lower) else ""
    p_value = f", p = {chance:.2g}" if np.isfinite(chance) else ""
    return typeset(f"{percent}{difference:+.3g}{interval} {units}".rstrip() + p_value)


def _heads(leads: np.ndarray) -> Iterator[str]:
    """Yield the heads of the columns: labels at as many as have room."""
    every = -(-len(leads) // _MOST_LABELS) if len(leads) > _FEW_LEADS else 1
    for place, lead in enumerate(leads):
        is_told = (place + 1) % every == 0
        yield f'<th scope="col">{f"<span>{write_lead(lead)}</span>" if is_told else ""}</th>'


def _groups(card: Card) -> Iterator[list[str]]:
    """Yield the rows of each variable."""
    variables = [quantity_of(name).label.split(" hPa ")[-1] for name in card.channels]
    for variable, places in groupby(range(len(variables)), lambda n: variables[n]):
        rows = list(places)
        yield [_row(card, place, variable, len(rows) if n == 0 else 0) for n, place in enumerate(rows)]


def _row(card: Card, place: int, variable: str, n_rows: int) -> str:
    """Return a row; the first of a variable names it, and needs no column for levels where it has none."""
    level = quantity_of(card.channels[place]).label.rpartition(" hPa ")[0]
    name = escape(f"{variable[:1].upper()}{variable[1:]}")
    first = f'<th scope="rowgroup" rowspan="{n_rows}" colspan="{1 if level else 2}">{name}</th>' if n_rows else ""
    own = zip(card.gain[place], card.better[place], card.hints[place], strict=True)
    cells = "".join(_cell(gain, better, hint) for gain, better, hint in own)
    return f"<tr>{first}{_level(level)}{cells}</tr>"


def _level(level: str) -> str:
    return f'<th scope="row">{level}</th>' if level else ""


def _cell(gain: float, better: int, hint: str) -> str:
    if np.isnan(gain):
        return "<td></td>"
    mark = {1: "▲", -1: "▼"}.get(int(better), "")
    colour = _colour(gain) if better else f"{_colour(gain)} q"
    return f'<td class="{colour}" title="{escape(hint)}">{mark}</td>'


def _colour(gain: float) -> str:
    step = int(np.searchsorted(STEPS, 100 * abs(gain), side="right"))
    return f"{'b' if gain > 0 else 'w'}{step}" if step else "n"
