"""The vocabulary: every variable once, with the names the field uses for it, its units and its plausible range."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from weatherml.errors import UserError
from weatherml.registry import nearest

Vertical = Literal["surface", "pressure"]


@dataclass(frozen=True)
class Variable:
    """One physical quantity.

    Attributes:
        name: Canonical name, as ERA5 and WeatherBench spell it.
        short_name: As CDS NetCDF files and cfgrib spell it.
        ecmwf_name: GRIB shortName.
        earth2_name: As earth2studio and makani spell it; on pressure levels the level follows.
        units: SI units of every field inside weatherml.
        minimum: Least plausible value anywhere on Earth, in `units`.
        maximum: Greatest plausible value.
        vertical: Whether it lies on pressure levels or has one height.
        standard_name: CF standard name, empty where CF has none.
    """

    name: str
    short_name: str
    ecmwf_name: str
    earth2_name: str
    units: str
    minimum: float
    maximum: float
    vertical: Vertical
    standard_name: str = ""

    @property
    def short_names(self) -> frozenset[str]:
        """What else it is called."""
        return frozenset({self.short_name, self.ecmwf_name, self.earth2_name} - {self.name})

    @property
    def long_name(self) -> str:
        """The canonical name in words."""
        return self.name.replace("_", " ")

    @property
    def cf_attributes(self) -> dict[str, str]:
        """CF attributes beyond units and long_name."""
        return {"standard_name": self.standard_name} if self.standard_name else {}


def _surface(*fields: object) -> Variable:
    name, short, ecmwf, earth2, units, low, high, *standard = fields
    return Variable(name, short, ecmwf, earth2, units, low, high, "surface", *standard)  # type: ignore[arg-type]


def _pressure(*fields: object) -> Variable:
    name, short, units, low, high, *standard = fields
    return Variable(name, short, short, short, units, low, high, "pressure", *standard)  # type: ignore[arg-type]


_WATER_VAPOUR = "atmosphere_mass_content_of_water_vapor"
_PRECIPITATION = "lwe_thickness_of_precipitation_amount"
_SUNLIGHT = "toa_incoming_shortwave_flux"
_EASTWARD_VAPOUR = "vertical_integral_of_eastward_water_vapour_flux"
_NORTHWARD_VAPOUR = "vertical_integral_of_northward_water_vapour_flux"

# Ranges are what no ERA5 field has left: a value outside is a unit, a sign or a scaling error, not weather.
_ALL = (
    _pressure("geopotential", "z", "m2 s-2", -1.2e4, 6.0e5, "geopotential"),
    _pressure("temperature", "t", "K", 150, 350, "air_temperature"),
    _pressure("u_component_of_wind", "u", "m s-1", -160, 200, "eastward_wind"),
    _pressure("v_component_of_wind", "v", "m s-1", -160, 160, "northward_wind"),
    _pressure("wind_speed", "ws", "m s-1", -1e-3, 220, "wind_speed"),
    _pressure("specific_humidity", "q", "kg kg-1", -1e-3, 0.05, "specific_humidity"),
    _pressure("relative_humidity", "r", "%", -20, 200, "relative_humidity"),
    _pressure("vertical_velocity", "w", "Pa s-1", -60, 60, "lagrangian_tendency_of_air_pressure"),
    _pressure("vorticity", "vo", "s-1", -0.01, 0.01, "atmosphere_relative_vorticity"),
    _pressure("divergence", "d", "s-1", -0.01, 0.01, "divergence_of_wind"),
    _surface("2m_temperature", "t2m", "2t", "t2m", "K", 170, 340, "air_temperature"),
    _surface("maximum_2m_temperature", "mx2t", "mx2t", "t2m_max", "K", 170, 340, "air_temperature"),
    _surface("minimum_2m_temperature", "mn2t", "mn2t", "t2m_min", "K", 170, 340, "air_temperature"),
    _surface("2m_dewpoint_temperature", "d2m", "2d", "d2m", "K", 150, 320, "dew_point_temperature"),
    _surface("10m_u_component_of_wind", "u10", "10u", "u10m", "m s-1", -90, 90, "eastward_wind"),
    _surface("10m_v_component_of_wind", "v10", "10v", "v10m", "m s-1", -90, 90, "northward_wind"),
    _surface("100m_u_component_of_wind", "u100", "100u", "u100m", "m s-1", -100, 100, "eastward_wind"),
    _surface("100m_v_component_of_wind", "v100", "100v", "v100m", "m s-1", -100, 100, "northward_wind"),
    _surface("10m_wind_speed", "si10", "10si", "ws10m", "m s-1", -1e-3, 100, "wind_speed"),
    _surface("100m_wind_speed", "si100", "100si", "ws100m", "m s-1", -1e-3, 120, "wind_speed"),
    _surface("surface_pressure", "sp", "sp", "sp", "Pa", 4.0e4, 1.12e5, "surface_air_pressure"),
    _surface("mean_sea_level_pressure", "msl", "msl", "msl", "Pa", 8.5e4, 1.12e5, "air_pressure_at_mean_sea_level"),
    _surface("total_column_water_vapour", "tcwv", "tcwv", "tcwv", "kg m-2", -1, 120, _WATER_VAPOUR),
    _surface(_EASTWARD_VAPOUR, "viwve", "viwve", "viwve", "kg m-1 s-1", -5000, 5000),
    _surface(_NORTHWARD_VAPOUR, "viwvn", "viwvn", "viwvn", "kg m-1 s-1", -5000, 5000),
    _surface("integrated_vapor_transport", "ivt", "ivt", "ivt", "kg m-1 s-1", -1e-3, 5000),
    _surface("total_precipitation", "tp", "tp", "tp", "m", -1e-4, 1.5, _PRECIPITATION),
    _surface("total_precipitation_6hr", "tp06", "tp06", "tp06", "m", -1e-4, 1.5, _PRECIPITATION),
    _surface("total_precipitation_12hr", "tp12", "tp12", "tp12", "m", -1e-4, 1.5, _PRECIPITATION),
    _surface("total_precipitation_24hr", "tp24", "tp24", "tp24", "m", -1e-4, 2.0, _PRECIPITATION),
    _surface("sea_surface_temperature", "sst", "sst", "sst", "K", 265, 315, "sea_surface_temperature"),
    _surface("sea_ice_cover", "siconc", "ci", "sic", "1", -0.01, 1.01, "sea_ice_area_fraction"),
    _surface("toa_incident_solar_radiation", "tisr", "tisr", "tisr", "J m-2", -1, 3.5e7, _SUNLIGHT),
    _surface("toa_incident_solar_radiation_6hr", "tisr06", "tisr06", "tisr06", "J m-2", -1, 3.5e7, _SUNLIGHT),
    _surface("toa_incident_solar_radiation_12hr", "tisr12", "tisr12", "tisr12", "J m-2", -1, 5e7, _SUNLIGHT),
    _surface("toa_incident_solar_radiation_24hr", "tisr24", "tisr24", "tisr24", "J m-2", -1, 6e7, _SUNLIGHT),
    _surface("cosine_of_solar_zenith_angle", "cossza", "cossza", "cossza", "1", -1.001, 1.001),
    _surface("land_sea_mask", "lsm", "lsm", "lsm", "1", -0.01, 1.01, "land_binary_mask"),
    _surface("geopotential_at_surface", "z_sfc", "z_sfc", "zsl", "m2 s-2", -5.0e3, 6.5e4, "surface_geopotential"),
    _surface("soil_type", "slt", "slt", "slt", "1", -0.01, 8.01),
)  # fmt: skip

SEE_NAMES = "weatherml info --names"
"""Where all names are seen."""

VARIABLES: dict[str, Variable] = {v.name: v for v in _ALL}
"""Every variable by its canonical name."""

_ALIASES: dict[str, Variable] = {
    alias: v for v in reversed(_ALL) for alias in (v.earth2_name, v.ecmwf_name, v.short_name, v.name)
}

LEVEL_SETS: dict[str, tuple[int, ...]] = {
    "pangu": (50, 100, 150, 200, 250, 300, 400, 500, 600, 700, 850, 925, 1000),
    "era5": (1, 2, 3, 5, 7, 10, 20, 30, 50, 70, 100, 125, 150, 175, 200, 225, 250, 300, 350, 400, 450, 500,
             550, 600, 650, 700, 750, 775, 800, 825, 850, 875, 900, 925, 950, 975, 1000),
    "planet": (250, 500, 700, 850),
}  # fmt: skip
"""Pressure levels in hPa, rising."""

_FOURCASTNET = (
    "u10m v10m t2m sp msl t850 u1000 v1000 z1000 u850 v850 z850 u500 v500 z500 t500 z50 r500 r850 tcwv"
).split()
_FOURCASTNET_0_1 = "u100m v100m u250 v250 z250 t250".split()
# The published files list levels from the ground up.
_PANGU_UPPER = [f"{v}_{level}" for v in "zqtuv" for level in reversed(LEVEL_SETS["pangu"])]

PRESETS: dict[str, tuple[str, ...]] = {
    "fourcastnet": tuple(_FOURCASTNET),
    "fourcastnet_0.1": tuple(_FOURCASTNET + _FOURCASTNET_0_1),
    "pangu": tuple([*_PANGU_UPPER, "msl", "u10m", "v10m", "t2m"]),
    "planet": ("msl", *(f"{v}{level}" for v in "ztuv" for level in LEVEL_SETS["planet"])),
}
"""Channel sets by the model they belong to, in the order of its arrays."""


def look_up(name: str) -> Variable | None:
    """Return the variable that any of the field's vocabularies calls `name`; None where nobody does."""
    return _ALIASES.get(name)


def find(name: str) -> Variable:
    """Return the variable that any of the field's vocabularies calls `name`.

    Raises:
        UserError: Nobody does; the near name is suggested.
    """
    if name not in _ALIASES:
        near = nearest(name, _ALIASES, SEE_NAMES, VARIABLES)
        raise UserError(f"unknown variable {name!r}{near}")
    return _ALIASES[name]


def _channel_names(value: Any) -> Any:
    """Put channels in the place of the names of sets, alone or in a list."""
    if isinstance(value, str):
        if value not in PRESETS:
            raise UserError(f"unknown channel set {value!r}{nearest(value, PRESETS)}")
        return PRESETS[value]
    if not isinstance(value, list | tuple):
        return value
    return tuple(one for name in value for one in (PRESETS.get(name, (name,)) if isinstance(name, str) else (name,)))


ChannelNames = Annotated[tuple[str, ...], BeforeValidator(_channel_names), Field(min_length=1)]
"""Channels in a configuration: a list of them, the name of a set such as `pangu`, or both: `[pangu, lsm]`."""
