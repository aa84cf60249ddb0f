"""Rows or columns that are not where their labels put them, by contrasts that the Earth always shows."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from weatherml.data.quality.evidence import Evidence
from weatherml.data.quality.finding import Finding
from weatherml.data.quality.rules.fields import Box, MeanField, box_mean, by_variable, mean_fields
from weatherml.data.quality.rules.registry import RULES, yields_to


class _Contrast(NamedTuple):
    """On Earth the mean over `lower` lies below that over `higher`; it never exceeds it by more than `margin`.

    In less than `_DAYS` it may exceed it by `margin_of_days`; None where that is the same.
    """

    lower: Box
    higher: Box
    margin: float
    verdict: str
    rule: str
    margin_of_days: float | None = None


_DAYS = np.timedelta64(10, "D")
_TROPICS, _ARCTIC, _ANTARCTIC = Box(-15, 15), Box(75, 90), Box(-90, -75)
_TIBET, _SOUTHERN_STATES = Box(30, 36, 80, 100), Box(30, 36, 260, 280)
_CIRCUMPOLAR_TROUGH, _SUBARCTIC = Box(-68, -60), Box(60, 68)
_PACIFIC, _AFRICA = Box(-10, 10, 190, 210), Box(-10, 10, 15, 35)
_FLIPPED = ("latitudes look flipped: the south lies where the north should; check the row order", "contrast-latitude")
_SHIFTED = ("longitudes look shifted: land is not where the labels say; check the first column", "contrast-longitude")
_SCRAMBLED = (
    "rows are not where the labels say: a pole is as warm as the tropics; check the latitudes",
    "contrast-rows",
)

# Margins lie half-way between what ERA5 shows in any month and what the mistake would show.
_CONTRASTS = {
    "mean_sea_level_pressure": (_Contrast(_CIRCUMPOLAR_TROUGH, _SUBARCTIC, 1000, *_FLIPPED),),
    "surface_pressure": (
        _Contrast(Box(-90, -80), Box(80, 90), 1e4, *_FLIPPED),
        _Contrast(_TIBET, _SOUTHERN_STATES, 1e4, *_SHIFTED),
    ),
    "geopotential_at_surface": (
        _Contrast(Box(82, 90), Box(-90, -82), 1e4, *_FLIPPED),
        _Contrast(_SOUTHERN_STATES, _TIBET, 1e4, *_SHIFTED),
    ),
    "land_sea_mask": (
        _Contrast(Box(85, 90), Box(-90, -85), 0.5, *_FLIPPED),
        _Contrast(_PACIFIC, _AFRICA, 0.5, *_SHIFTED),
    ),
    "2m_temperature": (
        _Contrast(Box(-90, -80), Box(80, 90), 15, *_FLIPPED),
        _Contrast(_TIBET, _SOUTHERN_STATES, 10, *_SHIFTED),
        _Contrast(_ARCTIC, _TROPICS, -5, *_SCRAMBLED),
        _Contrast(_ANTARCTIC, _TROPICS, -5, *_SCRAMBLED),
    ),
    "temperature": (_Contrast(_ARCTIC, _TROPICS, -3, *_SCRAMBLED), _Contrast(_ANTARCTIC, _TROPICS, -3, *_SCRAMBLED)),
    "geopotential": (_Contrast(_CIRCUMPOLAR_TROUGH, _SUBARCTIC, 600, *_FLIPPED),),
    # The southern westerlies are the stronger ones all year, but not every day; of a planet without seasons, single
    # times reach 6.1 m s-1 the other way.
    "u_component_of_wind": (_Contrast(Box(45, 60), Box(-60, -45), 5, *_FLIPPED, margin_of_days=7),),
    # Of the mask, not the values: where the sea is.
    "sea_surface_temperature": (
        _Contrast(Box(-90, -85), Box(85, 90), 0.5, *_FLIPPED),
        _Contrast(_AFRICA, _PACIFIC, 0.5, *_SHIFTED),
    ),
}
# Only where the contrast holds in every season, hPa.
_CONTRAST_LEVELS = {"temperature": (400, 1000), "geopotential": (850, 1000), "u_component_of_wind": (700, 925)}


# A contrast that is not the Earth's may have many causes; where a pattern or a balance names one, that is said.
_LEVELS = ("level-order", "levels-rolled", "levels-reversed")
yields_to("contrast-latitude", "latitude-flipped", "winter-elsewhere", "wind-sign", "wind-swapped", "amount", *_LEVELS)
yields_to("contrast-longitude", "longitude-shifted", "longitude-mirrored")
yields_to("contrast-rows", "constant", "latitude-flipped", "rows-off", "row-seam", *_LEVELS)


@RULES.register("contrast-latitude")
def find_flipped_latitudes(evidence: Evidence) -> Iterator[Finding]:
    """The south lies where the north should."""
    return by_variable(_contrasts(evidence, "contrast-latitude"), evidence.channels)


@RULES.register("contrast-longitude")
def find_shifted_longitudes(evidence: Evidence) -> Iterator[Finding]:
    """Land is not where the longitudes say."""
    return by_variable(_contrasts(evidence, "contrast-longitude"), evidence.channels)


@RULES.register("contrast-rows")
def find_scrambled_rows(evidence: Evidence) -> Iterator[Finding]:
    """A pole is as warm as the tropics."""
    return by_variable(_contrasts(evidence, "contrast-rows"), evidence.channels)


def _contrasts(evidence: Evidence, rule: str) -> Iterator[Finding]:
    for field in mean_fields(evidence) if evidence.grid.is_global else ():
        for contrast in _judged(field):
            if contrast.rule == rule and _excess(field, contrast) > _margin(contrast, evidence.times):
                yield Finding("error", str(field.channel), contrast.verdict, rule)


def _judged(field: MeanField) -> tuple[_Contrast, ...]:
    name, level = field.channel.variable, field.channel.level
    low, high = _CONTRAST_LEVELS.get(name, (0, np.inf))
    return _CONTRASTS.get(name, ()) if level is None or low <= level <= high else ()


def _margin(contrast: _Contrast, times: np.ndarray) -> float:
    is_short = times.size > 0 and np.ptp(times) < _DAYS
    return contrast.margin if contrast.margin_of_days is None or not is_short else contrast.margin_of_days


def _excess(field: MeanField, contrast: _Contrast) -> float:
    values = field.presence if field.channel.variable == "sea_surface_temperature" else field.mean
    return box_mean(values, field.grid, contrast.lower) - box_mean(values, field.grid, contrast.higher)
