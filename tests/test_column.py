"""The vapour that wind carries above the ground, against an integral in fine steps."""

import numpy as np
import pytest
import xarray as xr

from weatherml.column import vapour_flux

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
