"""Winter on the wrong hemisphere."""

import numpy as np
import pytest
from test_wind_found import upside_down

from weatherml.data.quality.gathering import gather
from weatherml.data.quality.rules.place.seasons import winter_elsewhere
from weatherml.data.reading.opening import open_files

JANUARY = {
    "era5_eda_zt_850_500_3deg_20170101.grib": {"temperature", "geopotential"},
    "era_tz_850_500_1deg_20070101.nc": {"temperature", "geopotential"},
    "erainterim_u_37levels_1p5deg_20050123_old_cds_layout.nc": {"u_component_of_wind"},
}


def subjects(dataset):
    return {finding.subject for finding in winter_elsewhere(gather(dataset))}


@pytest.fixture(scope="module", params=JANUARY)
def january(request, shared):
    dataset = open_files(shared(f"reanalysis/{request.param}")).load()
    return dataset, JANUARY[request.param]


def test_january_is_winter_in_the_north(january):
    dataset, variables = january
    assert subjects(dataset) == set()
    assert subjects(upside_down()(dataset)) == variables


def test_half_a_year_off_is_found_where_july_is_known(january):
    dataset, variables = january
    later = dataset.assign_coords(time=dataset["time"] + np.timedelta64(181, "D"))
    assert subjects(later) == variables - {"u_component_of_wind"}
    assert subjects(upside_down()(later)) == set()


def test_between_the_seasons_nothing_is_told(january):
    dataset, _ = january
    spring = dataset.assign_coords(time=dataset["time"] + np.timedelta64(100, "D"))
    assert subjects(spring) == subjects(upside_down()(spring)) == set()


def test_a_climate_without_seasons_is_no_mistake(january):
    dataset, _ = january
    even = (dataset + upside_down()(dataset)) / 2
    assert subjects(even) == subjects(upside_down()(even)) == set()


def test_land_warmer_than_the_sea_is_no_winter_of_the_north(shared):
    file = shared("reanalysis/erainterim_t2m_dailymax_2p5deg_2015.nc")
    summer = open_files(file).sel(time=slice("2015-06-01", "2015-08-31")).isel(time=slice(None, None, 3)).load()
    later = summer.assign_coords(time=summer["time"] + np.timedelta64(183, "D"))
    assert subjects(summer) == set()
    (finding,) = winter_elsewhere(gather(later))
    assert finding.severity == "error" and "warmer than the sea" in finding.message


def test_what_shows_no_winter_is_said(shared):
    weeks = open_files(shared("reanalysis/era5_msl_2025-2026_djf_2.5x2.5.zarr")).isel(time=slice(0, 8)).load()
    assert subjects(weeks) == {"times off by half a year"}
