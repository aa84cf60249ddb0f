"""Damping in one pass is the regression over all pairs of times, whatever is held at once."""

import numpy as np
import pytest
import xarray as xr
from fake_data import analyses

from weatherml.data.statistics.climatology import Climatology
from weatherml.errors import UserError
from weatherml.grid import LatLonGrid
from weatherml.references import as_reference
from weatherml.state import spec_of
from weatherml.verification.baselines import fit_damping

LEADS = np.array([6, 18, 48], "timedelta64[h]").astype("timedelta64[ns]")
MEMORY = {"all at once": 2**30, "a few times": 7 * 12 * 4 * 30, "as little as can be": 1}


@pytest.fixture(scope="module")
def truth():
    """Return analyses with gaps, a coast, and a level that one variable does not have."""
    dense = analyses({"geopotential": (300, 500, 850), "temperature": (300, 500, 850), "2m_temperature": ()}, times=50)
    ragged = dense.assign(temperature=dense["temperature"].where(dense["level"] != 500))
    ragged["2m_temperature"][:, 2:4, 5:] = np.nan
    return ragged.isel(time=np.flatnonzero(np.arange(50) % 11))


@pytest.fixture(scope="module")
def climatology():
    return analyses({"geopotential": (300, 500, 850), "temperature": (300, 500, 850), "2m_temperature": ()}, 50, seed=2)


def _by_definition(truth, climatology, lead):
    """Return one slope for each channel from every pair of times, one after the other."""
    areas = xr.DataArray(LatLonGrid.from_dataset(truth).cell_areas(), dims="latitude")
    anomaly = (truth - climatology.sel(time=truth["time"])).astype(np.float64)
    products, squares = 0, 0
    for time in truth["time"].values:
        if time + lead in truth["time"].values:
            first, later = anomaly.sel(time=time, drop=True), anomaly.sel(time=time + lead, drop=True)
            products = products + (areas * first * later).sum(["latitude", "longitude"])
            squares = squares + (areas * first * first).sum(["latitude", "longitude"])
    return products / squares


@pytest.mark.parametrize("memory", MEMORY.values(), ids=MEMORY.keys())
def test_damping_is_the_regression_over_all_pairs(truth, climatology, memory):
    fitted = fit_damping(truth, climatology, LEADS, memory)
    for lead in LEADS:
        expected = _by_definition(truth, climatology, lead)
        xr.testing.assert_allclose(fitted.sel(lead_time=lead, drop=True), expected, rtol=1e-6)
    assert fitted["geopotential"].dims == ("lead_time", "level")
    assert fitted["2m_temperature"].dims == ("lead_time",)


def test_a_climatology_is_asked_for_as_much_as_is_read(truth):
    climatology = Climatology.fit(truth, spec_of(truth, ["z500", "z850"]), ("2001", "2001"), 0, 1)
    chosen = truth[["geopotential"]].sel(level=[500, 850])
    fields = climatology.at(truth["time"].values)
    xr.testing.assert_allclose(fit_damping(chosen, climatology, LEADS), fit_damping(chosen, fields, LEADS), rtol=1e-5)


@pytest.mark.parametrize("memory", [2**30, 1])
def test_every_time_of_a_field_is_read_once(truth, climatology, memory):
    asked = []

    class Recorded:
        def at(self, times):
            asked.extend(times)
            return as_reference(climatology).at(times)

    fit_damping(truth[["2m_temperature"]], Recorded(), LEADS, memory)
    np.testing.assert_array_equal(asked, truth["time"])


@pytest.mark.parametrize("memory", MEMORY.values(), ids=MEMORY.keys())
@pytest.mark.parametrize("place", [0, 4, -1])
def test_a_time_that_is_missing_makes_no_pair(truth, climatology, memory, place):
    """And so takes nothing from the others."""
    gone = truth["time"].values[place]
    fitted = fit_damping(truth.where(truth["time"] != gone), climatology, LEADS, memory)
    expected = fit_damping(truth.drop_sel(time=gone), climatology, LEADS)
    xr.testing.assert_allclose(fitted, expected, rtol=1e-6)
    assert np.isfinite(fitted["geopotential"]).all()


def test_too_short_a_time_to_fit_on_is_said_with_what_to_do(truth, climatology):
    with pytest.raises(UserError, match="of 1 time that damping is fitted on no two lie 6h apart; give a longer truth"):
        fit_damping(truth.isel(time=[0]), climatology, LEADS)
