"""Times that are not those of the fields: exchanged, or of another step."""

from collections.abc import Iterator, Sequence

import numpy as np

from weatherml.data.notes import iso
from weatherml.data.quality.evidence import ChannelEvidence, Evidence
from weatherml.data.quality.finding import Finding
from weatherml.data.quality.rules.kinds import DAY, HOUR, named, usual_step, varying
from weatherml.data.quality.rules.registry import RULES, UNDECIDABLE, of_time
from weatherml.data.quality.rules.time.continuity import FEWEST_TIMES, Breaks, breaks
from weatherml.data.quality.rules.time.faint import is_faint
from weatherml.data.quality.rules.values.stuck import has_stray_value
from weatherml.errors.wording import listed
from weatherml.sphere import EARTH_RADIUS

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
    for channels in varying(evidence).values():
        lively = [channel for channel in channels if not is_faint(channel, evidence)]
        found = [(channel, breaks(channel, evidence.times)) for channel in lively]
        broken = [(channel, own) for channel, own in found if own and not own.is_one_border]
        if broken:
            subject = named([channel for channel, _ in broken], len(channels))
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
    carried = [own for own in channels if _is_carried(own)]
    # Beside an impossible value the weather is next to nothing.
    sound = [own for own in carried if not (has_stray_value(own).any() or is_faint(own, evidence))]
    paces = np.array([_pace(own, evidence, hours) for own in sound])
    warmth = [_warming(own) for own in channels if own.channel.variable == "2m_temperature" and hours == 6]
    is_known = np.isfinite([*paces, *warmth]).any()
    if not evidence.grid.is_global or evidence.times.size < FEWEST_TIMES or not is_known:
        text = _why_unknown(carried if evidence.times.size >= FEWEST_TIMES else [], evidence)
        yield Finding("note", "times of another step as hourly taken as six-hourly", text, UNDECIDABLE)
        return
    is_slow = any(share < 1 for share in warmth) or (np.isfinite(paces).any() and np.nanmedian(paces) < 1)
    if is_slow:
        text = (
            f"fields change in {hours:g} h by less than half as much as the weather does; see whether they are of a"
            " shorter step, and give each its own time"
        )
        yield Finding("error", "time", text, "time-step", "likely")


def _why_unknown(carried: Sequence[ChannelEvidence], evidence: Evidence) -> str:
    """Return why the pace of the weather is not known, of which these fields would tell were they sound."""
    spoilt = [str(own.channel) for own in carried if has_stray_value(own).any()]
    if spoilt and evidence.grid.is_global:
        return f"beside the impossible values in {listed(spoilt)} the weather is next to nothing; mend those first"
    if carried and evidence.grid.is_global:
        names = listed(str(own.channel) for own in carried)
        return f"there is hardly any weather in {names}, as where a simulation begins"
    return f"it takes {FEWEST_TIMES} fields over the globe of what the weather carries along"


def _is_carried(channel: ChannelEvidence) -> bool:
    level = channel.channel.level
    return channel.channel.variable in _CARRIED and (level is None or level >= _STRATOSPHERE)


def _pace(channel: ChannelEvidence, evidence: Evidence, hours: float) -> float:
    """Return how far patterns move in a step, against the least that they should; NaN where that is unknown."""
    position = list(evidence.channels).index(channel.channel)
    weather = evidence.snapshots.values[:, position] - channel.cells.mean
    grid = evidence.coarse
    across = np.cos(np.radians(grid.latitude))
    spacing = 2 * np.pi * EARTH_RADIUS * across / grid.n_lon
    weights = grid.area_weights()[:, 0] * (across > 0.2)
    slopes = (np.roll(weather, -1, axis=-1) - weather) / spacing[:, None]
    gradient = _root_mean_square(slopes, weights)
    size = _root_mean_square(weather, weights) / gradient if gradient > 0 else np.nan
    is_step = np.append(False, np.diff(evidence.times) == usual_step(evidence.times))
    changes = np.where(is_step, channel.series.change, np.nan)[np.isin(evidence.times, evidence.snapshots.times)]
    gradients = np.array([_root_mean_square(np.stack([field]), weights) for field in slopes])
    return _usual(changes, gradients) / (_SLOW * min(_SPEED * hours, size))


def _usual(changes: np.ndarray, gradients: np.ndarray) -> float:
    """Return how far patterns move: the median of changes over gradients, by how lively the weather is at each time.

    Where a simulation begins, most times hold hardly any of the weather that the others do.
    """
    known = np.isfinite(changes) & (gradients > 0)
    if not known.any():
        return float("nan")
    moved, weights = changes[known] / gradients[known], np.square(gradients[known])
    order = np.argsort(moved)
    share = np.cumsum(weights[order]) / weights.sum()
    return float(moved[order][np.searchsorted(share, 0.5)])


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
