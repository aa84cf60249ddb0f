"""Do wind, pressure and temperature belong together? Away from the equator each pair of them is near a balance."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np

from weatherml.data.quality.evidence import Evidence
from weatherml.data.quality.place import flow
from weatherml.data.quality.place.placement import ROWS, Placement, is_elsewhere, placement_of, turned
from weatherml.data.quality.place.wind import Wind, fields_of, winds
from weatherml.state import Channel

_BAND = (25.0, 75.0)
_GAS = 287.05
"""Of dry air, J kg-1 K-1."""
_LEAST = {"wind": 0.6, "vorticity": 0.25}
"""What a balance reaches at least, as correlation of departures from zonal means: geopotential and wind 0.96 (planet),
thickness and shear 0.81 to 0.90 (ERA-Interim), sea level pressure and wind at 850 hPa 0.81, and its curvature and
vorticity at 850 hPa 0.37 (ERA5). Anything else reaches 0.05 to 0.47."""
_LOW = 850
"""Sea level pressure is held against wind from this level on down, hPa: higher up, waves lean westward."""
_MOST = 4
"""Levels that are tried."""


@dataclass(frozen=True)
class Relation:
    """Two fields that are in balance only if one of them is changed.

    Attributes:
        mass: Geopotential, sea level pressure or temperature.
        flow: Wind or vorticity.
        change: What is to be done to the wind: `as it is`, `swapped`, `-u`, `-v`, `-uv`; to vorticity `as it is`, `-`.
        placement: Of the first, relative to the second.
        best: Correlation so.
        labelled: Correlation as labelled.
    """

    mass: str
    flow: str
    change: str
    placement: Placement
    best: float
    labelled: float


@lru_cache(maxsize=2)
def relations(evidence: Evidence) -> tuple[Relation, ...]:
    """Return the pairs of fields that are in balance only if one of them is changed."""
    if not evidence.grid.is_global or evidence.coarse.n_lat < 16:
        return ()
    found = [_held(evidence, *pair) for pair in (*_with_wind(evidence), *_with_vorticity(evidence))]
    return tuple(one for one in found if one is not None)


def _held(evidence: Evidence, mass: str, flow_name: str, field: np.ndarray, components: np.ndarray) -> Relation | None:
    kind = "wind" if len(components) == 2 else "vorticity"
    fits = _fits(field, components, evidence)
    change = max(fits, key=lambda name: float(fits[name].max()))
    placement = placement_of(fits[change], evidence.coarse, _LEAST[kind])
    if placement is None or (change == AS_IT_IS and not is_elsewhere(fits[change], placement)):
        return None
    labelled = fits[AS_IT_IS][0, 0, ROWS.index(0), 0]
    return Relation(mass, flow_name, change, placement, float(fits[change].max()), float(labelled))


AS_IT_IS = "as it is"


def _fits(mass: np.ndarray, components: np.ndarray, evidence: Evidence) -> dict[str, np.ndarray]:
    """Return correlations `[flipped, mirrored, row, column]` of what balances `mass` with the flow, changed or not.

    Args:
        mass: Geopotential, or what stands for it `[sample, lat, lon]`.
        components: Of the wind `[2, sample, lat, lon]`, or vorticity `[1, sample, lat, lon]`.
        evidence: Whose grid they are on.
    """
    grid = evidence.coarse
    own = _waves(components, evidence)
    shape = (2, 2, len(ROWS), grid.n_lon)
    pairs = {key: np.zeros(shape) for key in product(range(len(own)), repeat=2)}
    for flipped, mirrored, row in product((0, 1), (0, 1), range(len(ROWS))):
        moved = Placement(bool(flipped), bool(mirrored), ROWS[row]).undo(mass)
        wind = np.stack(flow.geostrophic(moved, grid))
        balanced = _waves(wind if len(own) == 2 else flow.vorticity(wind[0], wind[1], grid)[None], evidence)
        norm = np.sqrt(_power(balanced, grid.n_lon) * _power(own, grid.n_lon))
        for (one, other), fits in pairs.items():
            fits[flipped, mirrored, row] = turned(balanced[one], own[other], grid.n_lon) / norm if norm > 0 else 0.0
    if len(own) == 1:
        return {AS_IT_IS: pairs[0, 0], "-": -pairs[0, 0]}
    along, across = pairs[0, 0], pairs[1, 1]
    return {
        AS_IT_IS: along + across,
        "swapped": pairs[0, 1] + pairs[1, 0],
        "-u": across - along,
        "-v": along - across,
        "-uv": -along - across,
    }


def _waves(fields: np.ndarray, evidence: Evidence) -> np.ndarray:
    """Return the waves along rows of departures from the zonal mean, by area `[..., lat, wave]`."""
    filled = np.where(np.isfinite(fields), fields, 0.0) * np.sqrt(flow.band(evidence.coarse, *_BAND))
    waves: np.ndarray = np.fft.rfft(filled, axis=-1)
    waves[..., 0] = 0
    return waves


def _power(waves: np.ndarray, n_columns: int) -> float:
    """Return what `turned` gives for fields and themselves, not turned."""
    return float(turned(waves, waves, n_columns)[0])


def _with_wind(evidence: Evidence) -> Iterator[tuple[str, str, np.ndarray, np.ndarray]]:
    """Yield names and fields of what is in balance with winds."""
    blowing = {wind.level: wind for wind in winds(evidence) if not wind.u.variable.startswith("100m")}
    heights = [level for level in blowing if Channel("geopotential", level) in evidence.channels]
    for level in _some(heights):
        geopotential = Channel("geopotential", level)
        yield str(geopotential), _named(blowing[level]), fields_of(evidence, geopotential), blowing[level].fields
    yield from _with_shear(evidence, blowing)
    pressure = Channel("mean_sea_level_pressure", None)
    low = [level for level in blowing if level is None or level >= _LOW]
    if pressure in evidence.channels and low:
        wind = blowing[min(low, key=lambda level: 0 if level is None else 1 + level - _LOW)]
        yield str(pressure), _named(wind), fields_of(evidence, pressure), wind.fields


def _with_shear(
    evidence: Evidence, blowing: dict[int | None, Wind]
) -> Iterator[tuple[str, str, np.ndarray, np.ndarray]]:
    """Yield the thickness of a layer by its temperature, and the change of wind through it."""
    levels = sorted(level for level in blowing if level and Channel("temperature", level) in evidence.channels)
    inside = [level for level in levels if 200 <= level <= _LOW]
    if len(inside) < 2:
        return
    layer = [level for level in levels if inside[0] <= level <= inside[-1]]
    temperature = np.stack([fields_of(evidence, Channel("temperature", level)) for level in layer])
    depth = np.diff(np.log(layer))[:, None, None, None]
    thickness = np.sum(_GAS * (temperature[1:] + temperature[:-1]) / 2 * depth, axis=0)
    shear = blowing[layer[0]].fields - blowing[layer[-1]].fields
    yield "temperature", f"{_named(blowing[layer[0]])} less {layer[-1]}", thickness, shear


def _with_vorticity(evidence: Evidence) -> Iterator[tuple[str, str, np.ndarray, np.ndarray]]:
    turning = [channel for channel in evidence.channels if channel.variable == "vorticity"]
    for channel in turning[:_MOST]:
        geopotential = Channel("geopotential", channel.level)
        low = channel.level is None or channel.level >= _LOW
        mass = geopotential if geopotential in evidence.channels else Channel("mean_sea_level_pressure", None)
        if mass in evidence.channels and (low or mass == geopotential):
            yield str(mass), str(channel), fields_of(evidence, mass), fields_of(evidence, channel)[None]


def _some(levels: list[int | None]) -> list[int | None]:
    ordered = sorted(levels, key=lambda level: level or 0)
    if len(ordered) <= _MOST:
        return ordered
    return [ordered[i] for i in np.linspace(0, len(ordered) - 1, _MOST).round().astype(int)]


def _named(wind: Wind) -> str:
    return "10 m wind" if wind.level is None else f"wind at {wind.level} hPa"
