"""Units of best tracks, knots, hPa and nautical miles, and whether a table of tracks is in SI units."""

import numpy as np
import xarray as xr

from weatherml.errors import UserError
from weatherml.errors.wording import listed

KNOT = 1852 / 3600
"""m s-1."""
NAUTICAL_MILE = 1852.0
"""m."""
HECTOPASCAL = 100.0
"""Pa."""

PRESSURE, WIND = "mean_sea_level_pressure", "maximum_wind_speed"
"""The columns of intensity: lowest pressure, Pa, and maximum sustained wind, m s-1."""

_STRONGEST = 110.0  # m s-1; the strongest storm known, Patricia in 2015, had 95
_LOWEST, _HIGHEST = 8.5e4, 1.12e5  # Pa
POSSIBLE = {WIND: (0.0, _STRONGEST), PRESSURE: (_LOWEST, _HIGHEST)}
"""Between which values intensities lie, SI."""
_STATED = {
    WIND: {"kts": KNOT, "kt": KNOT, "knots": KNOT, "knot": KNOT, "m/s": 1.0, "m s-1": 1.0, "ms-1": 1.0, "m s**-1": 1.0},
    PRESSURE: {"mb": HECTOPASCAL, "hpa": HECTOPASCAL, "mbar": HECTOPASCAL, "millibar": HECTOPASCAL, "pa": 1.0},
}
_FROM_KNOTS = f"multiply it by {KNOT:.4f} if it is in knots"
_TOO_STRONG = 1.5  # times the wind that belongs to the pressure: in knots it would be 1.9 times
_DEEP = 9.95e4  # Pa; of weaker storms the wind says little of the pressure
_FEWEST = 5


def require_si(tracks: xr.Dataset) -> None:
    """Require that intensities are in Pa and m s-1, as far as their values tell; those that are unknown (NaN) may be.

    A wind in knots that is not too strong for any storm is known by the pressure beside it.

    Raises:
        UserError: A pressure is not in Pa, or a wind not in m s-1.
    """
    pressure, wind = (tracks[name].values if name in tracks else np.empty(0) for name in (PRESSURE, WIND))
    _require_pascal(tracks, pressure)
    strongest = float(np.nanmax(wind, initial=0))
    if strongest > _STRONGEST:
        raise UserError(
            f"{WIND} of tracks reaches {strongest:g} m s-1, which no storm has, but {strongest:g} knots is"
            f" {strongest * KNOT:.0f} m s-1; {_FROM_KNOTS}"
        )
    if len(wind) == len(pressure):
        _require_fitting(pressure, wind)


def scale_of(name: str, stated: str) -> float:
    """Return by what to multiply a wind or pressure in units that a file states to have it in SI units.

    Args:
        name: `WIND` or `PRESSURE`.
        stated: Of the file; where it says none, knots and mb.

    Raises:
        UserError: The units are not known.
    """
    known = _STATED[name]
    word = " ".join(stated.lower().split())
    if word and word not in known:
        raise UserError(f"{name} is in {stated!r}, which is none of {listed(known)}; convert it, and say so")
    return known[word] if word else next(iter(known.values()))


def known(values: np.ndarray) -> np.ndarray:
    """Return winds or pressures of a file with NaN in place of 0 and less, by which some say that they know none."""
    return np.where(values > 0, values, np.nan)


def wind_of_pressure(pressure: np.ndarray) -> np.ndarray:
    """Return the maximum wind, m s-1, that belongs to a pressure in Pa: 6.7 (1010 - p)^0.644 knots.

    Atkinson and Holliday (1977), doi:10.1175/1520-0493(1977)105<0421:TCMSLP>2.0.CO;2.
    """
    depth = np.clip(1010 - np.asarray(pressure) / HECTOPASCAL, 0, None)
    return np.asarray(6.7 * depth**0.644 * KNOT)


def _require_pascal(tracks: xr.Dataset, pressure: np.ndarray) -> None:
    wrong = np.flatnonzero((pressure < _LOWEST) | (pressure > _HIGHEST))
    if len(wrong):
        own = tracks.isel(record=wrong[0])
        value = float(pressure[wrong[0]])
        hint = "write NaN for what is not known"
        if _LOWEST <= value * HECTOPASCAL <= _HIGHEST:
            hint = "multiply it by 100 if it is in hPa"
        elif _LOWEST <= value / HECTOPASCAL <= _HIGHEST:
            hint = "it was multiplied by 100 and is in Pa already, it seems; divide it by 100"
        raise UserError(
            f"{PRESSURE} of track {int(own['track_id'])} at {own['time'].values:.16} is {value:g} Pa, which no storm"
            f" has; {hint}"
        )


def _require_fitting(pressure: np.ndarray, wind: np.ndarray) -> None:
    """Require winds that their pressures allow, on the whole."""
    deep = pressure < _DEEP
    ratio = wind[deep] / wind_of_pressure(pressure[deep])
    ratio = ratio[np.isfinite(ratio)]
    if len(ratio) >= _FEWEST and (typical := float(np.median(ratio))) > _TOO_STRONG:
        raise UserError(
            f"{WIND} of tracks is {typical:.1f} times what storms of their pressures have in m s-1; {_FROM_KNOTS}"
        )
