"""Winter on the wrong hemisphere, by the zonal means that January has on each level."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from weatherml.data.quality.evidence import Evidence
from weatherml.data.quality.finding import Finding
from weatherml.data.quality.place import earth
from weatherml.data.quality.place.levels import GAS, levels_of
from weatherml.data.quality.place.standing import fits
from weatherml.data.quality.rules.kinds import varying
from weatherml.data.quality.rules.registry import RULES, UNDECIDABLE
from weatherml.errors.wording import listed
from weatherml.state import Channel

_TOLERANCE = {"temperature": 7.0, "u_component_of_wind": 8.0}
"""Departure from the zonal means of January, root mean square over latitude and levels, that is still January: other
Januaries depart by 0.8 to 1.5 K, and by 6 to 10 K upside down; near the ground July departs by 6 K from January upside
down, and by 12 K from January."""
_CLEARLY = 0.5
"""Of the departure as labelled, what that of the fields upside down must stay below."""
_WINTERS = {"northern": (11, 0, 1), "southern": (5, 6, 7)}
"""Calendar months, from 0. In July temperature is that of January upside down, but for a few kelvin; wind is not."""
_LAND = ((1.0, -np.inf), (np.inf, -4.0))
"""K by which land at 40 to 65 N is warmer than the sea, at most and at least, in northern and in southern winter: a
January of ERA5 has -16, daily maxima of ERA-Interim have 6 to 11 from June to August; a summer night has less."""
_MOSTLY = 0.8
"""Share of land from which on a cell is land."""
_SEASONAL = ("2m_temperature", "temperature", "geopotential", "u_component_of_wind")


@RULES.register("winter-elsewhere")
def winter_elsewhere(evidence: Evidence) -> Iterator[Finding]:
    """Winter is on the other hemisphere: rows are reversed, or times are off by half a year."""
    if not evidence.grid.is_global or evidence.times.size == 0:
        return
    for variable in ("temperature", "geopotential", "u_component_of_wind"):
        for winter, months in _WINTERS.items():
            quantity = "temperature" if variable == "geopotential" else variable
            found = _zonal_means(evidence, variable, months)
            if found is None or (winter == "southern" and quantity != "temperature"):
                continue
            labelled, reversed_ = _departures(*found, is_mirrored=winter == "southern")
            if reversed_ < min(_TOLERANCE[quantity], _CLEARLY * labelled):
                yield _finding(variable, winter, labelled, reversed_)
                break
    yield from _land_of_the_other_season(evidence)
    untold = [name for name in varying(evidence) if name not in _SEASONAL]
    if untold:
        text = "winter is known of 2 m temperature, and of temperature, geopotential and eastward wind aloft, not of"
        yield Finding("note", "times off by half a year", f"{text} {listed(untold)}", UNDECIDABLE)


def _land_of_the_other_season(evidence: Evidence) -> Iterator[Finding]:
    """Find 2 m temperature in which land of northern middle latitudes is warm in winter, or cold in summer."""
    channel = Channel("2m_temperature")
    fit = fits(evidence).get(str(channel))
    if channel not in evidence.channels or fit is None or fit.is_elsewhere:
        return
    for (winter, months), (warmest, coldest) in zip(_WINTERS.items(), _LAND, strict=True):
        excess = _excess_of_land(evidence, channel, months)
        if not (np.isnan(excess) or coldest <= excess <= warmest):
            season = f"in {winter} winter land at 40 to 65 N is {abs(excess):.3g} K"
            way = "warmer" if excess > 0 else "colder"
            text = f"times are off by half a year: {season} {way} than the sea there; correct the time coordinate"
            yield Finding("error", str(channel), text)
            return


def _excess_of_land(evidence: Evidence, channel: Channel, months: tuple[int, ...]) -> float:
    """Return by how much land at 40 to 65 N is warmer than the sea, K; NaN where these months have no values."""
    by_month = evidence.channels[channel].cells.by_month[list(months)]
    known = by_month[np.isfinite(by_month).all((1, 2))]
    if not len(known):
        return float("nan")
    grid = evidence.coarse
    latitude = np.asarray(grid.latitude)[:, None]
    weights = grid.area_weights() * ((latitude >= 40) & (latitude <= 65))
    land, mean = earth.land(grid), known.mean(0)
    on_land, at_sea = (np.average(mean, weights=weights * is_so) for is_so in (land > _MOSTLY, land < 1 - _MOSTLY))
    return float(on_land - at_sea)


def knows_winter(evidence: Evidence, variable: str) -> bool:
    """Return whether the zonal means of a variable would tell a winter that is on the other hemisphere."""
    quantity = "temperature" if variable == "geopotential" else variable
    found = [_zonal_means(evidence, variable, months) for months in _WINTERS.values()]
    found = found if quantity == "temperature" else found[:1]
    departures = [_departures(*pair, is_mirrored=i > 0) for i, pair in enumerate(found) if pair is not None]
    return any(min(pair) < min(_TOLERANCE[quantity], _CLEARLY * max(pair)) for pair in departures)


def _finding(variable: str, winter: str, labelled: float, reversed_: float) -> Finding:
    text = f"latitudes look flipped, or times are off by half a year: in {winter} winter its zonal means are"
    how_far = f"{labelled:.3g} from those of the Earth as labelled, {reversed_:.3g} upside down"
    remedy = "reverse the rows: ds.isel(latitude=slice(None, None, -1)).assign_coords(latitude=ds.latitude)"
    return Finding("error", variable, f"{text} {how_far}; {remedy}")


def _zonal_means(evidence: Evidence, variable: str, months: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray] | None:
    """Return zonal means of some months and those of the Earth in January `[level, lat]`; None where there are none.

    Geopotential is compared as the temperature of the layers between its levels.
    """
    known = earth.january("temperature" if variable == "geopotential" else variable)
    means = {channel.level or 0: _on_rows(evidence, channel, months) for channel in levels_of(evidence, variable)}
    given = {level: mean for level, mean in means.items() if mean is not None}
    if known is None:
        return None
    expected = {level: _at(level, *known) for level in given if known[0][0] <= level <= known[0][-1]}
    if variable == "geopotential":
        layers = list(pairwise(expected))
        found = [(given[up] - given[low]) / (GAS * np.log(low / up)) for up, low in layers]
        of_january = [(expected[up] + expected[low]) / 2 for up, low in layers]
    else:
        found, of_january = [given[level] for level in expected], list(expected.values())
    return (np.array(found), np.array(of_january)) if found else None


def _at(level: int, levels: np.ndarray, means: np.ndarray) -> np.ndarray:
    return np.array([np.interp(np.log(level), np.log(levels), row) for row in means.T])


def _on_rows(evidence: Evidence, channel: Channel, months: tuple[int, ...]) -> np.ndarray | None:
    """Return the mean of some months and all columns on rows of 5 degrees `[lat]`; None where there is no value."""
    by_month = evidence.channels[channel].cells.by_month[list(months)]
    known = by_month[np.isfinite(by_month).all((1, 2))]
    if not len(known):
        return None
    rows = np.interp(-np.asarray(earth.COARSE.latitude), -np.asarray(evidence.coarse.latitude), known.mean((0, 2)))
    return np.asarray(rows)


def _departures(found: np.ndarray, january: np.ndarray, is_mirrored: bool) -> tuple[float, float]:
    """Return the departures from January, or from its mirror image, as labelled and upside down."""
    template = january[:, ::-1] if is_mirrored else january
    return _distance(found, template), _distance(found[:, ::-1], template)


def _distance(one: np.ndarray, other: np.ndarray) -> float:
    """Return the root mean square of the difference of zonal means `[level, lat]`, but for that of whole levels."""
    weights = earth.COARSE.area_weights()[:, 0].astype(np.float64)
    difference = one - other
    difference = difference - np.average(difference, axis=1, weights=weights)[:, None]
    return float(np.sqrt(np.mean(np.average(np.square(difference), axis=1, weights=weights))))
