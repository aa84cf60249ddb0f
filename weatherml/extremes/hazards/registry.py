"""What kinds of events there are. A new one is an entry here: cases, the verb and the page know no more of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from importlib import import_module
from typing import Any, Literal, TypeAlias

import numpy as np
import xarray as xr
from pydantic import TypeAdapter, ValidationError

from weatherml.errors import UserError
from weatherml.extremes.hazards.ranges import require_plausible
from weatherml.references import Reference
from weatherml.registry import Registry, nearest

MakeField: TypeAlias = Callable[[xr.Dataset, Any, Reference | None], xr.DataArray]
"""From fields, a definition and thresholds to `[time, latitude, longitude]`.

The fields are one member's, or analyses: dims (time, [level,] latitude, longitude), `time` the valid time, of a region
or of the globe, with all variables of the hazard; canonical and in SI units.
"""
MakeThreshold: TypeAlias = Callable[[xr.Dataset, Any, np.ndarray], Reference]
"""From analyses of other times, a definition and the valid times `[time]` that it will be asked for, to thresholds."""
MakeTracks: TypeAlias = Callable[[xr.Dataset, Any], xr.Dataset]
"""From fields as of `MakeField`, of the whole region that storms pass through, and a definition to tracks."""
Strike: TypeAlias = Callable[[xr.Dataset, xr.Dataset, Any], xr.DataArray]
"""From tracks, the fields that they were found in and a definition to where and when a storm struck, as an event."""


@dataclass(frozen=True, eq=False)
class Made:
    """What a hazard makes of one member.

    Attributes:
        event: 1 or 0 `[time, latitude, longitude]`, or bool; NaN where it is not known.
        index: `[time, latitude, longitude]`.
        tracks: Of its storms, where it is of storms.
    """

    event: xr.DataArray
    index: xr.DataArray
    tracks: xr.Dataset | None = None


OF_OBJECTS = frozenset({"neighbours", "minimum_area", "exponent", "sal", "weights", "variable"})
"""Keys that objects and verdicts in Python have, and that change nothing of where a case has its event."""

_UNCOUNTED = ("precipitation", "convection")


def _always(_: Any) -> bool:
    return True


@dataclass(frozen=True)
class Hazard:
    """One kind of event.

    Attributes:
        words: What it is called: "heat wave".
        variables: Canonical names of what it is made of.
        definition: A frozen dataclass of thresholds, all with defaults.
        event: Where and when it is an event: 1 or 0, and NaN where values are missing that it hangs on; or bool.
        index: What is extreme of it, such as a temperature, with `units`.
        summary: By what a region becomes one number of the index; the least where low values are extreme.
        threshold: What counts as extreme at each place and date; None where the definition alone says it.
        asks: Whether a definition asks for that.
        tracks: Of the storms that it is of; None where it is of none.
        strike: Where these strike, of a hazard that has tracks: `event` without finding them again.
        extent: What is read of it: the region of a case, or all that there is, where events come from outside.
        least_share: Of a region's area that is in the event at one time, for it to have happened there, where a case
            does not say it; 0 is any cell, of what strikes a small part of a region only.
    """

    words: str
    variables: tuple[str, ...]
    definition: type[Any]
    event: MakeField
    index: MakeField
    summary: Literal["mean", "maximum", "minimum"] = "mean"
    threshold: MakeThreshold | None = None
    asks: Callable[[Any], bool] = _always
    tracks: MakeTracks | None = None
    strike: Strike | None = None
    extent: Literal["region", "everything"] = "region"
    least_share: float = 0.1

    @property
    def one(self) -> str:
        """One of them, in a sentence: "an atmospheric river", but "heavy precipitation"."""
        if self.words.endswith(_UNCOUNTED):
            return self.words
        return f"{'an' if self.words[0] in 'aeiou' else 'a'} {self.words}"

    def make(self, fields: xr.Dataset, definition: Any, threshold: Reference | None = None) -> Made:
        """Return all that it makes of one member's fields, tracks found once."""
        index = self.index(fields, definition, threshold)
        if self.tracks is None or self.strike is None:
            return Made(self.event(fields, definition, threshold), index)
        tracks = self.tracks(fields, definition)
        return Made(self.strike(tracks, fields, definition), index, tracks)

    def define(self, overrides: Mapping[str, Any]) -> Any:
        """Return the definition, with some thresholds changed.

        Args:
            overrides: New values, plain as YAML has them.

        Raises:
            UserError: The definition has no such threshold, or a value is none for it.
        """
        known = [own.name for own in fields(self.definition)]
        for name in (name for name in overrides if name not in known):
            offered = [own for own in known if own not in OF_OBJECTS]
            raise UserError(f"the definition of {self.one} has no {name!r}{nearest(name, offered)}")
        for name, value in overrides.items():
            if isinstance(value, bool):  # which counts as 0 or 1
                raise UserError(f"{name}: Input should be no yes or no, got {str(value).lower()}; give another value")
        try:
            made = TypeAdapter(self.definition).validate_python(dict(overrides))
        except ValidationError as error:
            first = error.errors()[0]
            raised = first.get("ctx", {}).get("error")
            if isinstance(raised, UserError):
                raise raised.within("definition: ") from None
            where = ".".join(map(str, first["loc"])) or "the definition"
            got = overrides.get(str(first["loc"][0])) if first["loc"] else dict(overrides)
            raise UserError(f"{where}: {first['msg']}, got {got!r}; give another value, or leave it out") from None
        require_plausible(vars(made))
        return made


registry: Registry[Hazard] = Registry("hazard")
"""Entries by name, of the modules that have been imported; `find` imports the one that is asked for."""

_FOUND_IN: Mapping[str, str] = {
    "atmospheric_river": "rivers",
    "cold_spell": "heat",
    "freeze": "freezes",
    "heat_wave": "heat",
    "heavy_precipitation": "rain",
    "severe_convection": "convection",
    "storm": "storms",
    "tropical_cyclone": "storms",
    "wind_storm": "wind",
}
"""Modules of this folder, by the names that each enters: one line a hazard."""


def known() -> list[str]:
    """Return the names of all hazards, rising."""
    return sorted({*_FOUND_IN, *registry})


def find(name: str) -> Hazard:
    """Return a hazard.

    Raises:
        UserError: There is none of that name.
    """
    if name not in registry and name in _FOUND_IN:
        import_module(f"weatherml.extremes.hazards.{_FOUND_IN[name]}")
    if name not in registry:
        raise UserError(f"unknown hazard {name!r}{nearest(name, known())}")
    return registry[name]
