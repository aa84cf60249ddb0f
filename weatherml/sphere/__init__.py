"""The sphere: spherical harmonics of fields on grids, and great circles between places."""

from weatherml.sphere.harmonics import (
    EARTH_RADIUS,
    Quadrature,
    analyse,
    analyse_wind,
    exact_degree,
    highest_degree,
    legendre_functions,
    power_by_degree,
    quadrature,
    synthesise,
)

__all__ = [
    "EARTH_RADIUS",
    "Quadrature",
    "analyse",
    "analyse_wind",
    "exact_degree",
    "highest_degree",
    "legendre_functions",
    "power_by_degree",
    "quadrature",
    "synthesise",
]
