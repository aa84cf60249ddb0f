"""Wind with its components exchanged or of the wrong sign, by what wind does on a planet that turns."""

from collections.abc import Iterator

from weatherml.data.quality.evidence import Evidence
from weatherml.data.quality.finding import Finding
from weatherml.data.quality.place import flow
from weatherml.data.quality.place.balance import AS_IT_IS, Relation, relations
from weatherml.data.quality.place.components import apart
from weatherml.data.quality.place.standing import Fit, fits
from weatherml.data.quality.place.wind import (
    EAST,
    Mistake,
    Wind,
    fields_of,
    is_from_the_east,
    mistakes,
    turns_the_wrong_way,
    winds,
)
from weatherml.data.quality.rules.kinds import in_file
from weatherml.data.quality.rules.registry import RULES, yields_to
from weatherml.state import Channel

_ALOFT, _WESTERLIES, _MOST = 500, 300, 1100
"""hPa; down to where the sign of eastward wind tells by itself, where it tells best, and below any level."""


@RULES.register("wind-swapped")
def wind_swapped(evidence: Evidence) -> Iterator[Finding]:
    """Eastward and northward wind are exchanged: as labelled, wind diverges as it should turn."""
    for wind, ratios in _mistaken(evidence, "swapped"):
        u, v = wind.u.variable, wind.v.variable
        remedy = f"rename them: ds.rename({{{u!r}: {v!r}, {v!r}: {u!r}}})"
        told = f"look exchanged: {ratios}; {remedy}{in_file(evidence, wind.u, wind.v)}"
        yield Finding("error", f"{u}, {v}", told, "wind-swapped")


@RULES.register("wind-sign")
def wind_sign(evidence: Evidence) -> Iterator[Finding]:
    """A component of the wind has the wrong sign: wind diverges as it should turn, or blows from the east aloft."""
    mistaken = _mistaken(evidence, "sign")
    for wind, ratios in mistaken:
        if is_from_the_east(evidence, wind.u):
            yield _wrong_sign(evidence, wind.u, f"{ratios}, and it is from the east where westerlies blow")
        else:
            u, v = wind.u.variable, wind.v.variable
            text = f"{v} has the wrong sign, or the rows of both are reversed, or their columns"
            remedy = f"find out which by other fields of the file, and change the sign: -ds[{v!r}]"
            remedy += in_file(evidence, wind.u, wind.v)
            yield Finding("error", f"{u}, {v}", f"{text}: {ratios}; {remedy}", "wind-sign")
    known = {wind.u.variable for wind, _ in mistaken}
    for channel, whole in _turned_about(evidence).items():
        if channel.variable not in known:
            reason = "it is from the east where westerlies blow"
            if whole is not None:
                reason = f"{reason}, and so is {whole.v.variable}, for together they turn as wind does"
            yield _wrong_sign(evidence, channel, reason)


def _wrong_sign(evidence: Evidence, channel: Channel, reason: str) -> Finding:
    remedy = f"change it: -ds[{channel.variable!r}]{in_file(evidence, channel)}"
    return Finding("error", channel.variable, f"has the wrong sign: {reason}; {remedy}", "wind-sign")


def _turned_about(evidence: Evidence) -> dict[Channel, Wind | None]:
    """Return eastward winds that blow the other way, with the whole wind where both components are there."""
    pairs = {wind.u: wind for wind in winds(evidence)}
    found: dict[Channel, Wind | None] = {}
    for channel in evidence.channels:
        if EAST in channel.variable and is_from_the_east(evidence, channel):
            wind = pairs.get(channel)
            if _tells_alone(channel) or (wind is not None and _turns_wrongly(wind, evidence)):
                if channel.variable not in {other.variable for other in found}:
                    found[channel] = wind
    return found


def _from_westerlies(mistaken: tuple[Wind, Mistake, float, float]) -> int:
    level = mistaken[0].level
    return _MOST if level is None else abs(level - _WESTERLIES)


def _tells_alone(channel: Channel) -> bool:
    return channel.level is not None and channel.level <= _ALOFT


def _turns_wrongly(wind: Wind, evidence: Evidence) -> bool:
    return turns_the_wrong_way(flow.vorticity(wind.fields[0], wind.fields[1], evidence.coarse), evidence)


