"""A made-up Earth: seasons, days, and weather of red noise that travels, over land that is given.

Nothing of the check was made with it.
"""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy.ndimage import gaussian_filter

from weatherml.state import with_metadata

_DAY = np.timedelta64(1, "D")
_OMEGA, _RADIUS = 7.292e-5, 6.371e6


def canonical(dataset):
    """Return float32 fields that say their units, and nothing else."""
    fields = {name: (field.dims, field.values.astype(np.float32)) for name, field in dataset.data_vars.items()}
    kept = {name: dataset[name].values for name in ("time", "level", "latitude", "longitude") if name in dataset.dims}
    return with_metadata(xr.Dataset(fields, kept))


def red_noise(rng, shape, persistence, drift=0, smoothness=1.2):
    """Return Gaussian fields `[time, ..., lat, lon]` of unit variance that keep `persistence` of the field before.

    Args:
        rng: Decides them.
        shape: Of the fields.
        persistence: Correlation from one time to the next.
        drift: Columns eastward in a time step, a whole number.
        smoothness: Radius in cells.
    """
    fresh = rng.standard_normal(shape).astype(np.float32)
    radii = (0,) * (len(shape) - 2) + (smoothness, smoothness)
    fresh = gaussian_filter(fresh, radii, mode=("nearest",) * (len(shape) - 1) + ("wrap",))
    fresh /= fresh.std(axis=0, keepdims=True)
    for i in range(1, len(fresh)):
        moved = np.roll(fresh[i - 1], drift, -1)
        fresh[i] = persistence * moved + np.sqrt(1 - persistence**2) * fresh[i]
    return fresh


@dataclass(frozen=True)
class Earth:
    """Seasons, days and weather over real land.

    Attributes:
        times: `datetime64[ns]` `[time]`.
        ground: Surface geopotential, m2 s-2 `[lat, lon]`.
        land: Share of land `[lat, lon]`.
        seed: Decides the weather.
    """

    times: np.ndarray
    ground: xr.DataArray
    land: xr.DataArray
    seed: int = 0

    def _dataset(self, **fields):
        fields = {name: values if "wind" in name else self._scalar(values) for name, values in fields.items()}
        coords = {"time": self.times, "latitude": self.land["latitude"], "longitude": self.land["longitude"]}
        return canonical(xr.Dataset({name: (tuple(coords), values) for name, values in fields.items()}, coords))

    def _scalar(self, values):
        """Return values with one of a pole in all columns."""
        is_pole = abs(self.land["latitude"].values) == 90
        return np.where(is_pole[:, None], values.mean(-1, keepdims=True), values)

    @property
    def _latitude(self):
        return np.radians(self.land["latitude"].values)[:, None]

    def _season(self, lag_days):
        """Return 1 in the warmest part of a northern year, -1 in the coldest `[time, lat, lon]`."""
        day = ((self.times - self.times.astype("datetime64[Y]")) / _DAY)[:, None, None]
        return np.cos(2 * np.pi * (day - 172 - lag_days) / 365.25)

    def _local_hour(self):
        hour = (self.times - self.times.astype("datetime64[D]")) / np.timedelta64(1, "h")
        return (hour[:, None, None] + self.land["longitude"].values / 15) % 24

    def _weather(self, offset, scale):
        hours = np.median(np.diff(self.times)) / np.timedelta64(1, "h")
        spacing = 360 / self.land.sizes["longitude"]
        rng = np.random.default_rng([self.seed, offset])
        shape = (len(self.times), *self.land.shape)
        return scale * red_noise(rng, shape, np.exp(-hours / 60), round(hours * 0.35 / spacing))

    def temperature(self):
        """Return 2 m temperature in K."""
        land, lat = self.land.values, self._latitude
        mean = 301 - 40 * np.sin(lat) ** 2 - 6.5e-3 / 9.81 * self.ground.values - 8 * land * np.sin(lat) ** 4
        year = np.sin(lat) * (3 + 17 * land) * self._season(30 + 30 * (1 - land))
        day = (0.3 + 5 * land * np.cos(lat)) * np.cos(2 * np.pi * (self._local_hour() - 14.5) / 24)
        values = mean + year + day + self._weather(0, 0.7 + 3.5 * np.sin(lat) ** 2)
        return self._dataset(**{"2m_temperature": values})

    def pressure(self):
        """Return mean sea level pressure in Pa."""
        land, lat = self.land.values, self._latitude
        belts = 101200 + 500 * np.cos(6 * lat) - 2800 * np.exp(-(((np.degrees(lat) + 65) / 11) ** 2))
        year = -700 * land * np.sin(2 * lat) * self._season(15)
        tide = 110 * np.cos(lat) ** 3 * np.cos(2 * np.pi * (self._local_hour() - 9.7) / 12)
        values = belts + year + tide + self._weather(1, 150 + 900 * np.sin(lat) ** 2)
        return self._dataset(mean_sea_level_pressure=values)

    def wind(self, pressure):
        """Return 10 m wind in m s-1: geostrophic, weaker and turned to the low by friction (0.6 and 25 degrees)."""
        spacing = np.radians(360 / self.land.sizes["longitude"])
        turning = 1.2 * 2 * _OMEGA * np.sin(np.sign(self._latitude + 1e-9) * np.maximum(abs(self._latitude), 0.35))
        metres = _RADIUS * np.maximum(np.cos(self._latitude), 0.1)
        rise_east = (np.roll(pressure, -1, -1) - np.roll(pressure, 1, -1)) / (2 * spacing * metres)
        rise_north = np.gradient(pressure, axis=-2) / (_RADIUS * np.gradient(self._latitude, axis=0))
        geostrophic = (-rise_north + 1j * rise_east) / turning
        blown = 0.6 * geostrophic * np.exp(1j * np.radians(25) * np.sign(self._latitude))
        names = ("10m_u_component_of_wind", "10m_v_component_of_wind")
        return self._dataset(**dict(zip(names, (blown.real, blown.imag), strict=True)))

    def rain(self, name, hours):
        """Return precipitation in m over `hours` that end at the times."""
        lat = np.degrees(self._latitude)
        wet = np.clip(np.exp(self._weather(2, 1.0)) - 1, 0, None)
        belts = 0.4 + 2.5 * np.exp(-(((lat - 6 * self._season(45)) / 9) ** 2)) + np.exp(-(((abs(lat) - 45) / 15) ** 2))
        area = np.cos(self._latitude) / np.cos(self._latitude).mean()
        values = wet * belts
        # All over the globe it rains as much every day, but for a tenth of what few cells would make of it.
        whole = (values * area).mean((1, 2), keepdims=True)
        steady = values / whole * (0.9 + 0.1 * whole / whole.mean())
        return self._dataset(**{name: steady * hours / 24 * 2.9e-3})
