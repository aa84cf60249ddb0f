"""From sigma levels to pressure levels and to mean sea level, one hydrostatic atmosphere throughout.

Between model levels temperature and wind are linear in log-pressure, as in the model's own hydrostatic equation, and
geopotential is its exact integral. Above the highest level air is isothermal. Below the lowest one, and so below
ground, wind is constant and temperature rises by 6.5 K/km (the standard atmosphere, as ECMWF and Trenberth et al. 1993
do); geopotential and mean sea level pressure follow from that temperature.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

LAPSE_RATE = 6.5e-3
"""Fall of temperature with height below the lowest model level, K m-1."""


class Gas(NamedTuple):
    """Constants of the air: gas constant in J kg-1 K-1 and gravity in m s-2."""

    gas_constant: float
    gravity: float

    @property
    def exponent(self) -> float:
        """Power of pressure that temperature follows at the standard lapse rate."""
        return self.gas_constant * LAPSE_RATE / self.gravity


class Columns(NamedTuple):
    """The state of the air on sigma levels.

    Attributes:
        log_sigma: Logarithm of sigma at the levels, rising `[level]`.
        log_surface_pressure: Logarithm of surface pressure in Pa `[...]`.
        temperature: K `[level, ...]`.
        geopotential: m2 s-2 `[level, ...]`, hydrostatic with temperature linear in log-pressure between levels.
    """

    log_sigma: np.ndarray
    log_surface_pressure: jax.Array
    temperature: jax.Array
    geopotential: jax.Array


def interpolation_weights(columns: Columns, pressure: np.ndarray) -> jax.Array:
    """Return weights `[pressure, level, ...]` that interpolate linearly in log-pressure, constant beyond the ends.

    Args:
        columns: The air.
        pressure: Pressure levels in Pa `[pressure]`.
    """
    nodes = columns.log_sigma
    padded = np.concatenate([[nodes[0] - 1], nodes, [nodes[-1] + 1]])
    above, node, below = (_column(padded[i : i + len(nodes)], columns.log_surface_pressure.ndim) for i in range(3))
    target = jnp.clip(_target(columns, pressure), nodes[0], nodes[-1])[:, None]
    return jnp.clip(jnp.minimum((target - above) / (node - above), (below - target) / (below - node)), 0, 1)


def interpolate(weights: jax.Array, field: jax.Array) -> jax.Array:
    """Interpolate a field `[level, ...]` with `interpolation_weights` to `[pressure, ...]`."""
    return (weights * field).sum(axis=1)


def temperature_and_geopotential(columns: Columns, pressure: np.ndarray, gas: Gas) -> tuple[jax.Array, jax.Array]:
    """Return temperature in K and geopotential in m2 s-2 at pressure levels in Pa, each `[pressure, ...]`."""
    weights = interpolation_weights(columns, pressure)
    target = _target(columns, pressure)
    lowest = columns.log_sigma[-1]
    inside, depth = jnp.minimum(target, lowest), jnp.maximum(target - lowest, 0)
    temperature = interpolate(weights, columns.temperature)
    nodes = _column(columns.log_sigma, columns.log_surface_pressure.ndim)
    # From either neighbouring level the trapezoid rule gives the same value: it is exact for linear temperature.
    mean = (columns.temperature + temperature[:, None]) / 2
    geopotential = interpolate(weights, columns.geopotential + gas.gas_constant * mean * (nodes - inside[:, None]))
    drop = gas.gas_constant * columns.temperature[-1] * jnp.expm1(gas.exponent * depth) / gas.exponent
    return temperature * jnp.exp(gas.exponent * depth), geopotential - drop


def mean_sea_level_pressure(columns: Columns, gas: Gas) -> jax.Array:
    """Return the pressure in Pa `[...]` at which the air below the lowest model level has geopotential zero."""
    height = columns.geopotential[-1] / (gas.gas_constant * columns.temperature[-1])
    depth = jnp.log1p(gas.exponent * height) / gas.exponent
    return jnp.exp(columns.log_surface_pressure + columns.log_sigma[-1] + depth)


def _target(columns: Columns, pressure: np.ndarray) -> jax.Array:
    return jnp.asarray(_column(np.log(pressure), columns.log_surface_pressure.ndim)) - columns.log_surface_pressure


def _column(values: np.ndarray, n_horizontal: int) -> np.ndarray:
    return values.reshape(-1, *(1,) * n_horizontal)
