"""Water of the simulated planet: it evaporates, is carried by the wind, and rains out; it heats no air.

A passive tracer, as in Galewsky, Sobel and Held 2005 (doi:10.1175/JAS3533.1): the lowest level takes up vapour, every
level loses what exceeds saturation, at once and to the ground. So the weather is that of the dry planet.

References: Bolton 1980 (doi:10.1175/1520-0493(1980)108<1046:TCOEPT>2.0.CO;2), equation 10: saturation over water.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

_WATER = 1000.0  # kg m-3
_VAPOUR_OVER_AIR = 0.622  # gas constant of dry air over that of vapour
_HUMIDITY_AT_GROUND = 0.8  # of saturation, towards which the lowest level takes up vapour
_SECONDS_OF_UPTAKE = 43_200.0
_MOST_VAPOUR = 0.5  # share of pressure that is vapour at most: aloft water would boil


class Rained(NamedTuple):
    """Air after some time, and what has fallen from it.

    Attributes:
        humidity: Specific humidity, kg kg-1 `[level, ...]`.
        depth: Of water, m `[...]`.
    """

    humidity: jax.Array
    depth: jax.Array


def saturation(temperature: jax.Array, pressure: jax.Array) -> jax.Array:
    """Return the specific humidity of saturated air in kg kg-1 from temperature in K and pressure in Pa."""
    vapour = 611.2 * jnp.exp(17.67 * (temperature - 273.15) / (temperature - 29.65))
    vapour = jnp.minimum(vapour, _MOST_VAPOUR * pressure)
    return _VAPOUR_OVER_AIR * vapour / (pressure - (1 - _VAPOUR_OVER_AIR) * vapour)


def rained(humidity: jax.Array, temperature: jax.Array, pressure: jax.Array, mass: jax.Array, seconds: float) -> Rained:
    """Let water evaporate and rain.

    Args:
        humidity: kg kg-1 `[level, ...]`, the last level the lowest; what is below zero, as spectra leave it, is none.
        temperature: K `[level, ...]`.
        pressure: Pa `[level, ...]`.
        mass: Of the air of each level, kg m-2 `[level, ...]`.
        seconds: For so long.
    """
    saturated = saturation(temperature, pressure)
    humidity = jnp.maximum(humidity, 0)
    missing = jnp.maximum(_HUMIDITY_AT_GROUND * saturated[-1] - humidity[-1], 0)
    humidity = humidity.at[-1].add(missing * -jnp.expm1(-seconds / _SECONDS_OF_UPTAKE))
    excess = jnp.maximum(humidity - saturated, 0)
    return Rained(humidity - excess, (excess * mass).sum(axis=0) / _WATER)
