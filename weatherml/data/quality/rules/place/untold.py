"""What of places and directions these fields cannot show."""

from collections.abc import Iterator, Sequence

from weatherml.data.quality.evidence import Evidence
from weatherml.data.quality.finding import Finding
from weatherml.data.quality.place.levels import levels_of
from weatherml.data.quality.place.standing import fits
from weatherml.data.quality.place.wind import EAST, NORTH, winds
from weatherml.data.quality.rules.place.seasons import knows_winter
from weatherml.data.quality.rules.registry import RULES, UNDECIDABLE, is_of
from weatherml.errors.wording import listed

_NARROW = 2.0
"""Degrees; a row less off fits the ground nearly as well."""
_SEASONAL = ("temperature", "geopotential", "u_component_of_wind")


@RULES.register(UNDECIDABLE)
def untold_places(evidence: Evidence) -> Iterator[Finding]:
    """These fields cannot show some errors, which other fields or other times would."""
    if not evidence.grid.is_global:
        if evidence.channels or evidence.static:
            yield _note("latitude flipped, longitude shifted or mirrored, rows off, sign of wind", "over a region")
        return
    variables = [*dict.fromkeys(channel.variable for channel in evidence.channels), *evidence.static]
    grounded = {subject for subject in fits(evidence)}
    lost = [name for name in variables if not any(is_of(name, subject) for subject in grounded)]
    if lost:
        yield _note(
            "longitude shifted or mirrored, of all fields at once",
            f"the ground of the Earth does not show in {listed(lost)}",
        )
    unseasonal = [name for name in lost if not _knows_north(evidence, name)]
    if unseasonal:
        yield _note("latitude flipped", f"neither that ground nor winter shows in {listed(unseasonal)}")
    yield from _untold_rows(evidence, lost)
    yield from _untold_winds(evidence)


def _untold_rows(evidence: Evidence, lost: Sequence[str]) -> Iterator[Finding]:
    has_poles = abs(evidence.grid.latitude[0]) > 90 - 1e-3
    if lost and not has_poles:
        yield _note("rows off by one", f"no row of this grid is a pole, and {listed(lost)} may lie on others")
    if evidence.static and evidence.grid.resolution < _NARROW:
        narrow = f"rows of {evidence.grid.resolution:g} degrees are narrower than what the ground shows"
        yield _note("rows off by one", f"{narrow} in {listed(evidence.static)}")


def _untold_winds(evidence: Evidence) -> Iterator[Finding]:
    blowing = {wind.u for wind in winds(evidence)}
    alone = [c for c in evidence.channels if NORTH in c.variable and not any(u.level == c.level for u in blowing)]
    if alone:
        yield _note("sign of v", f"{alone[0].variable} is without the eastward component")


def _knows_north(evidence: Evidence, variable: str) -> bool:
    """Return whether a variable shows that its rows are reversed, by its rotation, its winter or the wind beside it."""
    if variable == "vorticity" or ((EAST in variable or NORTH in variable) and any(winds(evidence))):
        return True
    if variable in _SEASONAL:
        return bool(levels_of(evidence, variable)) and evidence.times.size > 0 and knows_winter(evidence, variable)
    return False


def _note(what: str, why: str) -> Finding:
    return Finding("note", what, why, UNDECIDABLE)
