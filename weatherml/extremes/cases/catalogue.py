"""Lists of cases, in the form that ExtremeWeatherBench publishes its own in: a YAML file with an entry a case.

- case_id_number: 1
  title: Heat in Europe, July 2015
  start_date: 2015-06-29 00:00:00
  end_date: 2015-07-06 00:00:00
  location:
    type: bounded_region
    parameters: {latitude_min: 42.5, latitude_max: 55.0, longitude_min: -2.5, longitude_max: 20.0}
  event_type: heat_wave
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import Field

from weatherml.config import Config, from_mapping
from weatherml.config.yaml_text import parse_yaml
from weatherml.errors import UserError
from weatherml.errors.wording import listed
from weatherml.extremes.cases.region import Bounds, Circle, Place, shown
from weatherml.extremes.hazards import registry as hazards
from weatherml.registry import nearest
from weatherml.storage.locations import local_path
from weatherml.times import Period, Span, parse_period

_logger = logging.getLogger(__name__)

_KINDS = ("bounded_region", "centered_region", "circle")


class Location(Config):
    """Where a case is.

    Attributes:
        type: `bounded_region`, `centered_region` (a box around a place) or `circle`.
        parameters: Degrees; of circles `latitude`, `longitude` and `radius` in km.
    """

    type: str
    parameters: dict[str, Any] = Field(default_factory=dict)


class ListedCase(Config):
    """One entry of a list.

    Attributes:
        case_id_number: By which it is asked for.
        title: What it is called.
        start_date: UTC.
        end_date: UTC.
        location: Where.
        event_type: The hazard.
    """

    case_id_number: int
    title: str
    start_date: str
    end_date: str
    location: Location
    event_type: str

    @property
    def place(self) -> Place:
        """The region.

        Raises:
            UserError: It is of a kind that is not known, lacks a parameter, or is no region.
        """
        kind = self.location.type
        if kind not in _KINDS:
            raise UserError(
                f"case {self.case_id_number} ({self.title}) lies in a {kind}, which is not read here, only"
                f" {listed(_KINDS)}; write its region into the case's own file"
            )
        try:
            return _place(kind, self.location.parameters)
        except KeyError as error:
            raise UserError(f"case {self.case_id_number}: its {kind} lacks {error.args[0]!r}; add it") from None
        except UserError as error:
            raise UserError(f"case {self.case_id_number}: its {kind}: {error}") from None

    @property
    def period(self) -> Span:
        """The first and the last nanosecond.

        Raises:
            UserError: One is no time, or they run backward.
        """
        return parse_period((self.start_date, self.end_date), f"case {self.case_id_number}: its period")

    def faults(self) -> list[str]:
        """Return what is wrong in it, a line each; a region of a kind that is not read here is not."""
        told = []
        for look in (lambda: self.period, lambda: self.location.type in _KINDS and self.place, self._require_hazard):
            try:
                look()
            except UserError as error:
                told.append(str(error))
        return told

    def _require_hazard(self) -> None:
        if self.event_type not in hazards.known():
            near = nearest(self.event_type, hazards.known())
            raise UserError(f"case {self.case_id_number}: unknown hazard {self.event_type!r}{near}")


@dataclass(frozen=True)
class Catalogue:
    """A list of cases.

    Attributes:
        cases: In the order of the file.
        origin: Where they are from, for messages.
        path: The file; None of the list of the package.
    """

    cases: Sequence[ListedCase]
    origin: str
    path: Path | None = None

    def __iter__(self) -> Iterator[ListedCase]:
        return iter(self.cases)

    def __len__(self) -> int:
        return len(self.cases)

    def case(self, asked: Any) -> ListedCase:
        """Return the case of a number, or of a title.

        Raises:
            UserError: There is none, or several have the title.
        """
        if isinstance(asked, str):
            return self._titled(asked)
        for own in (own for own in self.cases if own.case_id_number == asked):
            return own
        numbers = [own.case_id_number for own in self.cases]
        known = f"{min(numbers)} .. {max(numbers)}" if numbers else "none"
        raise UserError(
            f"no such case: {self.origin} has no number {asked!r}, only {known}; see weatherml extremes --list"
        )

    def _titled(self, title: str) -> ListedCase:
        found = [own for own in self.cases if own.title.casefold() == title.casefold()]
        if len(found) == 1:
            return found[0]
        if found:
            numbers = listed([str(own.case_id_number) for own in found])
            raise UserError(f"{self.origin} has {title!r} as {numbers}; ask for one by its number")
        near = nearest(title, [own.title for own in self.cases])
        raise UserError(f"no such case: {self.origin} has none called {title!r}{near}; see weatherml extremes --list")

    def only(self, hazard: str | None = None, period: Period | None = None) -> "Catalogue":
        """Keep the cases of a hazard, and those that share a time with a period; one without times shares none.

        Raises:
            UserError: The list has no case of the hazard, or the period is none.
        """
        types = {own.event_type for own in self.cases}
        if hazard is not None and hazard not in types:
            raise UserError(f"{self.origin} has no case of {hazard!r}, only of {listed(sorted(types))}")
        span = None if period is None else parse_period(period)
        kept = [own for own in self.cases if hazard in (None, own.event_type)]
        if span is not None:
            kept = [own for own in kept if _meets(own, span)]
        return replace(self, cases=kept)

    def warn_of_faults(self) -> None:
        """Say what is wrong in its cases, which can be listed and not judged."""
        for fault in (fault for own in self.cases for fault in own.faults()):
            _logger.warning("%s: %s", self.origin, fault)


def listed_in(path: str | Path | None = None) -> Catalogue:
    """Read a list of cases: a file of one's own, or the cases that this package's pages are about.

    Raises:
        UserError: The file cannot be read, is no list of cases, or holds a number twice.
    """
    if path is None:
        text = files("weatherml.extremes.cases").joinpath("catalogue.yaml").read_bytes()
        return _read(text, "the list of the package")
    if not isinstance(path, str | Path):
        raise UserError(f"the list of cases is a file, got {shown(path)}; name one, such as list=events.yaml")
    own = local_path(path)
    try:
        return replace(_read(own.read_bytes(), str(own)), path=own)
    except OSError as error:
        raise UserError(f"cannot read the list of cases {own}: {error.strerror}; pass an existing YAML file") from None


def _read(text: bytes, origin: str) -> Catalogue:
    content = parse_yaml(text, f"the list of cases {origin}")
    entries = content.get("cases") if isinstance(content, Mapping) else content
    if not isinstance(entries, list) or not all(isinstance(own, Mapping) for own in entries):
        raise UserError(f"{origin} is no list of cases; each begins with `- case_id_number: 1`")
    cases = [from_mapping(ListedCase, own, f"{origin}, entry {n}") for n, own in enumerate(entries, start=1)]
    numbers = [own.case_id_number for own in cases]
    for number in (number for number in numbers if numbers.count(number) > 1):
        raise UserError(f"{origin} has case {number} twice; give each a number of its own")
    return Catalogue(cases, origin)


def _place(kind: str, given: Mapping[str, Any]) -> Place:
    if kind == "bounded_region":
        return Bounds(**{name: _number(given, f"{axis}_{end}") for name, axis, end in _SIDES})
    latitude, longitude = _number(given, "latitude"), _number(given, "longitude")
    if kind == "circle":
        return Circle(latitude=latitude, longitude=longitude, radius=_number(given, "radius"))
    high, wide = (width / 2 for width in _widths(given))
    return Bounds(
        south=max(latitude - high, -90.0),
        north=min(latitude + high, 90.0),
        west=longitude - wide,
        east=longitude + wide,
    )


def _widths(given: Mapping[str, Any]) -> list[float]:
    """Return how many degrees a box is high and wide, which one number may say of both."""
    name = "bounding_box_degrees"
    width = given[name]
    if not isinstance(width, list):
        return [_number(given, name)] * 2
    if len(width) != 2:
        raise UserError(f"{name} {shown(width)} is no height and width; write two numbers, or one for both")
    return [_number({name: own}, name) for own in width]


def _meets(case: ListedCase, span: Span) -> bool:
    try:
        own = case.period
    except UserError as error:
        _logger.warning("left out %s", error)
        return False
    return bool(own.first <= span.last and own.last >= span.first)


def _number(given: Mapping[str, Any], name: str) -> float:
    try:
        return float(given[name] if not isinstance(given[name], bool) else "")
    except (TypeError, ValueError):
        raise UserError(
            f"{name} is {shown(given[name])}, which is no number; write degrees, or km of a radius"
        ) from None


_SIDES = (
    ("south", "latitude", "min"),
    ("north", "latitude", "max"),
    ("west", "longitude", "min"),
    ("east", "longitude", "max"),
)
