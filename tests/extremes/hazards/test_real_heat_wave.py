"""The heat wave of July 2015 in Europe, in real daily maxima."""

import numpy as np
import pytest

import weatherml
from weatherml.extremes.hazards import heat
from weatherml.verification.aggregation.regions import Region

EUROPE = Region(35, 72.5, -12.5, 42.5)


@pytest.fixture
def summers(shared):
    def of(year):
        own = weatherml.open_files(shared(f"reanalysis/erainterim_t2m_dailymax_2p5deg_{year}.nc"))
        held = EUROPE.holds(weatherml.LatLonGrid.from_dataset(own))
        return own.isel(latitude=np.flatnonzero(held.any(axis=1)), longitude=np.flatnonzero(held.any(axis=0))).load()

    return of


def test_the_heat_wave_of_july_2015_is_found_over_germany_and_its_neighbours(summers):
    """It lasted from the end of June to the first week of July, from the Iberian peninsula to Poland."""
    definition = heat.HeatWave(margin=2.0, neighbours=4)
    threshold = heat.threshold(summers(2012), definition, ("2012", "2012"))
    found = heat.heat_waves(summers(2015).sel(time=slice("2015-06-01", "2015-07-31")), definition, threshold)
    worst = found.isel(object=int(found["severity"].values.argmax()))
    assert np.datetime64("2015-06-26") <= worst["onset"].values <= np.datetime64("2015-07-01")
    assert np.datetime64("2015-07-05") <= worst["end"].values <= np.datetime64("2015-07-11")
    assert 47 < worst["latitude"] < 55 and 0 < worst["longitude"] < 15
    assert 1e6 < worst["largest_area"] < 4e6 and 5 < worst["maximum_exceedance"] < 15
