"""Which channel sets each archive can give: its real variables and units, as its own documentation lists them."""

import numpy as np
import pytest
import xarray as xr

from weatherml.data.sources import ArchiveConfig
from weatherml.data.sources.archive.known import ARCHIVES
from weatherml.errors import UserError
from weatherml.state import parse_channels
from weatherml.variables import LEVEL_SETS, PRESETS, VARIABLES

# name: units, as the stores state them; None where they state none. Of the hundreds, those of the vocabulary and some
# that are not in it (https://github.com/google-research/arco-era5, README; WeatherBench 2's data guide).
_WIND, _RATIO = "m s**-1", "(0 - 1)"
_BOTH_FLAT = {
    **{f"10m_{way}_component_of_wind": _WIND for way in "uv"},
    "2m_temperature": "K",
    "2m_dewpoint_temperature": "K",
    "mean_sea_level_pressure": "Pa",
    "surface_pressure": "Pa",
    "sea_ice_cover": _RATIO,
    "sea_surface_temperature": "K",
    "total_cloud_cover": _RATIO,
    "total_column_water_vapour": "kg m**-2",
}
_BOTH_LEVELS = {
    "geopotential": "m**2 s**-2",
    "temperature": "K",
    "specific_humidity": "kg kg**-1",
    "vertical_velocity": "Pa s**-1",
    "potential_vorticity": "K m**2 kg**-1 s**-1",
    **{f"{way}_component_of_wind": _WIND for way in "uv"},
}
_STATIC = {"geopotential_at_surface": "m**2 s**-2", "land_sea_mask": _RATIO, "soil_type": "~"}
LISTED = {
    "arco": {
        "levels": LEVEL_SETS["era5"],
        "on levels": {**_BOTH_LEVELS, "fraction_of_cloud_cover": _RATIO, "ozone_mass_mixing_ratio": "kg kg**-1"},
        "flat": {
            **_BOTH_FLAT,
            **{f"100m_{way}_component_of_wind": _WIND for way in "uv"},
            "10m_u_component_of_neutral_wind": _WIND,
            "total_precipitation": "m",
            "toa_incident_solar_radiation": "J m**-2",
            "maximum_2m_temperature_since_previous_post_processing": "K",
        },
        "static": {**_STATIC, "geopotential_at_surface": "m2 s-2"},
    },
    "weatherbench2": {
        "levels": LEVEL_SETS["pangu"],
        "on levels": {
            **_BOTH_LEVELS,
            **dict.fromkeys(("relative_humidity", "vorticity", "divergence", "wind_speed", "above_ground")),
        },
        "flat": {
            **_BOTH_FLAT,
            **dict.fromkeys(("10m_wind_speed", "total_column_vapor", "integrated_vapor_transport")),
            **{f"total_precipitation_{hours}hr": "m" for hours in (6, 12, 24)},
        },
        "static": _STATIC,
    },
}
LACKING = {
    ("arco", "fourcastnet"): {"relative_humidity"},  # which is made of temperature and specific humidity
    ("arco", "fourcastnet_0.1"): {"relative_humidity"},
    ("weatherbench2", "fourcastnet_0.1"): {"100m_u_component_of_wind", "100m_v_component_of_wind"},
}
CONSTANT = {"temperature": 280.0, "specific_humidity": 3e-3, "relative_humidity": 0.5}  # as WeatherBench 2 has it


@pytest.fixture(scope="module", params=list(LISTED))
def archive(request, tmp_path_factory):
    """Return the name of an archive, and a small store of its layout."""
    listed, folder = LISTED[request.param], tmp_path_factory.mktemp(request.param) / "store.zarr"
    coords = {
        "time": np.array(["2020-01-01T00", "2020-01-01T06"], "datetime64[ns]"),
        "level": np.array(listed["levels"]),
        "latitude": np.linspace(90, -90, 3, dtype=np.float32),
        "longitude": np.arange(0, 360, 90, dtype=np.float32),
    }
    dims = {"on levels": tuple(coords), "flat": ("time", "latitude", "longitude"), "static": ("latitude", "longitude")}
    fields = {
        name: xr.Variable(d, np.full([coords[c].size for c in d], CONSTANT.get(name, 1), "f4"), _attributes(units))
        for kind, d in dims.items()
        for name, units in listed[kind].items()
    }
    xr.Dataset(fields, coords).to_zarr(folder, zarr_format=2, consolidated=True)
    return request.param, folder


def _attributes(units):
    return {} if units is None else {"units": units}


@pytest.mark.parametrize("preset", PRESETS)
def test_a_channel_set_is_made_of_an_archive(archive, tmp_path, preset):
    name, folder = archive
    lacking = LACKING.get((name, preset), set())
    config = ArchiveConfig(url=str(folder), channels=(preset,), units=dict(ARCHIVES[name].units))
    if lacking:
        with pytest.raises(UserError, match="there is no variable '({})'".format("|".join(lacking))) as refused:
            config.source(tmp_path).variables()
        if "relative_humidity" not in lacking:
            return
        assert "source.derive=[relative_humidity]" in str(refused.value)
        config = config.model_copy(update={"derive": ("relative_humidity",)})
    source = config.source(tmp_path)
    read = source.read(source.times(), source.variables())
    for channel in parse_channels(PRESETS[preset]):
        field = read[channel.variable]
        values = (field if channel.level is None else field.sel(level=channel.level)).values
        assert np.isfinite(values).all()
        assert field.attrs["units"] == VARIABLES[channel.variable].units


def test_what_an_archive_states_no_units_of_is_read_in_its_own(archive, tmp_path):
    name, folder = archive
    if name == "arco":
        return
    config = ArchiveConfig(url=str(folder), variables=("r",), units=dict(ARCHIVES[name].units))
    read = config.source(tmp_path).read(config.source(tmp_path).times(), ["relative_humidity"])
    np.testing.assert_array_equal(read["relative_humidity"], np.float32(50))


def test_the_whole_of_an_archive_is_understood(archive, tmp_path):
    name, folder = archive
    source = ArchiveConfig(url=str(folder), units=dict(ARCHIVES[name].units)).source(tmp_path)
    listed = {variable for kind in ("on levels", "flat", "static") for variable in LISTED[name][kind]}
    assert set(source.variables()) == listed & set(VARIABLES)
