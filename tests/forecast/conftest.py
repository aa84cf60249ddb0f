"""The tiny forecaster and its analyses."""

import pytest
import tiny_forecast


@pytest.fixture(scope="session")
def analysis():
    return tiny_forecast.make_analysis()


@pytest.fixture(scope="session")
def forecaster():
    return tiny_forecast.make_forecaster()


@pytest.fixture(scope="session")
def network_forecaster():
    return tiny_forecast.make_forecaster(tiny_forecast.make_network_step())
