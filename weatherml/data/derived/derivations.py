"""All derivations, by the name of what they make; a new one is one line."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import xarray as xr

from weatherml.column import RIVERS, speed, vapour_flux, vapour_transport
from weatherml.data.derived import air
from weatherml.data.derived.accumulation import Accumulated, sums, terms_of
from weatherml.data.derived.column import OverColumn
from weatherml.data.derived.derivation import Derivation, Pointwise, Request
from weatherml.data.derived.sunshine import OfTimeAndPlace, Received, cosine_of_zenith_angle
from weatherml.durations import format_duration

ACCUMULATIONS = ("total_precipitation", "toa_incident_solar_radiation")
"""Variables that archives accumulate; canonical are the sums over the hour before."""

_PIECE = 24  # times whose sums are made at once


@dataclass(frozen=True)
class Sum(Derivation):
    """An accumulation over a window that ends at the valid time.

    Attributes:
        inputs: The accumulation that the archive holds.
        how: What is done.
        window: How long.
    """

    inputs: tuple[str, ...]
    how: str
    window: np.timedelta64

    def times_needed(self, times: np.ndarray, accumulated: Accumulated) -> np.ndarray:
        """Return the times of the values that add up to the sums at `times`."""
        return terms_of(times, self.window, accumulated).needed()

    def can_be_made(self, times: np.ndarray, known: np.ndarray, accumulated: Accumulated) -> np.ndarray:
        """Return at which of `times` all values that add up are among those of the `known` times, bool `[time]`."""
        return terms_of(times, self.window, accumulated).are_among(known)

    def derive(self, inputs: xr.Dataset, request: Request) -> xr.DataArray:
        """Add up what the archive holds."""
        field = inputs[self.inputs[0]]
        pieces = []
        for start in range(0, len(request.times), _PIECE):
            times = request.times[start : start + _PIECE]
            terms = terms_of(times, self.window, request.accumulated)
            pieces.append(sums(field.sel(time=terms.needed()), times, terms))
        return xr.concat(pieces, "time")

    def attributes(self, inputs: xr.Dataset) -> dict[str, str]:
        """Return what the field says of itself, its window among it."""
        return super().attributes(inputs) | {"cell_methods": "time: sum", "window": format_duration(self.window)}


_WIND = ("u_component_of_wind", "v_component_of_wind")
_HUMIDITY = "specific_humidity"
_FLUXES = tuple(f"vertical_integral_of_{way}ward_water_vapour_flux" for way in ("east", "north"))
_CARRIED = "vapour carried by the wind, 300 to 1000 hPa"


def _sum(name: str, hours: int) -> Sum:
    return Sum((name,), f"accumulated over {hours} h that end at the time", np.timedelta64(hours, "h"))


def _sunlight(hours: int) -> OfTimeAndPlace:
    return OfTimeAndPlace(
        f"solar constant and the sun's path over {hours} h that end at the time", Received(np.timedelta64(hours, "h"))
    )


DERIVATIONS: dict[str, tuple[Derivation, ...]] = {
    "wind_speed": (Pointwise(_WIND, "length of the wind vector", speed),),
    **{
        f"{height}_wind_speed": (
            Pointwise(tuple(f"{height}_{wind}" for wind in _WIND), "length of the wind vector", speed),
        )
        for height in ("10m", "100m")
    },
    "relative_humidity": (
        Pointwise(("temperature", _HUMIDITY), "saturation over water and ice as in the IFS", air.relative_humidity),
    ),
    _HUMIDITY: (
        Pointwise(
            ("temperature", "relative_humidity"), "saturation over water and ice as in the IFS", air.specific_humidity
        ),
    ),
    _FLUXES[0]: (OverColumn((_HUMIDITY, _WIND[0]), _CARRIED, vapour_flux, RIVERS),),
    _FLUXES[1]: (OverColumn((_HUMIDITY, _WIND[1]), _CARRIED, vapour_flux, RIVERS),),
    "integrated_vapor_transport": (OverColumn((_HUMIDITY, *_WIND), _CARRIED, vapour_transport, RIVERS),),
    **{name: (_sum(name, 1),) for name in ACCUMULATIONS[:1]},
    **{f"{ACCUMULATIONS[0]}_{hours}hr": (_sum(ACCUMULATIONS[0], hours),) for hours in (6, 12, 24)},
    ACCUMULATIONS[1]: (_sum(ACCUMULATIONS[1], 1), _sunlight(1)),
    **{f"{ACCUMULATIONS[1]}_{hours}hr": (_sum(ACCUMULATIONS[1], hours), _sunlight(hours)) for hours in (6, 12, 24)},
    "cosine_of_solar_zenith_angle": (OfTimeAndPlace("place of the sun at the time", cosine_of_zenith_angle),),
}
"""Ways to make a variable, the better one first."""


def need_all_levels(names: Collection[str]) -> bool:
    """Return whether any of the variables, named canonically, is a sum over all levels that there are."""
    return any(isinstance(way, OverColumn) for name in names for way in DERIVATIONS[name])


def made_of(name: str, derived: Collection[str]) -> str:
    """Return, for a message, what is to be derived from a variable, and from what else; empty where nothing is."""
    ways = ((made, way) for made in derived for way in DERIVATIONS[made] if name in way.inputs)
    return next((f"{made} (source.derive) is derived from {', '.join(way.inputs)}" for made, way in ways), "")


def inputs_of(names: Collection[str], chosen: Collection[str]) -> tuple[str, ...]:
    """Return what must be read for variables to be derived: of several ways the first of which all inputs are chosen.

    Args:
        names: Canonical names of what is to be derived.
        chosen: Canonical names of what is read in any case.
    """
    inputs: dict[str, None] = {}
    for name in names:
        ways = DERIVATIONS[name]
        way = next((one for one in ways if set(one.inputs) <= set(chosen)), ways[-1])
        others = [i for i in way.inputs if i in names and i != name]
        inputs |= dict.fromkeys([*inputs_of(others, chosen), *(i for i in way.inputs if i not in others)])
    return tuple(inputs)
