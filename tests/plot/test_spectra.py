"""The picture of how much waves of each length vary."""

import numpy as np
import pytest
import xarray as xr

from weatherml import plot
from weatherml.errors import UserError

NAMES = ["geopotential_500", "temperature_850", "10m_u_component_of_wind", "mean_sea_level_pressure"]


def power(names=NAMES):
    waves = np.arange(17)
    truth = np.outer(10.0 ** np.arange(len(names)), 1.0 / (1 + waves) ** 3)
    dims = ("channel", "wavenumber")
    fields = {"truth": (dims, truth), "forecast": (dims, truth * np.exp(-waves / 8))}
    return xr.Dataset(fields, {"channel": names, "wavenumber": waves})


def test_forecast_and_truth_are_drawn_for_each_channel_in_shown_units(paint):
    figure = plot.spectra(power())
    paint(figure)
    assert [ax.get_title(loc="left") for ax in figure.axes] == [
        "500 hPa geopotential", "850 hPa temperature", "10 m eastward wind", "Mean sea level pressure",
    ]  # fmt: skip
    truth, forecast = figure.axes[3].lines
    np.testing.assert_allclose(truth.get_ydata(), power()["truth"][3, 1:] * 1e-4)  # hPa
    assert (np.diff(np.log(forecast.get_ydata() / truth.get_ydata())) < 0).all()
    assert figure.axes[3].get_ylabel() == "hPa²"


def test_channels_are_chosen_by_name_and_what_is_not_there_is_refused():
    assert len(plot.spectra(power(), NAMES[1:2]).axes) == 1
    with pytest.raises(UserError, match="no spectrum of 'z500'; known: geopotential_500"):
        plot.spectra(power(), ["z500"])
