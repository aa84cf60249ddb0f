"""What each kind of event is called, made of, and defined by: every key with its unit, default and meaning."""

import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields
from typing import Any

from weatherml.extremes.hazards.registry import OF_OBJECTS, Hazard, find

UNITS: Mapping[str, str] = {
    "amount": "m",
    "angle": "degrees",
    "axis_angle": "degrees",
    "coherent_share": "1",
    "daily": "",
    "displacement": "degrees",
    "gap": "h",
    "hours": "h",
    "least_latitude": "degrees",
    "least_speed": "m s-1",
    "length": "km",
    "length_to_width": "1",
    "lower": "hPa",
    "margin": "K",
    "minimum_days": "d",
    "mixed_depth": "hPa",
    "parcel": "",
    "percentile": "%",
    "poleward": "kg m-1 s-1",
    "pressure": "Pa",
    "radius": "km",
    "search_depth": "hPa",
    "severe": "m3 s-3",
    "shear_height": "m",
    "temperature": "K",
    "transport": "kg m-1 s-1",
    "upper": "hPa",
    "wind": "m s-1",
    "window_days": "d",
}
"""Of values, by key; empty of what is one of some words."""


SOURCES: Mapping[str, str] = {
    "atmospheric_river": "Guan and Waliser 2015, doi:10.1002/2015JD024257",
    "cold_spell": "the mirror image of heat_wave",
    "freeze": "frost days of ETCCDI: a daily minimum below 0 degrees C",
    "heat_wave": "Russo et al. 2015, doi:10.1088/1748-9326/10/12/124003: three days above 90 % of 31 days",
    "heavy_precipitation": "ETCCDI: more than 10 mm (R10mm), and than the 99th percentile (R99p), here of all days",
    "severe_convection": "Craven and Brooks 2004, with ExtremeWeatherBench's threshold",
    "storm": "own: a low of middle latitudes that lasts a day, wherever it goes",
    "tropical_cyclone": "tracks as Ullrich et al. 2021, doi:10.5194/gmd-14-5023-2021; radius as ECMWF",
    "wind_storm": "Klawa and Ulbrich 2003; Leckebusch et al. 2008, doi:10.1127/0941-2948/2008/0322",
}
"""Of the defaults, by hazard."""


@dataclass(frozen=True)
class Key:
    """One threshold of a definition.

    Attributes:
        name: As a case has it under `definition`.
        units: Of its value.
        default: What it is where a case does not say it.
        meaning: What it is of, and from whom.
    """

    name: str
    units: str
    default: Any
    meaning: str


@dataclass(frozen=True)
class Description:
    """What a user is told of a hazard.

    Attributes:
        name: As a case has it.
        about: What counts as one.
        source: From whom the defaults are.
        variables: Of which it is made.
        climatology: Whether a case must say what is usual, with the defaults.
        region_by: By what a region becomes one number.
        keys: Of the definition.
        least_share: Of a region's area that is in the event for it to have happened, where a case does not say it; 0 is
            any cell.
    """

    name: str
    about: str
    source: str
    variables: tuple[str, ...]
    climatology: bool
    region_by: str
    keys: tuple[Key, ...]
    least_share: float


def describe(name: str) -> Description:
    """Describe a hazard.

    Raises:
        UserError: There is none of that name.
    """
    hazard = find(name)
    asks = hazard.threshold is not None and hazard.asks(hazard.definition())
    made_of = SOURCES.get(name, ""), hazard.variables
    return Description(name, _about(hazard), *made_of, asks, hazard.summary, tuple(_keys(hazard)), hazard.least_share)


def _keys(hazard: Hazard) -> Iterator[Key]:
    told = {name: text for owner in reversed(hazard.definition.__mro__) for name, text in _attributes(owner)}
    for own in fields(hazard.definition):
        if own.name not in OF_OBJECTS:
            yield Key(own.name, UNITS.get(own.name, ""), _default(own), told.get(own.name, ""))


def _default(own: "Field[Any]") -> Any:
    if own.default is not MISSING:
        return own.default
    return own.default_factory() if own.default_factory is not MISSING else None


def _about(hazard: Hazard) -> str:
    text = inspect.cleandoc(hazard.definition.__doc__ or "")
    return " ".join(re.split(r"\n(?:Attributes|Raises):\n", text)[0].split())


def _attributes(owner: type) -> Iterator[tuple[str, str]]:
    """Yield what the docstring of a class says of each attribute."""
    text = inspect.cleandoc(owner.__dict__.get("__doc__") or "")
    parts = re.split(r"\nAttributes:\n", text)
    if len(parts) < 2:
        return
    block = re.split(r"\n\S", parts[1])[0]
    for found in re.finditer(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", block, re.MULTILINE):
        yield found[1], " ".join(found[2].split())
