"""The vapour that wind carries above the ground, against an integral in fine steps."""

import numpy as np
import pytest
import xarray as xr

from weatherml.column import vapour_flux
from weatherml.errors import UserError

LEVELS = [250, 400, 500, 700, 850, 1000]


@pytest.fixture(scope="module")
def profile():
    rng = np.random.default_rng(0)
    return xr.DataArray(rng.random((6, 2, 3)), {"level": LEVELS}, ("level", "latitude", "longitude"))


@pytest.mark.parametrize("ground", [1030, 1000, 930, 850, 610, 420, 310])
def test_vapour_below_the_ground_is_not_counted(profile, ground):
    pressure = xr.full_like(profile[0], 100.0 * ground, np.float64)
    found = vapour_flux(profile, xr.ones_like(profile), pressure)
    fine = np.linspace(300, min(ground, 1000), 200_001)
    carried = np.interp(fine, LEVELS, profile[:, 1, 2])
    assert found[1, 2].item() == pytest.approx(np.trapezoid(carried, 100 * fine) / 9.80665, rel=1e-8)


def test_where_the_ground_is_below_all_levels_it_changes_nothing(profile):
    wind = xr.full_like(profile, 7.0)
    low = xr.full_like(profile[0], 1.05e5, np.float64)
    np.testing.assert_allclose(vapour_flux(profile, wind, low), vapour_flux(profile, wind), rtol=1e-6)


def test_levels_in_any_order_and_missing_values_below_the_ground_change_nothing():
    levels = [300, 500, 850, 925, 1000]
    humidity = xr.DataArray([0.001, 0.002, 0.008, 0.01, 0.012], {"level": levels}, "level")
    wind, ground = 10 * xr.ones_like(humidity), xr.DataArray(90_000.0)
    assert vapour_flux(humidity[::-1], wind[::-1]).item() == pytest.approx(vapour_flux(humidity, wind).item())
    above = 350 * 0.005 + 200 * 0.0015 + 50 * 0.008  # what lies below 850 hPa is as there
    found = vapour_flux(humidity.where(humidity["level"] < 900), wind, ground)
    assert found.item() == pytest.approx(above * 10 * 100 / 9.80665)
    assert np.isnan(vapour_flux(humidity.where(humidity["level"] != 850), wind, ground))
    with pytest.raises(
        UserError, match=r"surface_pressure is in Pa, and the fields have 900 .. 900; it looks like hPa"
    ):
        vapour_flux(humidity, wind, ground / 100)
