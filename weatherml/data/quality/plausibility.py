"""Is it weather? Fields judged by their values, whatever their labels say."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import xarray as xr

from weatherml.data.quality.finding import Finding
from weatherml.data.reading.units import STANDARD_GRAVITY
from weatherml.grid import LatLonGrid
from weatherml.state import Channel
from weatherml.variables import find

_GAS_CONSTANT = 287.05  # J kg-1 K-1, dry air
_STANDARD_PRESSURE = 1013.25  # hPa
# No layer of the atmosphere above any place is colder or warmer on average, K.
_COLDEST, _WARMEST = 190.0, 310.0


@dataclass(frozen=True)
class Summary:
    """What one pass over a channel keeps of it.

    Attributes:
        channel: Variable and level.
        minimum: Least finite value; +inf where there is none.
        maximum: Greatest finite value; -inf where there is none.
        mean: Mean of the finite values `[lat, lon]`, NaN where there is none.
        presence: Share of times (and members) with a finite value `[lat, lon]`.
        is_empty: Whether a time has no finite value at all `[time]`; one entry for a static field.
        series: Sum of the finite values `[time]`; one entry for a static field.
    """

    channel: Channel
    minimum: float
    maximum: float
    mean: np.ndarray
    presence: np.ndarray
    is_empty: np.ndarray
    series: np.ndarray


def summarise(field: xr.DataArray) -> list[Summary]:
    """Read a canonical variable once, chunk by chunk, and return a summary of each of its levels."""
    field = field.transpose(..., "latitude", "longitude")
    over = [d for d in field.dims if d not in ("level", "latitude", "longitude")]
    within = [d for d in field.dims if d not in ("time", "level")]
    finite = abs(field) < np.inf
    filled = field.where(finite, 0.0)
    lazy = xr.Dataset(
        {
            "minimum": field.where(finite, np.inf).min([*over, "latitude", "longitude"]),
            "maximum": field.where(finite, -np.inf).max([*over, "latitude", "longitude"]),
            "total": filled.sum(over, dtype=np.float64),
            "series": filled.sum(within, dtype=np.float64),
            "count": finite.sum(over),
            "found": finite.sum(within),
        }
    )
    n_samples = int(np.prod([field.sizes[d] for d in over]))
    passed = lazy.compute()
    levels = passed["level"].values if "level" in field.dims else [None]
    slices = [passed.isel(level=i) for i in range(len(levels))] if "level" in field.dims else [passed]
    return [_summary(str(field.name), level, one, n_samples) for level, one in zip(levels, slices, strict=True)]


def _summary(name: str, level: int | None, one: xr.Dataset, n_samples: int) -> Summary:
    total, count = one["total"].values, one["count"].values
    return Summary(
        channel=Channel(name, None if level is None else int(level)),
        minimum=float(one["minimum"]),
        maximum=float(one["maximum"]),
        mean=np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0),
        presence=count / n_samples,
        is_empty=np.atleast_1d(one["found"].values == 0),
        series=np.atleast_1d(one["series"].values),
    )


def judge(summaries: Sequence[Summary], grid: LatLonGrid) -> Iterator[Finding]:
    """Yield what the values of one variable's levels say.

    Found by values: wrong units (range, and the hypsometric relation for geopotential), levels labelled in another
    order, and, on a global grid, rows or columns that are not where the labels put them. A flip from north to south is
    found where the hemispheres differ in every season (mean sea level pressure, low-level geopotential and zonal wind,
    surface pressure, orography, land-sea mask, the mask of sea surface temperature; 2 m temperature only outside
    northern winter), a shift in longitude where land shows (surface pressure, orography, 2 m temperature, masks).
    Meridional wind, vorticity, humidity and upper temperature give neither away.
    """
    filled = [s for s in summaries if np.isfinite(s.minimum)]
    for summary in filled:
        yield from _judge_range(summary)
        yield from _judge_height(summary, grid)
        if grid.is_global:
            yield from _judge_contrasts(summary, grid)
    yield from _judge_level_order(filled, grid)


_SLIPS = {
    "K": ((1.0, 273.15, "degrees Celsius"),),
    "Pa": ((100.0, 0.0, "hPa"),),
    "kg kg-1": ((1e-3, 0.0, "g/kg"),),
    "m": ((1e-3, 0.0, "mm"),),
    "1": ((1e-2, 0.0, "%"),),
}
"""units: factor, offset and name of what fields are wrongly given in."""


def _judge_range(summary: Summary) -> Iterator[Finding]:
    variable = find(summary.channel.variable)
    if variable.minimum <= summary.minimum and summary.maximum <= variable.maximum:
        return
    hint = ""
    for factor, offset, name in _SLIPS.get(variable.units, ()):
        low, high = factor * summary.minimum + offset, factor * summary.maximum + offset
        hint = f"; it looks like {name}" if variable.minimum <= low and high <= variable.maximum else hint
    found = f"values {summary.minimum:.6g} .. {summary.maximum:.6g} {variable.units}"
    text = f"{found} leave the plausible {variable.minimum:g} .. {variable.maximum:g}{hint}"
    yield Finding("error", str(summary.channel), text)


def _judge_height(summary: Summary, grid: LatLonGrid) -> Iterator[Finding]:
    """Hold the mean geopotential of a level against what air between `_COLDEST` and `_WARMEST` can reach."""
    level = summary.channel.level
    # Near the ground the surface pressure decides; a deep low over a small region may leave the range below 700 hPa.
    if summary.channel.variable != "geopotential" or level is None or level > (925 if grid.is_global else 700):
        return
    depth = _GAS_CONSTANT * np.log(_STANDARD_PRESSURE / level)
    low, high, mean = depth * _COLDEST, depth * _WARMEST, _box_mean(summary.mean, grid, _EARTH)
    if low <= mean <= high:
        return
    hint = "; it looks like height in m" if low <= mean * STANDARD_GRAVITY <= high else ""
    text = f"mean {mean:.5g} m2 s-2 lies outside {low:.5g} .. {high:.5g}, possible at this level{hint}"
    yield Finding("error", str(summary.channel), text)


# What must rise (+1) or fall (-1) with pressure, between which levels (hPa).
_VERTICAL_TREND = {
    "geopotential": (-1, 1, 1000),
    "temperature": (1, 250, 1000),
    "specific_humidity": (1, 300, 1000),
}


def _judge_level_order(summaries: Sequence[Summary], grid: LatLonGrid) -> Iterator[Finding]:
    """Hold the means of the levels against the trend with pressure that the variable has."""
    name = summaries[0].channel.variable if summaries else ""
    # A region may lie below one inversion; only geopotential falls with pressure everywhere.
    if name not in _VERTICAL_TREND or not (grid.is_global or name == "geopotential"):
        return
    sign, lowest, highest = _VERTICAL_TREND[name]
    inside = [(s.channel.level, s) for s in summaries if s.channel.level and lowest <= s.channel.level <= highest]
    means = [_box_mean(s.mean, grid, _EARTH) for _, s in inside]
    # Neighbouring levels may be near isothermal: only those far apart must be in order.
    apart = 1.0 if name == "geopotential" else 1.4
    far = [(i, j) for i in range(len(inside)) for j in range(i) if inside[i][0] >= apart * inside[j][0]]
    wrong = [(inside[j][0], inside[i][0]) for i, j in far if sign * (means[i] - means[j]) <= 0]
    if wrong:
        reverse = "all levels are labelled in reverse" if len(wrong) == len(far) else "levels are labelled wrongly"
        (above, below), trend = wrong[0], {1: "rise", -1: "fall"}[sign]
        yield Finding(
            "error", name, f"{reverse}: it must {trend} from {above} to {below} hPa and does not; check the level order"
        )


class Box(NamedTuple):
    """Part of the globe, degrees north and degrees east in 0 .. 360."""

    south: float
    north: float
    west: float = 0.0
    east: float = 360.0


class _Contrast(NamedTuple):
    """On Earth the mean over `lower` lies below that over `higher`; it never exceeds it by more than `margin`."""

    lower: Box
    higher: Box
    margin: float
    verdict: str


_EARTH = Box(-90, 90)
_TROPICS, _ARCTIC, _ANTARCTIC = Box(-15, 15), Box(75, 90), Box(-90, -75)
_TIBET, _SOUTHERN_STATES = Box(30, 36, 80, 100), Box(30, 36, 260, 280)
_CIRCUMPOLAR_TROUGH, _SUBARCTIC = Box(-68, -60), Box(60, 68)
_PACIFIC, _AFRICA = Box(-10, 10, 190, 210), Box(-10, 10, 15, 35)
_FLIPPED = "latitudes look flipped: the south lies where the north should; check the row order"
_SHIFTED = "longitudes look shifted: land is not where the labels say; check the first column"
_SCRAMBLED = "rows are not where the labels say: a pole is as warm as the tropics; check the latitudes"

# Margins lie half-way between what ERA5 shows in any month and what the mistake would show.
_CONTRASTS = {
    "mean_sea_level_pressure": (_Contrast(_CIRCUMPOLAR_TROUGH, _SUBARCTIC, 1000, _FLIPPED),),
    "surface_pressure": (
        _Contrast(Box(-90, -80), Box(80, 90), 1e4, _FLIPPED),
        _Contrast(_TIBET, _SOUTHERN_STATES, 1e4, _SHIFTED),
    ),
    "geopotential_at_surface": (
        _Contrast(Box(82, 90), Box(-90, -82), 1e4, _FLIPPED),
        _Contrast(_SOUTHERN_STATES, _TIBET, 1e4, _SHIFTED),
    ),
    "land_sea_mask": (
        _Contrast(Box(85, 90), Box(-90, -85), 0.5, _FLIPPED),
        _Contrast(_PACIFIC, _AFRICA, 0.5, _SHIFTED),
    ),
    "2m_temperature": (
        _Contrast(Box(-90, -80), Box(80, 90), 15, _FLIPPED),
        _Contrast(_TIBET, _SOUTHERN_STATES, 10, _SHIFTED),
        _Contrast(_ARCTIC, _TROPICS, -5, _SCRAMBLED),
        _Contrast(_ANTARCTIC, _TROPICS, -5, _SCRAMBLED),
    ),
    "temperature": (_Contrast(_ARCTIC, _TROPICS, -3, _SCRAMBLED), _Contrast(_ANTARCTIC, _TROPICS, -3, _SCRAMBLED)),
    "geopotential": (_Contrast(_CIRCUMPOLAR_TROUGH, _SUBARCTIC, 600, _FLIPPED),),
    # The southern westerlies are the stronger ones all year.
    "u_component_of_wind": (_Contrast(Box(45, 60), Box(-60, -45), 5, _FLIPPED),),
    # Of the mask, not the values: where the sea is.
    "sea_surface_temperature": (
        _Contrast(Box(-90, -85), Box(85, 90), 0.5, _FLIPPED),
        _Contrast(_AFRICA, _PACIFIC, 0.5, _SHIFTED),
    ),
}
# Only where the contrast holds in every season, hPa.
_CONTRAST_LEVELS = {"temperature": (400, 1000), "geopotential": (850, 1000), "u_component_of_wind": (700, 925)}


def _judge_contrasts(summary: Summary, grid: LatLonGrid) -> Iterator[Finding]:
    name, level = summary.channel.variable, summary.channel.level
    low, high = _CONTRAST_LEVELS.get(name, (0, np.inf))
    if level is not None and not low <= level <= high:
        return
    values = summary.presence if name == "sea_surface_temperature" else summary.mean
    for contrast in _CONTRASTS.get(name, ()):
        excess = _box_mean(values, grid, contrast.lower) - _box_mean(values, grid, contrast.higher)
        if excess > contrast.margin:
            yield Finding("error", str(summary.channel), contrast.verdict)


def _box_mean(values: np.ndarray, grid: LatLonGrid, box: Box) -> float:
    """Area-weighted mean of the finite values `[lat, lon]` in a box; NaN where there is none."""
    rows = (np.asarray(grid.latitude) >= box.south) & (np.asarray(grid.latitude) <= box.north)
    columns = (np.asarray(grid.longitude) >= box.west) & (np.asarray(grid.longitude) <= box.east)
    inside = values[np.ix_(rows, columns)]
    weights = np.where(np.isfinite(inside), grid.area_weights()[rows], 0.0)
    total = weights.sum()
    return float((np.nan_to_num(inside) * weights).sum() / total) if total > 0 else float("nan")
