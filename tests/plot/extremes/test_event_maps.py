"""Maps of an event: what happened stands once, and is the largest; a row a system."""

import numpy as np
import pytest
import xarray as xr

from weatherml.errors import UserError
from weatherml.plot.extremes.event_maps import event_maps

HORIZONTAL = {"latitude": [55.0, 50.0, 45.0], "longitude": [0.0, 5.0, 10.0, 15.0]}
INITS = np.array(["2015-06-20", "2015-06-25"], "datetime64[ns]")
TRUTH = xr.DataArray(np.eye(3, 4), HORIZONTAL)
SHARES = xr.DataArray(np.full((2, 3, 4), 0.25), {"init_time": INITS, **HORIZONTAL})


@pytest.mark.parametrize("narrow", [False, True])
def test_what_happened_stands_once_and_is_the_largest(narrow):
    figure = event_maps({"ours": SHARES, "theirs": SHARES}, TRUTH, narrow=narrow, onset=np.datetime64("2015-06-30"))
    maps = [ax for ax in figure.axes if ax.get_title(loc="left") or ax.get_title()]
    titles = [ax.get_title(loc="left") or ax.get_title() for ax in maps]
    assert titles == ["What happened", "10 d ahead", "5 d ahead", "10 d ahead", "5 d ahead"]
    areas = [ax.get_position().width * ax.get_position().height for ax in maps]
    assert areas[0] > 2 * max(areas[1:])
    width = figure.get_size_inches()[0]
    assert width < 4.9 if narrow else 7 < width < 9.9
    boxes = [ax.get_position() for ax in figure.axes]
    assert all(box.x0 >= 0 and box.x1 <= 1 and box.y0 >= 0 and box.y1 <= 1 for box in boxes)
    assert {"ours", "theirs"} <= {text.get_text() for text in figure.texts}


def test_nothing_to_draw_is_one_line():
    with pytest.raises(UserError, match="no probabilities to draw"):
        event_maps({"ours": SHARES.isel(init_time=slice(0))}, TRUTH)
