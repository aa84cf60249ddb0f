"""Times that are not those of the fields, told by what follows the sun: warmth, tides of the air, sunlight."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from weatherml.data.quality.evidence import ChannelEvidence, Evidence
from weatherml.data.quality.finding import Finding
from weatherml.data.quality.rules.kinds import HOUR
from weatherml.data.quality.rules.registry import RULES, UNDECIDABLE, of_time, yields_to
from weatherml.data.sunlight import insolation


@dataclass(frozen=True)
class DailyCycle:
    """The part of a variable that travels westward with the sun, once around the Earth in a day.

    Attributes:
        peak: Local solar time at which it is greatest, h.
        least: Amplitude over the globe below which nothing can be told, in units of the variable.
        least_in_region: The same for a region; None where a region cannot tell.
        tolerance: By how much the peak may be off, h.
        reach: Latitudes up to which it is looked for, degrees.
        over_eastward: How many times as large as a wave that travels eastward, which no sun drives.
    """

    peak: float
    least: float
    least_in_region: float | None
    tolerance: float
    reach: float
    over_eastward: float


# Warmest at 14 to 15 h over land (4 K there, 1 K with the seas). Of the tide of pressure the daily part is 0.6 hPa,
# greatest at 5 to 6 h (Haurwitz and Cowley 1973, Pure Appl. Geophys. 102, 193-222; Dai and Wang 1999, J. Atmos. Sci.
# 56, 3874-3891); six-hourly fields tell it from its eastward image, and 12 h leave the half-daily part as it is.
_TIDE = DailyCycle(peak=5.5, least=25.0, least_in_region=None, tolerance=3.5, reach=25, over_eastward=3.0)
_CYCLES = {
    "2m_temperature": DailyCycle(peak=14.5, least=0.4, least_in_region=1.5, tolerance=4.0, reach=60, over_eastward=2.0),
    "mean_sea_level_pressure": _TIDE,
    "surface_pressure": _TIDE,
}
_FEWEST_DAYS, _FEWEST_DAYS_OF_REGION = 5, 20
_FEWEST_DAYS_OF_TIDE = 10
"""At each hour of the day; the mean over fewer keeps weather that goes round as the sun does."""

_SUNLIGHT = {
    "cosine_of_solar_zenith_angle": np.timedelta64(1, "m"),
    "toa_incident_solar_radiation": HOUR,
    "toa_incident_solar_radiation_6hr": 6 * HOUR,
    "toa_incident_solar_radiation_12hr": 12 * HOUR,
}
"""Over how long before the time sunlight is summed up."""
_SHIFTS = np.arange(-11, 13)
_ALIKE, _CLEARLY = 0.9, 0.01
_SUNLIT_TIMES = 8
"""Times that are compared with the path of the sun; one would do."""
_NEAR = 1
"""Hours by which sums may be told of another part of their window."""


yields_to("hour-of-day", "longitude-shifted")


@RULES.register("hour-of-day")
@of_time
def hour_of_day(evidence: Evidence) -> Iterator[Finding]:
    """Times are off by hours, by what follows the sun: 2 m temperature, pressure, sunlight.

    A shift of longitude by 15 degrees looks like one by an hour.
    """
    for position, (channel, own) in enumerate(evidence.channels.items()):
        if channel.variable in _SUNLIGHT:
            shift = _shift_of_sunlight(evidence, position, _SUNLIGHT[channel.variable])
        else:
            shift = _shift_of_cycle(own, evidence)
        if shift:
            way, hours = "late" if shift > 0 else "early", abs(round(shift))
            back = f"ds.assign_coords(time=ds.time {'-' if shift > 0 else '+'} np.timedelta64({hours}, 'h'))"
            text = (
                f"by the sun, the labels of time are about {hours} h {way} (or longitudes {hours * 15} degrees off);"
                f" look up of which hour, UTC, the fields are; if the labels are wrong: {back}"
            )
            yield Finding("error", str(channel), text, "hour-of-day")
    if not any(_tells_hour(own, evidence) for own in evidence.channels.values()):
        text = "nothing here follows the sun as 2 m temperature and pressure over the globe and sunlight do in a day"
        yield Finding("note", "times off by hours", text, UNDECIDABLE)


def _tells_hour(channel: ChannelEvidence, evidence: Evidence) -> bool:
    return channel.channel.variable in _SUNLIGHT or can_tell_hour(channel, evidence)


def _shift_of_cycle(channel: ChannelEvidence, evidence: Evidence) -> float:
    """Return by how many hours the labels run ahead of the sun; 0 where they do not, or it cannot be told."""
    cycle = _CYCLES.get(channel.channel.variable)
    if cycle is None or not can_tell_hour(channel, evidence):
        return 0.0
    _, peak = wave(channel, evidence, cycle.reach)
    shift = float((peak - cycle.peak + 12) % 24 - 12)
    return shift if abs(shift) > cycle.tolerance else 0.0


def can_tell_hour(channel: ChannelEvidence, evidence: Evidence) -> bool:
    """Return whether a channel shows where the sun is."""
    cycle = _CYCLES.get(channel.channel.variable)
    hours = _hours(channel)
    n_days = np.unique(evidence.times.astype("datetime64[D]")).size
    if cycle is None or hours.size < 2 or n_days < _FEWEST_DAYS:
        return False
    if cycle is _TIDE and evidence.times.size < _FEWEST_DAYS_OF_TIDE * hours.size:
        return False
    amplitude, _ = wave(channel, evidence, cycle.reach)
    if not evidence.grid.is_cyclic:
        return (
            cycle.least_in_region is not None and n_days >= _FEWEST_DAYS_OF_REGION and amplitude > cycle.least_in_region
        )
    if hours.size == 2:  # east and west cannot be told apart
        return cycle is not _TIDE and amplitude > cycle.least
    image, _ = wave(channel, evidence, cycle.reach, eastward=True)
    return amplitude > max(cycle.least, cycle.over_eastward * image)


def wave(channel: ChannelEvidence, evidence: Evidence, reach: float, eastward: bool = False) -> tuple[float, float]:
    """Return amplitude and local time in h of the crest of what goes around the Earth once in a day.

    Args:
        channel: With means by hour.
        evidence: Of which it is.
        reach: Latitudes up to which it is looked for, degrees.
        eastward: Against the sun.
    """
    hours = _hours(channel)
    departure = channel.cells.by_hour[hours] - np.mean(channel.cells.by_hour[hours], axis=0)
    grid = evidence.coarse
    latitude, longitude = np.asarray(grid.latitude), np.asarray(grid.longitude)
    angle = 2 * np.pi * (hours[:, None] / 24 + (-1 if eastward else 1) * longitude / 360)
    # Least squares of cosine and sine, whose means over the hours are taken away as those of the field are.
    sides = np.stack([np.cos(angle), np.sin(angle)])
    sides -= sides.mean(1, keepdims=True)
    weights = grid.area_weights() * (abs(latitude) <= reach)[:, None] * np.isfinite(departure)
    matrix = np.einsum("aij,bij,ihj->ab", sides, sides, weights)
    target = np.einsum("aij,ihj,ihj->a", sides, weights, np.nan_to_num(departure))
    cosine, sine = np.linalg.lstsq(matrix, target, rcond=1e-9)[0]
    return float(np.hypot(cosine, sine)), float(np.arctan2(sine, cosine) * 12 / np.pi % 24)


def _hours(channel: ChannelEvidence) -> np.ndarray:
    """Return the hours of the day of which there are fields."""
    return np.flatnonzero(np.isfinite(channel.cells.by_hour).any((1, 2)))


def _shift_of_sunlight(evidence: Evidence, position: int, window: np.timedelta64) -> float:
    """Return by how many hours sunlight is off, from the path of the sun; 0 where it is not or cannot be told."""
    every = max(1, evidence.snapshots.times.size // _SUNLIT_TIMES)
    values, times = evidence.snapshots.values[::every, position], evidence.snapshots.times[::every]
    if times.size == 0:
        return 0.0
    paths = (insolation(times - shift * HOUR - window, window, evidence.coarse) for shift in _SHIFTS)
    alike = np.array([_correlation(values, path) for path in paths])
    if not np.isfinite(alike).all():
        return 0.0
    best = int(alike.argmax())
    now = alike[_SHIFTS == 0][0]
    if alike[best] < _ALIKE or abs(_SHIFTS[best]) <= _NEAR or alike[best] - now < _CLEARLY:
        return 0.0
    return float(_SHIFTS[best])


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    finite = np.isfinite(one)
    lit = np.maximum(one[finite], 0)
    if lit.size == 0 or np.ptp(lit) == 0 or np.ptp(other[finite]) == 0:
        return 0.0
    return float(np.corrcoef(lit, other[finite])[0, 1])
