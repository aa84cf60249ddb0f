"""Where a field lies, by what of the ground shows in it in any season: mountains, coasts and what they leave."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from weatherml.data.quality.evidence import ChannelEvidence, Evidence
from weatherml.data.quality.place import earth
from weatherml.data.quality.place.placement import Placement, correlations, is_elsewhere, placement_of, short_waves
from weatherml.data.regrid.regridder import Regridder
from weatherml.grid import LatLonGrid
from weatherml.state import Channel
from weatherml.variables import find

_LEAST = {"vorticity": 0.1, "standing": 0.3, "ground": 0.6, "roughness": 0.35}
"""What the best fit reaches at least. What stands still fits single times by 0.15 to 0.29 (vorticity at 850 hPa),
0.36 to 0.53 (mean sea level pressure) and 0.37 to 0.80 (2 m temperature), means of a month by 0.8 to 0.97; pressure,
orography and masks fit the ground by 0.88; how rough the ground is shows in 2 m temperature by 0.47 to 0.76. Elsewhere
these fields reach 0.06, 0.17, 0.15, 0.3 and 0.28, and the ground of a planet 0.3."""
_LONGEST = 8
"""Zonal wavenumber from which on the ground itself is compared, and its roughness."""
_COLUMNS = 48
"""Of the coarsest grid that still shows short waves."""
_MASKED = (0.15, 0.5)
"""Shares of missing cells between which a mask may be that of the land: 0.34 of the cells at 2.5 degrees."""


@dataclass(frozen=True)
class Fit:
    """How well a field fits what stands still on the Earth.

    Attributes:
        placement: Where it fits best.
        best: Correlation there.
        labelled: Correlation where its labels put it.
        is_elsewhere: Whether it clearly lies not where its labels say.
        is_negative: Whether it has the other sign, and lies where its labels say; `best` is that of the field negated.
    """

    placement: Placement
    best: float
    labelled: float
    is_elsewhere: bool
    is_negative: bool = False


@lru_cache(maxsize=2)
def fits(evidence: Evidence) -> dict[str, Fit]:
    """Return the fit of each field, by variable and level, that lies somewhere beyond doubt."""
    grid = evidence.coarse
    if not evidence.grid.is_global or grid.n_lon < _COLUMNS:
        return {}
    found = {subject: _fit(*pair, grid, kind) for subject, kind, pair in _pairs(evidence)}
    return {subject: fit for subject, fit in found.items() if fit is not None}


def _fit(field: np.ndarray, pattern: np.ndarray, grid: LatLonGrid, kind: str) -> Fit | None:
    found = correlations(field, pattern, grid.area_weights().astype(np.float64))
    placement = placement_of(found, grid, _LEAST[kind])
    if placement is None and kind == "vorticity" and placement_of(-found, grid, _LEAST[kind]) == Placement():
        return Fit(Placement(), -float(found.min()), float(found[0, 0, 1, 0]), is_elsewhere=False, is_negative=True)
    if placement is None:
        return None
    return Fit(placement, float(found.max()), float(found[0, 0, 1, 0]), is_elsewhere(found, placement))


def _pairs(evidence: Evidence) -> Iterator[tuple[str, str, tuple[np.ndarray, np.ndarray]]]:
    """Yield subject, kind of pattern, and the field and the pattern to be compared."""
    for name, field in evidence.static.items():
        pattern = _ground(name, evidence.coarse)
        if pattern is not None:
            coarse = Regridder(evidence.grid, evidence.coarse)(field).astype(np.float64)
            yield name, "ground", (short_waves(coarse, _LONGEST), short_waves(pattern, _LONGEST))
    if _is_another_world(evidence):
        return
    for channel, of_channel in evidence.channels.items():
        yield from ((str(channel), *pair) for pair in _pair(channel, of_channel, evidence.coarse))


def _pair(
    channel: Channel, of_channel: ChannelEvidence, grid: LatLonGrid
) -> Iterator[tuple[str, tuple[np.ndarray, np.ndarray]]]:
    mean, standing = of_channel.cells.mean, earth.standing(channel, grid)
    if _is_masked(of_channel):
        yield "ground", (short_waves(of_channel.cells.presence, _LONGEST), short_waves(-earth.land(grid), _LONGEST))
    elif channel.variable == "surface_pressure":
        yield "ground", (short_waves(mean, _LONGEST), short_waves(-earth.orography(grid), _LONGEST))
    elif standing is not None:
        kind = "vorticity" if channel.variable == "vorticity" else "standing"
        yield kind, (short_waves(mean), short_waves(standing))
    elif find(channel.variable).vertical == "surface":
        yield "roughness", (_roughness(mean), _roughness(earth.orography(grid)))


def _roughness(field: np.ndarray) -> np.ndarray:
    rough = np.abs(short_waves(field, _LONGEST))
    result: np.ndarray = rough - rough.mean(-1, keepdims=True)
    return result


def _is_masked(of_channel: ChannelEvidence) -> bool:
    if of_channel.never is None:
        return False
    low, high = _MASKED
    return low <= float(of_channel.never.mean()) <= high


def _ground(name: str, grid: LatLonGrid) -> np.ndarray | None:
    return {"geopotential_at_surface": earth.orography, "land_sea_mask": earth.land}.get(name, lambda _: None)(grid)


def _is_another_world(evidence: Evidence) -> bool:
    """Return whether the data bring an orography or a land-sea mask that is not the Earth's, wherever it lies."""
    grid = evidence.coarse
    for name, field in evidence.static.items():
        pattern = _ground(name, grid)
        if pattern is not None:
            coarse = Regridder(evidence.grid, grid)(field).astype(np.float64)
            if _fit(short_waves(coarse, _LONGEST), short_waves(pattern, _LONGEST), grid, "ground") is None:
                return True
    return False