yields_to("vorticity-sign", "latitude-flipped")


@RULES.register("vorticity-sign")
def vorticity_sign(evidence: Evidence) -> Iterator[Finding]:
    """Vorticity has the sharp cores of anticyclones on both hemispheres: its rows are reversed, or its sign is."""
    for channel in evidence.channels:
        is_low = channel.level is None or channel.level >= 300
        if channel.variable == "vorticity" and is_low and evidence.grid.is_global:
            if turns_the_wrong_way(fields_of(evidence, channel), evidence):
                text = _turned(fits(evidence).get(str(channel)), channel.variable)
                yield Finding("error", str(channel), text + in_file(evidence, channel), "vorticity-sign")


_CORES = "its sharp cores are those of anticyclones on both hemispheres"
_REVERSED = "ds.isel(latitude=slice(None, None, -1)).assign_coords(latitude=ds.latitude)"


def _turned(fit: Fit | None, variable: str) -> str:
    """Say what is wrong with vorticity that turns the wrong way, as far as the ground beneath it tells."""
    negated = f"-ds[{variable!r}]"
    if fit is not None and fit.is_negative:
        shown = f"what stands still on the Earth shows in it with the other sign (correlation {fit.labelled:.2f})"
        return f"has the wrong sign: {_CORES}, and {shown}; change it: {negated}"
    how = "other fields of the file, or a mean over some months, tell which"
    return f"latitudes are flipped, or its sign is wrong: {_CORES}; {how}: reverse the rows ({_REVERSED}), or {negated}"


@RULES.register("unbalanced")
def unbalanced(evidence: Evidence) -> Iterator[Finding]:
    """Wind, vorticity, pressure and temperature belong to different places, or one has the wrong sign."""
    reported = set()
    for wind, placement, labelled, best in apart(evidence):
        if wind.v.variable in reported:
            continue
        reported.add(wind.v.variable)
        text = f"does not lie where {wind.u} does: divergence is {labelled:.2f} of vorticity, and {best:.2f} if"
        text = f"{text} {placement.remedy(evidence.coarse)}; check which of them lies where its labels say"
        yield Finding("error", str(wind.v), text, "unbalanced")
    is_known = bool(mistakes(evidence) or apart(evidence))
    for relation in relations(evidence):
        if relation.change == AS_IT_IS:
            yield _elsewhere(relation, evidence)
        elif not is_known:
            yield _changed(relation)


def _elsewhere(relation: Relation, evidence: Evidence) -> Finding:
    text = f"does not lie where {relation.flow} does: they are in balance {_fit(relation)} only if"
    text = f"{text} {relation.placement.remedy(evidence.coarse)}; check which of them lies where its labels say"
    return Finding("error", relation.mass, text, "unbalanced")


_CHANGES = {
    "swapped": "eastward and northward wind are exchanged; rename them",
    "-u": "eastward wind has the other sign; change it",
    "-v": "northward wind has the other sign, or the rows of both are reversed, or the columns; find out which",
    "-uv": "both components have the other sign; change it",
    "-": "it has the other sign, or the rows of both are reversed, or the columns; find out which",
}


def _changed(relation: Relation) -> Finding:
    text = f"is in balance with {relation.mass} {_fit(relation)} only if {_CHANGES[relation.change]}"
    return Finding("error", relation.flow, text, "unbalanced")


def _fit(relation: Relation) -> str:
    return f"(correlation {relation.best:.2f}, as labelled {relation.labelled:.2f})"


def _mistaken(evidence: Evidence, kind: Mistake) -> list[tuple[Wind, str]]:
    """Return one wind of each pair of variables with a mistake, where westerlies tell most, and what shows it."""
    found: dict[str, tuple[Wind, str]] = {}
    for wind, mistake, labelled, right in sorted(mistakes(evidence), key=_from_westerlies):
        if mistake == kind:
            where = "" if wind.level is None else f" at {wind.level} hPa"
            text = f"divergence is {labelled:.2f} of vorticity{where}, and {right:.2f} if that is put right"
            found.setdefault(wind.u.variable, (wind, text))
    return list(found.values())
