"""Columns of air from the ground up, all of the same number of levels."""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from weatherml.column import in_pascal
from weatherml.errors import UserError
from weatherml.errors.wording import listed

ON_LEVELS = ("temperature", "specific_humidity", "geopotential", "u_component_of_wind", "v_component_of_wind")
AT_GROUND = (
    "surface_pressure",
    "2m_temperature",
    "2m_dewpoint_temperature",
    "10m_u_component_of_wind",
    "10m_v_component_of_wind",
)

_STEP = 0.1  # of the logarithm of pressure
_HIGHEST_PRESSURE = 1100.0  # hPa at the ground: more than was ever measured


@dataclass(frozen=True, eq=False)
class Profiles:
    """Columns, each `[level, point]` float32, pressure falling; levels below the ground are the ground.

    Attributes:
        pressure: Pa.
        temperature: K.
        humidity: Specific, kg kg-1.
        n_steps: In how many steps a parcel takes each layer [level - 1]: told by the levels alone, so that the energies
            of a place don't hang on what is beside it.
    """

    pressure: np.ndarray
    temperature: np.ndarray
    humidity: np.ndarray
    n_steps: np.ndarray

    @property
    def is_known(self) -> np.ndarray:
        """Whether nothing is missing, at the ground and above it, bool `[point]`."""
        columns = (self.pressure, self.temperature, self.humidity)
        known: np.ndarray = np.logical_and.reduce([np.isfinite(own).all(axis=0) for own in columns])
        return known

    def finely(self) -> tuple[np.ndarray, np.ndarray]:
        """Return pressure, Pa, and virtual temperature, K, `[level, point]`, at steps that a rising parcel can take.

        Between levels virtual temperature is linear in the logarithm of pressure; that of a parcel is bent, by up to 30
        J kg-1 of energy between levels as far apart as 250 hPa from 300.
        """
        from earthkit.meteo.thermo.array import virtual_temperature

        height, warmth = np.log(self.pressure), virtual_temperature(self.temperature, self.humidity)
        found = []
        for below, n_steps in enumerate(self.n_steps):
            share = (np.arange(n_steps, dtype=np.float32) / n_steps)[:, None]
            found.append([own[below] + share * (own[below + 1] - own[below]) for own in (height, warmth)])
        found.append([height[-1:], warmth[-1:]])
        fine, own = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return np.exp(fine), own

    @classmethod
    def of(cls, levels: np.ndarray, fields: list[np.ndarray], ground: list[np.ndarray]) -> "Profiles":
        """Build from fields on rising levels.

        Args:
            levels: hPa, rising `[level]`.
            fields: Temperature and specific humidity `[point, level]`.
            ground: Pressure in Pa, temperature and dew point in K at the ground, each `[point]`; none where the lowest
                level is to stand for it.
        """
        pressure = np.float32(100) * levels[::-1, None].astype(np.float32)
        temperature, humidity = (np.ascontiguousarray(own.T[::-1], np.float32) for own in fields)
        if not ground:
            return cls(np.broadcast_to(pressure, temperature.shape), temperature, humidity, _n_steps(levels[::-1]))
        from earthkit.meteo.thermo.array import specific_humidity_from_dewpoint

        lowest, warmth, dewpoint = (own.astype(np.float32) for own in ground)
        at_ground = lowest, warmth, specific_humidity_from_dewpoint(dewpoint, lowest)
        buried = pressure >= lowest
        above = np.broadcast_to(pressure, temperature.shape), temperature, humidity
        heavy, warm, humid = (
            np.concatenate([own[None], np.where(buried, own, up)]) for own, up in zip(at_ground, above, strict=True)
        )
        return cls(heavy, warm, humid, _n_steps(np.append(max(_HIGHEST_PRESSURE, levels[-1]), levels[::-1])))


def _n_steps(levels: np.ndarray) -> np.ndarray:
    """Return in how many steps a parcel takes each layer between levels, hPa, that fall."""
    return np.asarray(np.maximum(np.ceil(-np.diff(np.log(levels)) / _STEP - 1e-6), 1), int)


def ground_of(fields: xr.Dataset, names: tuple[str, ...]) -> list[xr.DataArray]:
    """Return fields at the ground, or none where there are none.

    Raises:
        UserError: Some are there and others lack.
    """
    there = [name for name in names if name in fields.data_vars]
    if there and len(there) < len(names):
        lacking = [name for name in names if name not in there]
        raise UserError(
            f"air at the ground is told by {listed(names)}, and the fields have no {listed(lacking)}; read these, too,"
            f" or drop {listed(there)}, so that the lowest level stands for the ground"
        )
    return [in_pascal(fields[name]) if name == "surface_pressure" else fields[name] for name in there]


def rising(fields: xr.Dataset) -> xr.Dataset:
    """Return fields whose levels rise, from the top down, as many archives do not have them."""
    return fields if fields.indexes["level"].is_monotonic_increasing else fields.sortby("level")


def require_levels(fields: xr.Dataset, names: tuple[str, ...]) -> None:
    """Require fields on levels.

    Raises:
        UserError: One is missing.
    """
    for name in names:
        if name not in fields.data_vars or "level" not in fields[name].dims:
            raise UserError(
                f"convection needs {name} on levels, and the fields have {listed(fields.data_vars)}; read it"
                " from the ground up to 200 hPa or above"
            )
