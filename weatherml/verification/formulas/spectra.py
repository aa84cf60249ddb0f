"""How much of a field varies at each scale."""

import math
from typing import Any

Array = Any
"""A numpy or jax array."""


def zonal_power(field: Array) -> Array:
    """Return how much the waves around a circle of latitude add to its mean square, by how many there are around it.

    The sum over wavenumbers is the mean square of the row. Times the length of the row it is WeatherBench 2's
    `ZonalEnergySpectrum`, but that the wave of two columns, which is its own complex conjugate, counts once here.

    Args:
        field: `[..., lon]`, equally spaced around the circle, finite.

    Returns:
        `[..., wavenumber]`, 0 to half the number of columns, squared units of the field.
    """
    xp, n_lon = field.__array_namespace__(), field.shape[-1]
    power = xp.abs(xp.fft.rfft(field, axis=-1) / n_lon) ** 2
    number = xp.arange(power.shape[-1])
    return power * xp.where((number == 0) | (2 * number == n_lon), 1, 2)


def wavelength(degree: Array, radius: float) -> Array:
    """Return the wavelength of spherical harmonics of a degree above 0, in units of the radius (Jeans' relation)."""
    xp = degree.__array_namespace__()
    return 2 * math.pi * radius / xp.sqrt(degree * (degree + 1.0))


def effective_resolution(forecast: Array, truth: Array, share: float, radius: float) -> Array:
    """Return the wavelength from which on a forecast's energy falls short of the truth's.

    It lies where the ratio of the spectra first crosses `share`, going from the largest waves to the smallest,
    interpolated between two degrees. A forecast that never falls short resolves the smallest wave that there is.

    Args:
        forecast: Power by degree, `[..., degree]`, from degree 0.
        truth: The same of the truth.
        share: Of the truth's energy.
        radius: Of the sphere.

    Returns:
        `[...]` in units of the radius.
    """
    xp = truth.__array_namespace__()
    ratio = forecast[..., 1:] / truth[..., 1:]  # from degree 1: the mean is no wave
    short = ratio < share
    first = xp.argmax(short, axis=-1)[..., None]
    before = xp.maximum(first - 1, 0)
    above, below = (xp.take_along_axis(ratio, place, axis=-1)[..., 0] for place in (before, first))
    step = xp.where(first[..., 0] > 0, (above - share) / xp.where(above > below, above - below, 1), 0)
    crossed = xp.where(xp.any(short, axis=-1), 1 + before[..., 0] + step, ratio.shape[-1])
    return xp.where(xp.any(xp.isnan(ratio), axis=-1), xp.nan, wavelength(crossed, radius))
