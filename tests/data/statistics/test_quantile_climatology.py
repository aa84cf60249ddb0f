"""Quantiles of a season, within the error that the file states."""

import numpy as np
import pytest
from fake_data import analyses

from weatherml.data.statistics.accumulators.harmonics import Harmonics
from weatherml.data.statistics.fitting import Fit, fit
from weatherml.data.statistics.quantile_climatology import QuantileClimatology
from weatherml.errors import UserError
from weatherml.grid import LatLonGrid
from weatherml.state import spec_of

GRID = LatLonGrid.regular(2, 3, poles=False)
PERIOD = ("1999", "2000")
QUANTILES = (0.1, 0.5, 0.95)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    dataset = analyses({"geopotential": (500, 850), "2m_temperature": ()}, 4 * 731, start="1999", grid=GRID)
    season = 10 * np.cos(2 * np.pi * dataset["time"].dt.dayofyear / 366)
    dataset["2m_temperature"] = (dataset["2m_temperature"] + season).transpose("time", ...).astype(np.float32)
    folder = tmp_path_factory.mktemp("quantiles")
    fit(dataset, Fit(spec_of(dataset), PERIOD, Harmonics(1, 0), quantiles=QUANTILES), folder)
    return dataset, QuantileClimatology.load(folder / "quantile_climatology.nc")


@pytest.mark.parametrize("season", [0, 7, 29])
def test_quantiles_are_those_of_the_window_within_the_stated_error(fitted, season):
    dataset, climatology = fitted
    assert 0 < climatology.rank_error < 0.03
    bins = (dataset["time"].dt.dayofyear.values - 1) * 30 // 366
    inside = np.isin(bins, [(season + shift) % 30 for shift in range(-2, 3)])
    values = np.sort(dataset["2m_temperature"].values[inside], axis=0)
    slack = climatology.rank_error + 2 / len(values)
    for probability in QUANTILES:
        found = climatology.dataset["2m_temperature"].sel(quantile=probability, season=season).values
        share = (values <= found).mean(axis=0)
        assert np.abs(share - probability).max() < slack


def test_between_the_middles_of_seasons_a_straight_line_is_drawn(fitted):
    _, climatology = fitted
    median = climatology.of(0.5)
    first, second = (climatology.dataset["geopotential"].sel(quantile=0.5, season=s).values for s in (2, 3))
    # days are counted at their middle: 2.5 bins of 12.2 days are 30.5, and 6.1 days later half-way to the next
    at = median.at(["2003-01-31", "2003-02-06"])
    assert at["geopotential"].dims == ("time", "level", "latitude", "longitude")
    np.testing.assert_allclose(at["geopotential"][0], first, atol=1e-5)
    np.testing.assert_allclose(at["geopotential"][1], first + 6 / 12.2 * (second - first), atol=1e-5)
    assert climatology.at(["2003-01-31"])["2m_temperature"].dims == ("time", "quantile", "latitude", "longitude")


def test_the_year_is_a_circle(fitted):
    _, climatology = fitted
    last, first = (climatology.of(0.95).at([day])["2m_temperature"].values for day in ("2003-12-31", "2004-01-01"))
    np.testing.assert_allclose(last, first, atol=0.3)


def test_it_is_asked_for_channels(fitted):
    _, climatology = fitted
    times = np.array(["2003-01-31", "2003-07-01"], "datetime64[ns]")
    only = climatology.of(0.1).only({"geopotential": (850,)})
    np.testing.assert_array_equal(
        only.array_at(times)[:, 0], climatology.of(0.1).at(times)["geopotential"].sel(level=850)
    )


def test_a_quantile_that_is_not_there_is_refused(fitted):
    with pytest.raises(UserError, match=r"there is no quantile 0\.9, only 0\.1, 0\.5, 0\.95; choose one of them"):
        fitted[1].of(0.9)


def test_another_file_is_refused(tmp_path):
    analyses(times=2).to_netcdf(tmp_path / "analyses.nc")
    with pytest.raises(UserError, match=r"analyses\.nc is no climatology of quantiles"):
        QuantileClimatology.load(tmp_path / "analyses.nc")


def test_sketches_that_do_not_fit_in_memory_are_refused(tmp_path):
    dataset = analyses({"geopotential": (500,)}, 4 * 731, start="1999", grid=GRID)
    wanted = Fit(spec_of(dataset), PERIOD, Harmonics(1, 0), quantiles=QUANTILES)
    message = "less than the 1 MiB that one channel needs; allow more, choose a coarser grid .* leave climatology.quant"
    with pytest.raises(UserError, match=message):
        fit(dataset, wanted, tmp_path, memory=2**17)
    fit(dataset, wanted, tmp_path, memory=2**20)
