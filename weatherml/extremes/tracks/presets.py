"""What is detected and linked as storms of a kind, with the thresholds of the literature."""

from typing import NamedTuple

from weatherml.column import GRAVITY
from weatherml.extremes.tracks.detection.criteria import ClosedContour, Detection, Nearby
from weatherml.extremes.tracks.linking.rules import ABSOLUTE_LATITUDE, Condition, Linking

_PRESSURE = "mean_sea_level_pressure"
_WIND = Nearby("maximum_wind_speed", "10m_wind_speed", "maximum", 2.0)
_GROUND = "geopotential_at_surface"


class Kind(NamedTuple):
    """A kind of storms: `track(fields, *TROPICAL_CYCLONE)`.

    Attributes:
        detection: What makes a point a storm.
        linking: How storms are followed, and which tracks count.
    """

    detection: Detection
    linking: Linking


def tropical_cyclone(upper: int = 300, lower: int = 500, topography: bool = False) -> Kind:
    """Return the tropical cyclones of TempestExtremes.

    Ullrich et al. 2021 (doi:10.5194/gmd-14-5023-2021), after the sensitivities in Zarzycki & Ullrich 2017
    (doi:10.1002/2016GL071606): pressure rises by 2 hPa within 5.5 degrees; the thickness of the upper troposphere falls
    by 6 m within 6.5 degrees of its maximum, which lies within a degree; 8 degrees in six hours, no gap above a day,
    54 hours at least; and ten six-hourly records at least in winds of 10 m s-1 within 2 degrees, within 50 degrees of
    the equator, and where the ground is below 150 m.

    Args:
        upper: Top of the layer that is warm, hPa.
        lower: Its bottom.
        topography: Whether the ground is judged, by `geopotential_at_surface`.
    """
    contours = (
        ClosedContour(_PRESSURE, 200.0, 5.5),
        ClosedContour(f"geopotential_{upper} - geopotential_{lower}", -6.0 * GRAVITY, 6.5, offset=1.0),
    )
    nearby, conditions = (
        [_WIND],
        [
            Condition("maximum_wind_speed", least=10.0, hours=54),
            Condition(ABSOLUTE_LATITUDE, most=50.0, hours=54),
        ],
    )
    if topography:
        nearby.append(Nearby(_GROUND, _GROUND))
        conditions.append(Condition(_GROUND, most=150.0 * GRAVITY, hours=54))
    detection = Detection(_PRESSURE, "minimum", merge_distance=6.0, contours=contours, nearby=tuple(nearby))
    return Kind(detection, Linking(41.2, maximum_gap=24, least_duration=54, conditions=tuple(conditions)))


TROPICAL_CYCLONE = tropical_cyclone()
"""Fields: `mean_sea_level_pressure`, `geopotential_300`, `geopotential_500`, wind at 10 m."""

EXTRATROPICAL = Kind(
    Detection(
        _PRESSURE, "minimum", merge_distance=6.0, contours=(ClosedContour(_PRESSURE, 200.0, 6.0),), nearby=(_WIND,)
    ),
    Linking(30.9, maximum_gap=18, least_duration=60, least_displacement=12.0),
)
"""Storms outside the tropics as in Ullrich et al. 2021 (doi:10.5194/gmd-14-5023-2021): pressure rises by 2 hPa within 6
degrees; 6 degrees in six hours, no gap above 18 hours, 60 hours at least, 12 degrees from the first to the last record.
Fields: `mean_sea_level_pressure`, and wind at 10 m where it is to be told."""

FILTERED_LOWS = Kind(
    Detection("mean_sea_level_pressure_anomaly", "minimum", intensity=0.0, merge_distance=0.0),
    Linking(33.5, momentum=1.0, maximum_deviation=20.6, least_duration=12),
)
"""All lows of pressure in a band of wavenumbers, `filtering.band_passed(pressure)`, as Hodges' TRACK takes them: every
minimum below zero; 6.5 degrees in six hours, 4 of them off the last motion; half a day at least."""

FILTERED_VORTICES = Kind(
    Detection("vorticity_850_anomaly", "cyclonic", 1e-5, merge_distance=0.0), FILTERED_LOWS.linking
)
"""The same of vorticity at 850 hPa, beyond 1e-5 s-1 in the sense of cyclones."""

KINDS = {"tropical_cyclone": TROPICAL_CYCLONE, "extratropical": EXTRATROPICAL}
"""Kinds of storms by name."""
