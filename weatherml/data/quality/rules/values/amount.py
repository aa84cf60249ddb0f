"""Amounts that the Earth does not have: rain, wind, water and sunlight in other units, or summed over another time."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from weatherml.data.quality.evidence import ChannelEvidence, Evidence
from weatherml.data.quality.finding import Finding
from weatherml.data.quality.rules.kinds import varying
from weatherml.data.quality.rules.registry import RULES, UNDECIDABLE

_HOURS = {"": 1, "_6hr": 6, "_12hr": 12, "_24hr": 24}
"""Over which a variable is summed up, by the end of its name."""


class Expected(NamedTuple):
    """What the mean over the globe and any season lies between, in units of the variable."""

    low: float
    high: float
    usual: str


# Rain: 2.7 to 3.1 mm a day in analyses and observations (Trenberth, Fasullo and Mackaro 2011, J. Climate 24,
# 4907-4924), a factor of two being left to models. Sunlight: 340 W m-2, 7 % more in January than in July. Vapour:
# 24 kg m-2, 22 to 28 through the year. Wind at 10 m: 6 m/s, 7 over the seas and 3 over land.
_RAIN = Expected(1.4e-3 / 24, 5.8e-3 / 24, "2.9 mm a day")
_SUNLIGHT = Expected(0.8 * 340 * 3600, 1.2 * 340 * 3600, "340 W m-2")
_MEANS = {
    **{f"total_precipitation{end}": Expected(n * _RAIN.low, n * _RAIN.high, _RAIN.usual) for end, n in _HOURS.items()},
    **{
        f"toa_incident_solar_radiation{end}": Expected(n * _SUNLIGHT.low, n * _SUNLIGHT.high, _SUNLIGHT.usual)
        for end, n in _HOURS.items()
    },
    "total_column_water_vapour": Expected(12.0, 45.0, "24 kg m-2"),
    "10m_wind_speed": Expected(2.5, 9.0, "6 m s-1"),
}

# Standard deviation over places and times, ERA5 of 1979 to 2015, as published for networks that are trained on it.
_LEVELS = (100, 150, 200, 250, 300, 400, 500, 600, 700, 850, 925, 1000)
_SPREADS: dict[str, float | tuple[float, ...]] = {
    "u_component_of_wind": (13.5, 16.0, 17.6, 17.9, 17.1, 14.3, 11.9, 10.3, 9.1, 8.2, 7.9, 6.1),
    "v_component_of_wind": (7.4, 9.5, 11.8, 13.3, 13.3, 11.2, 9.1, 7.8, 6.8, 6.2, 6.4, 5.3),
    "10m_u_component_of_wind": 5.5,
    "10m_v_component_of_wind": 4.7,
    "100m_u_component_of_wind": 7.0,
    "100m_v_component_of_wind": 6.1,
}
_MOST_SPREAD = 1.5
"""Times as much as published: a single January day of another reanalysis shows 0.88 to 1.19 at these levels, and the
smallest factor of another unit is 1.94."""
_SPEEDS = {"knots": 1.943844, "miles an hour": 2.236936, "km/h": 3.6}


@RULES.register("amount")
def amount(evidence: Evidence) -> Iterator[Finding]:
    """Amounts over the globe are not the Earth's, as of rain of another window or unit, or of wind in knots."""
    if not evidence.grid.is_global:
        if {"relative_humidity", *_MEANS, *_SPREADS} & set(varying(evidence)):
            text = "a region may have more or less than the globe"
            yield Finding("note", "rain or wind by a factor as of knots", text, UNDECIDABLE)
        return
    for variable, channels in varying(evidence).items():
        if variable in _MEANS:
            yield from _judge_mean(channels[0], _MEANS[variable])
        elif variable in _SPREADS:
            yield from _judge_spread(variable, channels)
        elif variable == "relative_humidity":
            yield from _judge_fraction(variable, channels)


def _judge_mean(channel: ChannelEvidence, expected: Expected) -> Iterator[Finding]:
    mean = _mean(channel.series.mean)
    if not mean > 0 or expected.low <= mean <= expected.high:  # nothing at all is another rule's
        return
    times = mean / np.sqrt(expected.low * expected.high)
    part = f"about {times:.3g} times" if times > 1 else f"about 1/{1 / times:.3g} of"
    text = (
        f"a mean of {mean:.4g} {channel.channel.units} is {part} what the Earth has ({expected.usual}); look up the"
        " unit and the hours it is summed up over, and name or convert it accordingly"
    )
    yield Finding("error", str(channel.channel), text, "amount")


def _judge_spread(variable: str, channels: list[ChannelEvidence]) -> Iterator[Finding]:
    ratios = [_spread(own) / published for own in channels if (published := _published(variable, own.channel.level))]
    factor = float(np.nanmedian(ratios)) if np.isfinite(ratios).any() else 0.0
    if factor > _MOST_SPREAD:
        unit = min(_SPEEDS, key=lambda name: abs(np.log(_SPEEDS[name] / factor)))
        text = (
            f"spreads {factor:.2f} times as much as the Earth's; it looks like {unit}: divide it by {_SPEEDS[unit]:.4g}"
        )
        yield Finding("error", variable, text, "amount", "likely")


def _judge_fraction(variable: str, channels: list[ChannelEvidence]) -> Iterator[Finding]:
    """Find a relative humidity from 0 to 1."""
    greatest = max((_mean(own.series.maximum) for own in channels), default=np.nan)
    if 0 < greatest < 5:
        text = f"is at most {greatest:.3g} %; it looks like a fraction: multiply it by 100"
        yield Finding("error", variable, text, "amount")


def _published(variable: str, level: int | None) -> float | None:
    spreads = _SPREADS[variable]
    if not isinstance(spreads, tuple):
        return spreads
    if level is None or level < _LEVELS[0]:
        return None
    return float(np.interp(level, _LEVELS, spreads))


def _spread(channel: ChannelEvidence) -> float:
    """Return the standard deviation over places and times."""
    series = channel.series
    middle = _mean(series.mean)
    return float(np.sqrt(_mean(np.square(series.std)) + _mean(np.square(series.mean - middle))))


def _mean(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if finite.size else float("nan")
