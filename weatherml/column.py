"""Sums over pressure: how much air each level stands for, and the vapour that the wind carries."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import xarray as xr

from weatherml.errors import UserError
from weatherml.errors.wording import listed

GRAVITY = 9.80665
"""Standard, m s-2; geopotential = gravity times geopotential height (WMO)."""

_LEAST_PRESSURE = 30_000  # Pa at the ground: that of the highest summit is a little more
_SLACK = 50  # hPa that may lack at either end


@dataclass(frozen=True)
class Layer:
    """Air between two pressures.

    Attributes:
        top: hPa.
        bottom: hPa.
    """

    top: float
    bottom: float

    def mass(self, levels: Sequence[float]) -> npt.NDArray[np.float32]:
        """Return the air that each level stands for, kg m-2 `[level]`, where values are linear in pressure between two.

        Args:
            levels: hPa, rising. Those outside count as far as values within depend on them.

        Raises:
            UserError: They do not reach from the top to the bottom, or nearly so.
        """
        self.require(levels)
        own = np.asarray(levels, np.float64)
        first, last = max(self.top, own[0]), min(self.bottom, own[-1])
        nodes = np.union1d([first, last], own[(own > first) & (own < last)])
        gaps = np.diff(nodes)
        thickness = (np.append(gaps, 0) + np.append(0, gaps)) / 2
        shares = [thickness @ np.interp(nodes, own, peak) for peak in np.eye(len(own))]
        return np.asarray(100 * np.array(shares) / GRAVITY, np.float32)

    def levels_of(self, levels: Sequence[float]) -> list[float]:
        """Return those of the levels, hPa, rising, that stand for any air of the layer."""
        return [level for level, mass in zip(levels, self.mass(levels), strict=True) if mass > 0]

    def require(self, levels: Sequence[float]) -> None:
        """Refuse levels, hPa, rising, that do not reach from the top to the bottom, or nearly so."""
        if len(levels) < 2 or levels[0] > self.top + _SLACK or levels[-1] < self.bottom - _SLACK:
            raise UserError(
                f"vapour is summed from {self.top:g} to {self.bottom:g} hPa, which the levels there are"
                f" ({listed(levels) or 'none'}) do not span; read humidity and wind from {self.top:g} hPa or above to"
                f" {self.bottom:g} hPa (where channels are named, name them on all those levels), or leave vapour"
                " transport out of derive"
            )


RIVERS = Layer(300, 1000)
"""Where atmospheric rivers lie; as GraphCast and WeatherBench 2 integrate."""


def speed(eastward: xr.DataArray, northward: xr.DataArray) -> xr.DataArray:
    """Return the length of a horizontal vector, in its units."""
    result: xr.DataArray = xr.apply_ufunc(np.hypot, eastward, northward, dask="allowed")
    return result


def vapour_flux(
    specific_humidity: xr.DataArray, wind: xr.DataArray, surface_pressure: xr.DataArray | None = None
) -> xr.DataArray:
    """Return the vapour that wind carries between 300 and 1000 hPa, kg m-1 s-1: trapezoids over the levels.

    Args:
        specific_humidity: kg kg-1, with `level` in hPa, in any order.
        wind: m s-1.
        surface_pressure: Pa, where there is no air below the ground; all levels count where it is not known. What is
            missing below the ground is taken from the level above.

    Raises:
        UserError: The levels do not suffice, or the pressure at the ground is in other units (where it is read).
    """
    levels = sorted(wind["level"].values.tolist())
    used = RIVERS.levels_of(levels)
    carried = specific_humidity.sel(level=used) * wind.sel(level=used)
    if surface_pressure is not None:
        return _above_ground(carried, in_pascal(surface_pressure) / 100)
    mass = xr.DataArray(RIVERS.mass(levels), {"level": levels}, "level")
    return (carried * mass.sel(level=used)).sum("level", skipna=False)


def vapour_transport(specific_humidity: xr.DataArray, eastward: xr.DataArray, northward: xr.DataArray) -> xr.DataArray:
    """Return the length of the vapour flux in kg m-1 s-1, from humidity in kg kg-1 and wind in m s-1 on levels."""
    return speed(vapour_flux(specific_humidity, eastward), vapour_flux(specific_humidity, northward))


def in_pascal(surface_pressure: xr.DataArray) -> xr.DataArray:
    """Return pressure at the ground, as lazily as it is; refused where it is read, if it is so low as nowhere on Earth.

    Raises:
        UserError: It is in other units.
    """

    def checked(pressure: np.ndarray) -> np.ndarray:
        if (pressure < _LEAST_PRESSURE).any():
            low, high = np.nanmin(pressure), np.nanmax(pressure)
            hint = "; it looks like hPa: multiply by 100" if high < 1200 else ""
            raise UserError(f"surface_pressure is in Pa, and the fields have {low:.4g} .. {high:.4g}{hint}")
        return pressure

    found: xr.DataArray = xr.apply_ufunc(
        checked, surface_pressure, dask="parallelized", output_dtypes=[surface_pressure.dtype], keep_attrs=True
    )
    return found


def _above_ground(values: xr.DataArray, ground: xr.DataArray) -> xr.DataArray:
    """Return the sum over the air of the layer that lies above a pressure in hPa, linear between two levels."""
    bottom = ground.clip(max=RIVERS.bottom)
    total = xr.zeros_like(values.isel(level=0, drop=True) * ground)
    levels = values["level"].values.tolist()
    above = values.isel(level=0, drop=True)
    for upper, lower in pairwise(levels):
        below = values.sel(level=lower, drop=True)
        below = below.where(below.notnull() | (lower <= bottom), above)
        gap = lower - upper
        start = max(RIVERS.top - upper, 0) / gap
        share = ((bottom - upper) / gap).clip(start, 1)  # of the gap, down to where there is air
        of_below = (share**2 - start**2) / 2
        total = total + gap * ((share - start - of_below) * above + of_below * below)
        above = below
    return total * (100 / GRAVITY)
