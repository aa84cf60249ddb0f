"""Levels that hold what is of another level, by what the air above and below them does."""

from collections.abc import Iterator

import numpy as np

from weatherml.data.quality.evidence import Evidence
from weatherml.data.quality.finding import Finding
from weatherml.data.quality.place import flow
from weatherml.data.quality.place.levels import (
    is_reversed,
    layers,
    levels_in_balance,
    levels_of,
    rolled_by,
    variables_on_levels,
)
from weatherml.data.quality.place.placement import correlations, is_elsewhere, placement_of
from weatherml.data.quality.rules.registry import RULES

_WARM = 8.0
"""K between the mean temperature of a layer by its thickness and by its temperature: 2 in ERA5 and on the planet."""
_COLDEST, _WARMEST = 150.0, 350.0
"""K; no layer is colder or warmer."""
_FITS = 0.7
"""Correlation of both, that is 0.95 and more."""
_WORSE = 0.9
"""Of it, where one of them lies elsewhere: waves of a layer are long."""


@RULES.register("levels-rolled")
def levels_rolled(evidence: Evidence) -> Iterator[Finding]:
    """Levels are rolled: two neighbours are as unlike as the top and the bottom, which are alike."""
    for variable in variables_on_levels(evidence) if evidence.grid.is_global else ():  # a region may be under a front
        by = rolled_by(evidence, variable)
        if by:
            channels = levels_of(evidence, variable)
            above, below = channels[by - 1].level, channels[by].level
            text = f"its levels are rolled by {by}: {above} and {below} hPa are less alike than {channels[0].level} and"
            remedy = f"move them back: ds.roll(level={-by})"
            yield Finding("error", variable, f"{text} {channels[-1].level} hPa; {remedy}")


@RULES.register("levels-reversed")
def levels_reversed(evidence: Evidence) -> Iterator[Finding]:
    """The spread of wind on its levels is that of the Earth from the last level to the first."""
    for variable in ("u_component_of_wind", "v_component_of_wind"):
        if evidence.grid.is_global and is_reversed(evidence, variable):
            text = (
                "all levels are labelled in reverse: its spread from level to level is the published one turned about"
            )
            remedy = "ds.isel(level=slice(None, None, -1)).assign_coords(level=ds.level)"
            yield Finding("error", variable, f"{text}; reverse them: {remedy}")


@RULES.register("levels-exchanged")
def levels_exchanged(evidence: Evidence) -> Iterator[Finding]:
    """Wind is in balance with the geopotential of other levels than its own."""
    found = levels_in_balance(evidence)
    if found:
        told = ", ".join(f"{own} hPa is of {other} hPa" for own, other in found.items() if own != other)
        text = f"levels do not belong to those of geopotential: by their balance wind at {told}; check the level order"
        yield Finding("error", "u_component_of_wind, v_component_of_wind", text, confidence="likely")


@RULES.register("hydrostatic")
def hydrostatic(evidence: Evidence) -> Iterator[Finding]:
    """The thickness of a layer is not that of air of its temperature, or lies elsewhere."""
    weights = flow.band(evidence.coarse, 0, 90)
    for upper, lower, by_thickness, by_temperature in layers(evidence):
        if not all(_COLDEST < _mean(field, weights) < _WARMEST for field in (by_thickness, by_temperature)):
            return  # other units, which other rules name
        excess = _mean(by_thickness - by_temperature, weights)
        subject = f"geopotential_{upper}, temperature_{upper}"
        if abs(excess) > _WARM:
            text = f"air of {upper} to {lower} hPa is {abs(excess):.3g} K {'warmer' if excess > 0 else 'colder'} by its"
            yield Finding("error", subject, f"{text} thickness than by its temperature; check levels and units of both")
            return
        placement = _elsewhere(evidence, by_thickness, by_temperature)
        if placement:
            text = f"geopotential of {upper} to {lower} hPa does not lie where temperature does: they agree only if"
            yield Finding("error", subject, f"{text} {placement}; check which of them lies where its labels say")
            return


def _mean(field: np.ndarray, weights: np.ndarray) -> float:
    areas = np.where(np.isfinite(field), weights, 0.0)
    return float(np.sum(np.nan_to_num(field) * areas) / areas.sum()) if areas.sum() > 0 else 0.0


def _elsewhere(evidence: Evidence, one: np.ndarray, other: np.ndarray) -> str:
    """Return what brings one field to where the other lies; nothing where it lies there, or where nothing does."""
    if not evidence.grid.is_global:
        return ""
    with np.errstate(invalid="ignore"):
        own, given = (np.nan_to_num(field - field.mean(-1, keepdims=True)) for field in (one, other))
    fits = correlations(own, given, flow.band(evidence.coarse, 0, 90))
    placement = placement_of(fits, evidence.coarse, _FITS)
    return placement.remedy(evidence.coarse) if placement is not None and is_elsewhere(fits, placement, _WORSE) else ""
