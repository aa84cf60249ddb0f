"""How things look: display units, colours, levels, words and type, decided in one place."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
import xarray as xr
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.textpath import text_to_path
from matplotlib.ticker import MaxNLocator

from weatherml.column import GRAVITY
from weatherml.errors import UserError
from weatherml.state import Channel
from weatherml.variables import VARIABLES

INK, QUIET, MISSING = "#1c2733", "#66717d", "#d3d3d3"
"""Colours of words, of what stands back, and of places without a value."""

# Okabe and Ito's colours keep apart under every common colour blindness; grey is kept for the baselines.
CYCLE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
BASELINES = {
    "persistence": (":", QUIET),
    "climatology": ("--", QUIET),
    "damped persistence": ("-", "#b7c0c9"),
    "climatological ensemble": ("-.", QUIET),
}
"""Line style and colour of the reference forecasts, by the name of the system: two that coincide, as persistence and
its damped kind do in anomaly correlation, are both seen."""

_DOTS_AN_INCH = 120
_TYPE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 9.5,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": QUIET,
    "axes.linewidth": 0.7,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e3e7eb",
    "grid.linewidth": 0.7,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "axes.prop_cycle": cycler(color=CYCLE),
    "lines.linewidth": 1.8,
    "legend.frameon": False,
}


@contextmanager
def new_figure(width: float, height: float) -> Iterator[Figure]:
    """Give a figure of that size in inches, our type in force; pyplot forgets it, so that notebooks show it once."""
    layout = ConstrainedLayoutEngine(h_pad=0.08, w_pad=0.08)
    # Outside the context: a first figure makes notebooks interactive, which must stay when ours is done.
    figure = plt.figure(figsize=(width, height), dpi=_DOTS_AN_INCH, layout=layout)
    plt.close(figure)
    with plt.rc_context(_TYPE):
        yield figure


@dataclass(frozen=True)
class Quantity:
    """How one field is shown: shown value = SI value * factor + offset.

    Attributes:
        label: Its name in words, with the level: `500 hPa geopotential`.
        units: Units of a shown value.
        difference_units: Units of a shown difference, which takes the factor and no offset.
        factor: Shown units per SI unit.
        offset: In shown units.
        colormap: Name in matplotlib.
        is_signed: Whether zero is the middle, as for a wind component.
    """

    label: str
    units: str
    difference_units: str
    factor: float = 1.0
    offset: float = 0.0
    colormap: str = "viridis"
    is_signed: bool = False

    def shown(self, values: xr.DataArray) -> xr.DataArray:
        """Convert SI values to shown units."""
        return values * self.factor + self.offset

    def shown_difference(self, values: xr.DataArray) -> xr.DataArray:
        """Convert a difference, an error or a spread from SI to shown units."""
        return values * self.factor


_FLAT = 1e-5
"""Of the values: a range below it is rounding."""

# SI units -> (shown units, units of a difference, factor, offset)
_SHOWN = {
    "K": ("°C", "K", 1.0, -273.15),
    "Pa": ("hPa", "hPa", 0.01, 0.0),
    "m2 s-2": ("gpdam", "gpdam", 0.1 / GRAVITY, 0.0),
    "kg kg-1": ("g kg⁻¹", "g kg⁻¹", 1e3, 0.0),
    "s-1": ("10⁻⁵ s⁻¹", "10⁻⁵ s⁻¹", 1e5, 0.0),
    "m": ("mm", "mm", 1e3, 0.0),
}
_HEIGHT = ("m", "m", 1 / GRAVITY, 0.0)
_COLORMAPS = {
    "K": "Spectral_r",
    "Pa": "RdYlBu_r",
    "kg kg-1": "YlGnBu",
    "kg m-2": "YlGnBu",
    "kg m-1 s-1": "YlGnBu",
    "m": "YlGnBu",
    "m s-1": "BuPu",
    "%": "YlGnBu",
}
_VECTOR = re.compile(r"(\d+m_)?wind(_\d+)?")  # what both components of a wind are judged as
_SIGNED = ("component_of_wind", "ward_water_vapour_flux", "vorticity", "divergence", "vertical_velocity")


def quantity_of(name: str, units: str = "", level: int | None = None) -> Quantity:
    """Return how the field of that name is shown.

    Args:
        name: A variable (`geopotential`), a channel (`geopotential_500`), or any other name.
        units: Units of a name outside the vocabulary, shown as they are.
        level: Pressure in hPa of a variable.
    """
    if match := _VECTOR.fullmatch(name):
        speed = quantity_of(f"{match[1] or ''}wind_speed{match[2] or ''}", units, level)
        return replace(speed, label=speed.label.removesuffix(" speed"))
    channel = _channel_of(name, level)
    if channel.variable not in VARIABLES:
        return Quantity(_words(channel), superscript(units), superscript(units))
    variable = VARIABLES[channel.variable]
    plain = (superscript(variable.units), superscript(variable.units), 1.0, 0.0)
    shown = _HEIGHT if variable.name == "geopotential_at_surface" else _SHOWN.get(variable.units, plain)
    is_signed = any(word in variable.name for word in _SIGNED)
    colormap = "PuOr_r" if is_signed else _COLORMAPS.get(variable.units, "viridis")
    return Quantity(_words(channel), *shown, colormap, is_signed)


def quantity_of_field(field: xr.DataArray) -> Quantity:
    """Return how a field is shown, from its name, its `units` and its scalar `level`."""
    level = int(field["level"]) if "level" in field.coords and field["level"].ndim == 0 else None
    return quantity_of(str(field.name or "field"), str(field.attrs.get("units", "")), level)


def _channel_of(name: str, level: int | None) -> Channel:
    variable, _, suffix = name.rpartition("_")
    if name not in VARIABLES and variable in VARIABLES and suffix.isdigit():
        return Channel(variable, int(suffix))
    return Channel(name, level)


def _words(channel: Channel) -> str:
    words = spelled(channel.variable.replace("_", " "))
    words = words.replace("u component of wind", "eastward wind").replace("v component of wind", "northward wind")
    return words[:1].upper() + words[1:] if channel.level is None else f"{channel.level} hPa {words}"


def spelled(words: str) -> str:
    """Write heights with a space, as in `2 m temperature`, in words that are made of names of variables."""
    return re.sub(r"\b(\d+)m ", r"\1 m ", words)


def superscript(units: str) -> str:
    """Write exponents as superscripts: `m s-1` becomes `m s⁻¹`; `1` becomes nothing."""
    raised = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
    words = (
        "".join(c.translate(raised) if i and not c.isalpha() else c for i, c in enumerate(w)) for w in units.split()
    )
    return "" if units == "1" else " ".join(words)


def squared(units: str) -> str:
    """Write the square of units as they are shown: of `m s⁻¹` it is `m² s⁻²`."""
    plain, raised = "-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"
    words = units.translate(str.maketrans(raised, plain)).split()
    parts = [part for word in words if (part := re.fullmatch(r"(.+?)(-?\d+)?", word))]
    return " ".join(part[1] + str(2 * int(part[2] or 1)).translate(str.maketrans(plain, raised)) for part in parts)


def typeset(text: str) -> str:
    """Write hyphens before numbers as minus signs."""
    return re.sub(r"(?<![\w])-(?=\d)", "\N{MINUS SIGN}", text)


@dataclass(frozen=True)
class Shading:
    """Discrete colours for one scale: where the steps are, what they mean, and whether values go beyond them."""

    levels: npt.NDArray[np.float64]
    colormap: str
    extend: Literal["neither", "min", "max", "both"]
    label: str

    @property
    def norm(self) -> BoundaryNorm:
        """Value -> step."""
        return BoundaryNorm(self.levels, 256, extend=self.extend)

    def ticks(self, most: int = 12) -> npt.NDArray[np.float64]:
        """Return the levels worth a number on the colour bar: at most so many, zero among them where it is a level."""
        step = self.levels[1] - self.levels[0]
        places = np.round(self.levels / step)
        for every in range(1, len(self.levels) + 1):
            chosen = self.levels[places % every == 0]
            if len(chosen) <= max(most, 2):
                break
        return np.asarray(chosen)


def shade(values: npt.ArrayLike, quantity: Quantity) -> Shading:
    """Choose colours for shown values of any shape; NaN is passed over.

    Raises:
        UserError: No value is finite.
    """
    return _shading(values, quantity.colormap, with_units(quantity.label, quantity.units), quantity.is_signed)


def shade_difference(values: npt.ArrayLike, quantity: Quantity) -> Shading:
    """Choose colours for shown differences: red above zero, blue below, alike on both sides."""
    return _shading(values, "RdBu_r", with_units(f"{quantity.label}, difference", quantity.difference_units), True)


def shade_spread(values: npt.ArrayLike, quantity: Quantity) -> Shading:
    """Choose colours for a shown standard deviation: light where members agree."""
    return _shading(
        values, "YlOrRd", with_units(f"{quantity.label}, ensemble spread", quantity.difference_units), False
    )


def shade_score(values: npt.ArrayLike, label: str, is_error: bool, is_signed: bool) -> Shading:
    """Choose colours for shown scores: of errors light where they are small, of signed ones alike on both sides."""
    colormap = ("RdBu_r" if is_signed else "YlOrRd") if is_error else "viridis"
    return _shading(values, colormap, label, is_error and is_signed)


def round_levels(values: npt.ArrayLike, n: int) -> npt.NDArray[np.float64]:
    """Return about `n` round levels that hold all values but the most extreme half per cent on either side."""
    finite = np.asarray(values)[np.isfinite(values)]
    low, high = np.percentile(finite, (0.5, 99.5))
    if low == high:  # a field that is zero nearly everywhere, such as rain
        low, high = finite.min(), finite.max()
    if high - low < _FLAT * max(abs(low), abs(high)) or low == high:  # a field that is the same everywhere
        low, high = low - (0.05 * abs(low) or 1), high + (0.05 * abs(high) or 1)
    return _ticks(float(low), float(high), n)


def _shading(values: npt.ArrayLike, colormap: str, label: str, symmetric: bool) -> Shading:
    finite = np.asarray(values)[np.isfinite(values)]
    if not finite.size:
        raise UserError(f"{label}: every value is NaN, there is nothing to draw; select another time or variable")
    levels = round_levels(np.concatenate([finite, -finite]) if symmetric else finite, 20)
    below, above = finite.min() < levels[0], finite.max() > levels[-1]
    extend: Literal["neither", "min", "max", "both"] = "neither"
    if below or above:
        extend = "both" if below and above else "min" if below else "max"
    return Shading(levels, colormap, extend, label)


def _ticks(low: float, high: float, n: int) -> npt.NDArray[np.float64]:
    return np.asarray(MaxNLocator(nbins=n, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high), np.float64)


def with_units(label: str, units: str) -> str:
    """Join a label and its units; a pure number has none."""
    return f"{label} ({units})" if units else label


PROBABILITY = Shading(np.arange(0.0, 101, 10), "GnBu", "neither", "Probability (%)")
"""From 0 to 100 %, whatever the values are: pictures of several events can be compared."""

TITLE, NOTE, LABEL = (10.5, "bold"), (8.5, "normal"), (9.5, "normal")
"""Size in points and weight of a title, of the note under it, and of a label."""
_SPACING = 1.2
"""Of lines, in sizes of the type."""


def write_title(ax: Axes, title: str, note: str) -> None:
    """Write a title over the axes, and under it a quiet note, which may be empty; both may have several lines."""
    ax.set_title(title, pad=_lift(note))
    ax.annotate(note, (0, 1), (0, 6), "axes fraction", "offset points", color=QUIET, fontsize=NOTE[0])


def heading_height(title: str, note: str) -> float:
    """Return how many inches over the axes a title and its note take."""
    return (_lift(note) + (1 + title.count("\n")) * _SPACING * TITLE[0]) / 72


def _lift(note: str) -> float:
    """Return how far above the axes a title stands, points."""
    return 6 + (2.8 + (1 + note.count("\n")) * _SPACING * NOTE[0] if note else 0)


def wrap(text: str, inches: float, size: float, weight: str = "normal") -> str:
    """Break a text into lines that are no longer: between the parts that dots separate, or else between words.

    Args:
        text: One line.
        inches: The most that a line may take; a word that takes more has a line of its own.
        size: Of the type, points.
        weight: Of the type.
    """
    lines: list[str] = []
    for separator in (" · ", " "):
        lines = _broken(text, separator, inches, size, weight)
        if all(_is_within(line, inches, size, weight) for line in lines):
            break
    return "\n".join(lines)


_HINTED = 1.04
"""How much wider letters are at most that are fitted to the dots of a picture."""


def text_inches(text: str, size: float, weight: str = "normal") -> float:
    """Return how many inches a line of text takes."""
    font = FontProperties(family="sans-serif", size=size, weight=weight)
    width, _, _ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
    return float(width) / 72


def _is_within(line: str, inches: float, size: float, weight: str) -> bool:
    return text_inches(line, size, weight) * _HINTED <= inches


def _broken(text: str, separator: str, inches: float, size: float, weight: str) -> list[str]:
    lines = [""]
    for part in text.split(separator):
        longer = f"{lines[-1]}{separator}{part}" if lines[-1] else part
        if lines[-1] and not _is_within(longer, inches, size, weight):
            lines.append(part)
        else:
            lines[-1] = longer
    return lines


def write_time(time: np.datetime64) -> str:
    """Write a time as `2021-09-06 00 UTC`, with minutes where there are any."""
    date, clock = str(np.datetime_as_string(time, unit="m")).split("T")
    return f"{date} {clock.removesuffix(':00')} UTC"


def write_lead(lead: np.timedelta64) -> str:
    """Write a lead time as `6 h`, `5 d` or `7.5 d`: in days where they are whole or more than two."""
    hours = lead / np.timedelta64(1, "h")
    return f"{hours / 24:g} d" if hours > 48 or (hours and hours % 24 == 0) else f"{hours:g} h"


def write_origin(field: xr.DataArray) -> str:
    """Write valid time, init time, lead and member of a field, as far as its scalar coordinates say."""
    known = {str(name): coord.values for name, coord in field.coords.items() if coord.ndim == 0}
    valid = known.get("valid_time", known.get("time"))
    parts = [f"valid {write_time(valid)}"] if valid is not None else []
    if "init_time" in known:
        parts.append(f"forecast from {write_time(known['init_time'])}")
    if "lead_time" in known:
        parts.append(f"lead {write_lead(known['lead_time'])}")
    if "number" in known:
        parts.append(f"member {known['number']}")
    return " · ".join(parts)
