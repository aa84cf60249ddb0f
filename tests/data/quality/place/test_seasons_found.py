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
