"""Cases of rivers, convection and freezes run like those of any hazard: by their names, member by member."""

import sys
from pathlib import Path

import numpy as np
import pytest
from fake_data import analyses, as_forecast, forecasts
from made_cases import make_case

sys.path.append(str(Path(__file__).parents[1] / "hazards" / "rivers"))
from planted_rivers import band

from weatherml.extremes.cases.running import run
from weatherml.grid import LatLonGrid

GRID = LatLonGrid.regular(25, 48)
PERIOD = ("2001-01-02", "2001-01-03")
LEVELS = (200, 300, 500, 850, 1000)
NAMES = ("temperature", "specific_humidity", "geopotential", "u_component_of_wind", "v_component_of_wind")


def rivers():
    """Air of the same humidity on all levels that carries 600 kg m-1 s-1 along a band."""
    made = analyses(dict.fromkeys(NAMES, LEVELS), times=20, grid=GRID)
    made["specific_humidity"][:] = 0.01
    for name, own in zip(NAMES[3:], band(GRID, (40, 190), 45, 5000, 1500), strict=True):
        made[name][:] = (own / (0.01 * 70000 / 9.80665)).astype(np.float32)
    return made


def storms():
    """Warm air, moist below, in a wind that rises with height."""
    made = analyses(dict.fromkeys(NAMES, LEVELS), times=20, grid=GRID)
    height = 8000 * np.log(1000 / np.array(LEVELS))
    profiles = (
        np.maximum(302 - 0.0075 * height, 205),
        0.017 * np.exp(-height / 2200),
        9.80665 * height,
        height / 250,
        0 * height,
    )
    for name, own in zip(NAMES, profiles, strict=True):
        made[name][:] = own[:, None, None].astype(np.float32)
    return made


def outcome(hazard, truth, variables, **asked):
    like = forecasts(variables, n_init=2, n_lead=8, n_members=2, grid=LatLonGrid.from_dataset(truth))
    perfect = as_forecast(truth, like).expand_dims(number=2).assign_coords(number=[0, 1])
    case = make_case(hazard=hazard, period=PERIOD, **asked)
    return run(case, {"ours": perfect}, truth)


PACIFIC = {"south": 30, "north": 50, "west": 170, "east": 210}
TROPICS = {"south": -20, "north": 20, "west": 0, "east": 40}


@pytest.mark.parametrize(
    ("hazard", "truth", "definition", "region"),
    [
        ("atmospheric_river", rivers, {"percentile": None, "transport": 250}, PACIFIC),
        ("severe_convection", storms, {"severe": 20000}, TROPICS),
    ],
)
def test_of_levels(hazard, truth, definition, region):
    variables = dict.fromkeys(NAMES, LEVELS)
    found = outcome(hazard, truth(), variables, definition=definition, region=region, least_share=0.1)
    series = found.systems["ours"].series
    assert float(series["share"].max()) > 0.1
    np.testing.assert_allclose(series["share"].isel(number=0), series["share"].isel(number=1))
    assert float(series["index"].max()) > definition.get("transport", 20000)


def test_of_freezes():
    truth = 2 * analyses({"2m_temperature": ()}, times=24, grid=LatLonGrid.regular(7, 12)) + np.float32(272)
    region = {"south": -40, "north": 40, "west": -60, "east": 60}
    found = outcome("freeze", truth, {"2m_temperature": ()}, definition={"minimum_days": 2}, region=region)
    assert 0.5 < float(found.systems["ours"].series["share"].max()) <= 1 + 1e-6
