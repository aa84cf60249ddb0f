"""Units are recognised however they are spelt, and converted by known factors."""

import numpy as np
import pytest
import xarray as xr

from weatherml.data.reading.units import convert
from weatherml.errors import UserError


@pytest.mark.parametrize(
    ("name", "units", "value", "expected"),
    [
        ("10m_u_component_of_wind", "m s**-1", 3.0, 3.0),
        ("10m_u_component_of_wind", "m/s", 3.0, 3.0),
        ("10m_u_component_of_wind", "knots", 1.0, 0.514444),
        ("geopotential", "m**2 s**-2", 5.0, 5.0),
        ("geopotential", "m2/s2", 5.0, 5.0),
        ("geopotential", "gpdam", 1.0, 98.0665),
        ("vorticity", "1/s", 1e-5, 1e-5),
        ("specific_humidity", "g/kg", 8.0, 0.008),
        ("total_precipitation", "mm", 25.0, 0.025),
        ("total_precipitation", "kg m**-2", 25.0, 0.025),
        ("sea_ice_cover", "(0 - 1)", 0.5, 0.5),
        ("sea_ice_cover", "%", 50.0, 0.5),
        ("soil_type", "(Code table 4.213)", 3.0, 3.0),
        ("2m_temperature", "", 280.0, 280.0),
        ("2m_temperature", "degF", 32.0, 273.15),
        ("2m_temperature", "degrees_Fahrenheit", 212.0, 373.15),
        ("mean_sea_level_pressure", "inHg", 29.92, 101320.76),
        ("mean_sea_level_pressure", "mmHg", 760.0, 101325.0),
        ("10m_u_component_of_wind", "mph", 1.0, 0.44704),
        ("total_precipitation", "inches", 1.0, 0.0254),
        ("geopotential", "ft", 1.0, 0.3048 * 9.80665),
    ],
)
def test_units_convert(name, units, value, expected):
    found = convert(xr.DataArray([value], attrs={"units": units}), name, "x.nc")
    assert found.dtype == np.float32
    assert float(found[0]) == pytest.approx(expected, rel=1e-6)


def test_units_of_another_quantity_are_refused():
    with pytest.raises(
        UserError, match=r"mean_sea_level_pressure in x\.nc has units 'K'.*'Pa'; .*known here: Pa, inHg"
    ):
        convert(xr.DataArray([1.0], attrs={"units": "K"}), "mean_sea_level_pressure", "x.nc")
