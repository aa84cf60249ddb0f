"""Metrics of scales: how much of forecast, truth and error lies at each, and which a forecast resolves."""

from functools import partial

from weatherml.sphere import EARTH_RADIUS
from weatherml.verification import formulas
from weatherml.verification.metrics.base import Metric, itself
from weatherml.verification.metrics.entries import registry
from weatherml.verification.metrics.spectra.statistics import Field, SphericalPower, ZonalPower


@registry.register("zonal_spectrum")
def zonal_spectrum(of: Field = "forecast") -> Metric:
    """Return the spectrum along circles of latitude, of a forecast, of its truth or of its error."""
    return Metric((ZonalPower(of),), itself, ZonalPower.axes, better="neither")


@registry.register("spectrum")
def spectrum(of: Field = "forecast") -> Metric:
    """Return the spectrum on the sphere, of a forecast, of its truth or of its error."""
    return Metric((SphericalPower(of),), itself, SphericalPower.axes, better="neither")


@registry.register("effective_resolution")
def effective_resolution(share: float = 0.5) -> Metric:
    """Return the wavelength in km from which on a forecast has less than a share of the truth's energy."""
    if not 0 < float(share) <= 1:
        raise ValueError(f"a share of the truth's energy lies between 0 and 1, got {share}")
    resolution = partial(formulas.effective_resolution, share=float(share), radius=EARTH_RADIUS)
    return Metric((SphericalPower("forecast"), SphericalPower("truth")), resolution, has_best=False)
