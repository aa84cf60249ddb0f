"""Times that are not those of the fields: exchanged, or of another step."""

from collections.abc import Iterator

import numpy as np

from weatherml.data.notes import iso
from weatherml.data.quality.evidence import ChannelEvidence, Evidence
from weatherml.data.quality.finding import Finding
from weatherml.data.quality.rules.kinds import DAY, HOUR, usual_step, varying
from weatherml.data.quality.rules.registry import RULES, UNDECIDABLE, of_time
from weatherml.data.quality.rules.time.continuity import FEWEST_TIMES, Breaks, breaks
from weatherml.data.quality.rules.values.stuck import has_stray_value
from weatherml.wording import listed

_MOST = 3
"""Times that a message names."""
_CARRIED = {
    "geopotential", "temperature", "u_component_of_wind", "v_component_of_wind", "wind_speed", "vorticity",
    "specific_humidity", "relative_humidity", "mean_sea_level_pressure", "surface_pressure",
    "total_column_water_vapour", "10m_u_component_of_wind", "10m_v_component_of_wind", "100m_u_component_of_wind",
    "100m_v_component_of_wind",
}  # fmt: skip
"""What is carried along by the weather of the troposphere."""
_STRATOSPHERE = 100
"""hPa; above, waves stand."""
_SPEED = 27.0
"""km/h at which patterns pass a place. Between two fields it is 25 to 30 over a simulated planet, hourly or six-hourly,
of all its variables alike, and 40 to 60 over Earth (six-hourly pressure, twelve-hourly height and temperature)."""
_SLOW = 0.4
"""Of that, or of the size of patterns where they have passed: taken for another step, it is a sixth or a quarter."""
_EARTH_RADIUS = 6371.0  # km
_WARMS_IN_HOURS = 0.6
"""Least share of the change of 2 m temperature in 24 h that six bring. The sun brings as much as the weather does; a
cycle whose sixth is taken for a quarter of it shows 0.3, white noise 1."""


@RULES.register("exchanged")
@of_time
def exchanged(evidence: Evidence) -> Iterator[Finding]:
    """Times are exchanged, alone or in blocks: fields change there far more than they do around then.

    One jump alone, with all in order before and after, is a change of version.
    """
    if 1 < evidence.times.size < FEWEST_TIMES or usual_step(evidence.times) > 2 * DAY:
        text = f"it takes {FEWEST_TIMES} times of the same weather"
        yield Finding("note", "times exchanged", text, UNDECIDABLE)
    for variable, channels in varying(evidence).items():
        found = [(channel.channel, breaks(channel, evidence.times)) for channel in channels]
        broken = [(channel, own) for channel, own in found if own and not own.is_one_border]
        if broken:
            subject = str(broken[0][0]) if len(broken) == 1 else variable
            # The channel that shows most says it for all.
            worst = max((own for _, own in broken), key=lambda own: len(own.foreign + own.swapped + own.borders))
            text = "; ".join(_told(worst, evidence.times))
            yield Finding("error", subject, f"{text}; put the times in order, or read them again", "exchanged")


@RULES.register("time-step")
@of_time
def time_step(evidence: Evidence) -> Iterator[Finding]:
    """Weather moves too slowly for the step of the labels, as of hourly fields taken as six-hourly."""
    hours = usual_step(evidence.times) / HOUR
    if not 1 <= hours <= 12:
        return
    channels = list(evidence.channels.values())
    paces = np.array([_pace(own, evidence, hours) for own in channels if _is_carried(own)])
    warmth = [_warming(own) for own in channels if own.channel.variable == "2m_temperature" and hours == 6]
    is_known = np.isfinite([*paces, *warmth]).any()
    if not evidence.grid.is_global or evidence.times.size < FEWEST_TIMES or not is_known:
        text = f"it takes {FEWEST_TIMES} fields over the globe of what the weather carries along"
        yield Finding("note", "times of another step as hourly taken as six-hourly", text, UNDECIDABLE)
        return
    is_slow = any(share < 1 for share in warmth) or (np.isfinite(paces).any() and np.nanmedian(paces) < 1)
    if is_slow:
        text = (
            f"fields change in {hours:g} h by less than half as much as the weather does; see whether they are of a"
            " shorter step, and give each its own time"
        )
        yield Finding("error", "time", text, "time-step", "likely")


def _is_carried(channel: ChannelEvidence) -> bool:
    level = channel.channel.level
    is_carried = channel.channel.variable in _CARRIED and (level is None or level >= _STRATOSPHERE)
    # Beside an impossible value the weather is next to nothing.
    return is_carried and not has_stray_value(channel).any()


def _pace(channel: ChannelEvidence, evidence: Evidence, hours: float) -> float:
    """Return how far patterns move in a step, against the least that they should; NaN where that is unknown."""
    position = list(evidence.channels).index(channel.channel)
    weather = evidence.snapshots.values[:, position] - channel.cells.mean
    grid = evidence.coarse
    across = np.cos(np.radians(grid.latitude))
    spacing = 2 * np.pi * _EARTH_RADIUS * across / grid.n_lon
    weights = grid.area_weights()[:, 0] * (across > 0.2)
    gradient = _root_mean_square((np.roll(weather, -1, axis=-1) - weather) / spacing[:, None], weights)
    size = _root_mean_square(weather, weights) / gradient if gradient > 0 else np.nan
    changes = channel.series.change[np.append(False, np.diff(evidence.times) == usual_step(evidence.times))]
    moved = float(np.nanmedian(changes)) / gradient if np.isfinite(changes).any() and gradient > 0 else np.nan
    return float(moved / (_SLOW * min(_SPEED * hours, size)))


def _warming(channel: ChannelEvidence) -> float:
    """Return the change of temperature in a step against that in a day and the least that it should be."""
    known = np.isfinite(channel.series.change) & np.isfinite(channel.series.day_change)
    if not known.any() or not (in_a_day := np.median(channel.series.day_change[known])) > 0:
        return float("nan")
    return float(np.median(channel.series.change[known]) / in_a_day / _WARMS_IN_HOURS)


def _root_mean_square(fields: np.ndarray, weights: np.ndarray) -> float:
    """Return it over the finite values of `[time, lat, lon]`, by the weights of rows."""
    shares = np.isfinite(fields) * weights[:, None]
    return float(np.sqrt((np.nan_to_num(fields) ** 2 * shares).sum() / max(shares.sum(), 1e-30)))


def _told(found: Breaks, times: np.ndarray) -> Iterator[str]:
    """Say what is out of order."""
    if len(found.foreign) == 2:
        yield f"the fields at {' and '.join(iso(times[i]) for i in found.foreign)} look exchanged: both are out of turn"
    elif found.foreign:
        yield f"out of turn, unlike the times before and after, is the field at {_named(found.foreign, times)}"
    if found.swapped:
        pairs = listed(f"{iso(times[i])} and {iso(times[i + 1])}" for i in found.swapped[:_MOST])
        yield f"the fields at {pairs} are exchanged"
    if found.borders:
        jumps = _named(found.borders, times)
        yield f"blocks of times are exchanged or from elsewhere: the weather jumps at {jumps}"


def _named(places: tuple[int, ...], times: np.ndarray) -> str:
    more = f" and at {len(places) - _MOST} more" if len(places) > _MOST else ""
    return listed(iso(times[i]) for i in places[:_MOST]) + more
