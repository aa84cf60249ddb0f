"""A case as a file has it."""

import numpy as np
import pytest
from made_cases import NAME, make_case

from weatherml.errors import UserError
from weatherml.extremes.cases.config import Analyses, Baseline, InitTimes, LeadTimes, Stored, read_case
from weatherml.extremes.cases.region import Bounds, Circle, require_cells
from weatherml.grid import LatLonGrid

GRID = LatLonGrid.regular(7, 12)


@pytest.fixture
def path(tmp_path):
    (tmp_path / "events.yaml").write_text(
        f"""
- {{case_id_number: 3, title: Listed, start_date: 2001-01-02 00:00:00, end_date: 2001-01-03 18:00:00,
   location: {{type: centered_region, parameters: {{latitude: 0, longitude: 0, bounding_box_degrees: 60}}}},
   event_type: {NAME}}}
"""
    )
    (tmp_path / "case.yaml").write_text(
        f"""
listed: 3
list: {tmp_path / "events.yaml"}
truth: truth.zarr
systems: {{ours: ours.zarr, stays: persistence, noise: {{baseline: persistence_ensemble, members: 5}}}}
"""
    )
    return tmp_path / "case.yaml"


def test_a_case_of_a_list_takes_from_it_what_its_file_does_not_say(path):
    case = read_case(path, ["name=Mine", "definition.threshold=1"])
    assert (case.name, case.hazard, case.truth) == ("Mine", NAME, Analyses(path="truth.zarr"))
    assert case.region == Bounds(south=-30.0, north=30.0, west=-30.0, east=30.0)
    assert case.systems == {
        "ours": Stored(path="ours.zarr"),
        "stays": Baseline(baseline="persistence"),
        "noise": Baseline(baseline="persistence_ensemble", members=5),
    }
    with pytest.raises(UserError, match="no such case"):
        read_case(path, ["listed=4"])


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"hazard": "heatwave"}, "unknown hazard 'heatwave'"),
        ({"definition": {"treshold": 1}}, "has no 'treshold'; did you mean 'threshold'"),
        ({"region": {"south": 40, "north": 20, "west": 0, "east": 1}}, "from 40 to 20 degrees north holds nothing"),
        ({"region": {"latitude": 40, "longitude": 20, "radius": -1}}, "no circle of -1 km"),
        ({"region": "atlantis"}, "unknown region 'atlantis'"),
        ({"systems": {}}, "systems is empty"),
        ({"systems": {"a": {"baseline": "persistance"}}}, "unknown baseline 'persistance'; did you mean"),
        ({"against": "theirs"}, "against names 'theirs', which is none of the systems ours"),
        ({"climatology": {"period": ("2001-01-03", "2002")}}, "knows the event of 2001-01-02 .. 2001-01-03"),
        ({"period": ("2001-01-03", "2001-01-02")}, "must run forward"),
        ({"period": None}, "^period is empty; give"),
        ({"region": 7}, "^region: a region is a name such as europe, or keys.* got 7"),
        ({"systems": {"a": ["x", None]}}, r"^systems.a: a system is a path, .* got \[x, nothing\]"),
        ({"systems": {"": "a.zarr"}}, "systems has one without a name"),
        ({"hazard": "heat_wave", "definition": {"percentile": 0.9}}, "got 0.9; write 90"),
        ({"hazard": "heat_wave", "definition": {"margin": -100}}, "^definition: margin=-100 is no number"),
        ({"hazard": "heat_wave", "definition": {"window_days": 30}}, "window_days=30 is no odd number"),
        ({"hazard": "heat_wave", "definition": {"minimum_days": -3}}, "^definition: minimum_days=-3 and"),
        ({"hazard": "atmospheric_river", "definition": {"x": 1}}, "of an atmospheric river has no 'x'"),
    ],
)
def test_a_bad_case_is_one_line(changes, told):
    with pytest.raises(UserError, match=told) as raised:
        make_case(**changes)
    assert "\n" not in str(raised.value)


def test_regions_lie_across_the_date_line_and_around_places():
    across = require_cells(Bounds(south=-10.0, north=10.0, west=150.0, east=-150.0), GRID)
    assert (np.argwhere(across) == [[3, 5], [3, 6], [3, 7]]).all()
    around = require_cells(Circle(latitude=80.0, longitude=0.0, radius=2600.0), GRID)
    assert around[0].all()
    assert np.flatnonzero(around[1]).tolist() == [0, 1, 11]  # the rest of the row lies beyond the pole
    with pytest.raises(UserError, match=r"the region is empty: no cell of the grid 7 x 12 .* 100 km around 45°N, 15°W"):
        require_cells(Circle(latitude=45.0, longitude=-15.0, radius=100.0), GRID)


def test_initial_and_lead_times_of_baselines_are_spaced_as_asked():
    init = InitTimes(first="2001-01-01", last="2001-01-03", every="1d").values
    assert init.astype("datetime64[D]").tolist() == np.arange("2001-01-01", "2001-01-04", dtype="M8[D]").tolist()
    leads = LeadTimes(last="24h", every="6h").values
    assert (leads / np.timedelta64(1, "h")).tolist() == [6, 12, 18, 24]
