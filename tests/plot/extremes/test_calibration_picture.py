"""The picture of a calibration holds what was learnt and what followed."""

import numpy as np
import pytest
import xarray as xr

from weatherml import plot
from weatherml.errors import UserError
from weatherml.extremes.calibration import Calibration, HeldOut

SHARES = np.linspace(0, 1, 5)


@pytest.fixture(scope="module")
def made():
    leads = np.arange(1, 8) * np.timedelta64(1, "D").astype("timedelta64[ns]")
    coords = {"channel": ["2m_temperature"], "lead_time": leads, "share": SHARES}
    curve = xr.DataArray(np.broadcast_to(0.1 + 0.5 * SHARES, (1, 7, 5)), coords)
    learnt = {"probability": curve, "lower": curve - 0.1, "upper": curve + 0.1, "venn_abers": curve}
    issued = xr.DataArray([0.2, 0.1], {"issued": ["raw", "isotonic"]}) + 0 * curve.isel(share=0, drop=True)
    verdict = xr.Dataset({"brier": issued, "observed": curve + 0.02, "share_of_cases": 0 * curve + 0.2})
    return Calibration(xr.Dataset(learnt), HeldOut(("2001", "2001"))), verdict


def test_line_and_dots_are_what_was_learnt_and_what_followed(made):
    figure = plot.calibration(*made)
    assert len(figure.axes) == 4
    first = figure.axes[0]
    learnt = next(line for line in first.lines if line.get_label() == "learnt")
    np.testing.assert_allclose(learnt.get_ydata(), 10 + 50 * SHARES)
    np.testing.assert_allclose(first.collections[-1].get_offsets()[:, 1], 12 + 50 * SHARES)
    assert figure.axes[-1].get_title(loc="left") == "7 d ahead"


def test_one_of_several_channels_must_be_named(made):
    learnt, verdict = made
    two = xr.concat([verdict, verdict.assign_coords(channel=["other"])], "channel")
    with pytest.raises(UserError, match="the verdict is of 2m_temperature, other; pass one of them"):
        plot.calibration(learnt, two)
