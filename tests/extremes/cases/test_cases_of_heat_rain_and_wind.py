"""Cases of heat, cold, rain and wind run like those of any hazard."""

import numpy as np
import pytest
from fake_data import analyses, as_forecast, forecasts
from made_cases import make_case

from weatherml.errors import UserError
from weatherml.extremes.cases.running import run
from weatherml.extremes.cases.stage import Stage

T2M = {"2m_temperature": ()}
RAIN = {"total_precipitation_6hr": ()}
WIND = {"10m_u_component_of_wind": (), "10m_v_component_of_wind": ()}
YEAR_BEFORE = {"period": ("1999-12-20", "2000-01-20")}


@pytest.mark.parametrize(
    ("hazard", "variables", "scale", "shift", "definition", "climatology"),
    [
        ("heat_wave", T2M, 2, 280, {"minimum_days": 2, "percentile": 30}, YEAR_BEFORE),
        ("cold_spell", T2M, 2, 280, {"minimum_days": 2, "percentile": 70}, YEAR_BEFORE),
        ("heavy_precipitation", RAIN, 0.004, 0, {"percentile": None, "hours": 12}, None),
        ("wind_storm", WIND, 8, 0, {"percentile": 60}, YEAR_BEFORE),
    ],
)
def test_a_perfect_forecast_has_the_event_that_came(hazard, variables, scale, shift, definition, climatology):
    truth, usual = (
        abs(analyses(variables, times=n_times, start=start)) * scale + np.float32(shift)
        for n_times, start in ((20, "2001-01-01"), (128, "1999-12-20"))
    )
    like = forecasts(variables, n_init=1, n_lead=11, n_members=2)
    perfect = as_forecast(truth, like).expand_dims(number=2).assign_coords(number=[0, 1])
    case = make_case(hazard=hazard, definition=definition, climatology=climatology)
    found = run(case, {"ours": perfect}, truth, usual).systems["ours"].series
    assert float(found["share"].max()) > 0.1
    np.testing.assert_allclose(found["share"].isel(number=0), found["share"].isel(number=1))


def test_cells_without_a_threshold_are_no_cells_without_the_event(caplog):
    """They are left out of the region; a region of such cells alone has no event of which anything can be said."""
    truth, usual = (analyses(WIND, times=n, start=start) * 8 for n, start in ((20, "2001-01-01"), (128, "1999-12-20")))
    case = make_case(hazard="wind_storm", definition={"percentile": 60}, climatology=YEAR_BEFORE)
    whole = Stage.of(case, truth, usual)
    row, column = np.argwhere(whole.held)[0]
    usual["10m_u_component_of_wind"][5, row, column] = np.nan
    stage = Stage.of(case, truth, usual)
    assert stage.inside.sum() == whole.inside.sum() - 1 and not stage.weights[0, 0]
    assert "the climatology misses values, so that there is no threshold at 1 of" in caplog.text
    with pytest.raises(UserError, match="misses values everywhere in the region, so that there is no threshold"):
        Stage.of(case, truth, usual.where(usual["time"] > usual["time"][0]))
