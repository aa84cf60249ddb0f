"""Where the sun is, and how much of its light comes to the top of the atmosphere."""

import numpy as np

from weatherml.grid import LatLonGrid

DAY = np.timedelta64(24, "h")


def insolation(times: np.ndarray, span: np.timedelta64, grid: LatLonGrid) -> np.ndarray:
    """Return top-of-atmosphere sunlight averaged over `[time, time + span]`, float64 `[time, lat, lon]`.

    The cosine of the zenith angle, `sin(lat) sin(declination) + cos(lat) cos(declination) cos(hour angle)`, is
    integrated over its sunlit part in closed form; declination and distance are those at the middle of the span.

    Args:
        times: Starts, `datetime64[ns]` `[time]`.
        span: Up to a day.
        grid: Where.

    Returns:
        Fractions of the solar constant (at one astronomical unit): 0 by night, at most 1.035.
    """
    middle = times + span.astype("timedelta64[ns]") // 2
    sine, hour_angle, distance = solar_position(middle, grid)
    latitude = np.radians(grid.latitude)[:, None]
    steady = np.sin(latitude) * sine[:, None, None]
    swing = np.maximum(np.cos(latitude) * np.sqrt(1 - sine**2)[:, None, None], 1e-12)
    half_width = np.pi * (span / DAY)
    upper = _sunlit_integral(hour_angle[:, None, :] + half_width, steady, swing)
    lower = _sunlit_integral(hour_angle[:, None, :] - half_width, steady, swing)
    mean = (upper - lower) / (2 * half_width)
    return np.asarray(mean / distance[:, None, None] ** 2)


def solar_position(times: np.ndarray, grid: LatLonGrid) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return where the sun is, to 0.01 degree between 1950 and 2050.

    Source: the Astronomical Almanac's low-precision formulae (Michalsky 1988, Solar Energy 40, 227-235).

    Returns:
        Sine of the declination `[time]`, local hour angle in radians `[time, lon]` (0 at noon), distance in
        astronomical units `[time]`.
    """
    days = (times - np.datetime64("2000-01-01T12:00", "ns")) / np.timedelta64(1, "D")
    anomaly = np.radians(357.528 + 0.9856003 * days)
    mean_longitude = 280.460 + 0.9856474 * days
    longitude = np.radians(mean_longitude + 1.915 * np.sin(anomaly) + 0.020 * np.sin(2 * anomaly))
    obliquity = np.radians(23.439 - 4e-7 * days)
    ascension = np.arctan2(np.cos(obliquity) * np.sin(longitude), np.cos(longitude))
    # Mean longitude minus right ascension is the equation of time; 0 h UTC is half a turn from noon at Greenwich.
    noon = np.radians(mean_longitude) - ascension + 2 * np.pi * (days % 1)
    distance = 1.00014 - 0.01671 * np.cos(anomaly) - 0.00014 * np.cos(2 * anomaly)
    return np.sin(obliquity) * np.sin(longitude), noon[:, None] + np.radians(grid.longitude), distance


def _sunlit_integral(angle: np.ndarray, steady: np.ndarray, swing: np.ndarray) -> np.ndarray:
    """Integrate `max(0, steady + swing cos(h))` over the hour angle `h` from -pi to `angle` (any number of turns)."""
    sunset = np.arccos(np.clip(-steady / swing, -1, 1))
    turns = np.floor((angle + np.pi) / (2 * np.pi))
    turned = angle - 2 * np.pi * turns
    within = np.clip(turned, -sunset, sunset)
    # A sine of each longitude and of each latitude, not of each cell: half the time at 0.25 degrees, and the same bits.
    sine = np.where(np.abs(turned) < sunset, np.sin(turned), np.copysign(np.sin(sunset), turned))
    half_day = steady * sunset + swing * np.sin(sunset)
    return np.asarray(2 * turns * half_day + steady * within + swing * sine)
