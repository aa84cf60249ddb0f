"""Laws of the vocabulary."""

import pytest

from weatherml.errors import UserError
from weatherml.variables import PRESETS, VARIABLES, find


@pytest.mark.parametrize("variable", VARIABLES.values(), ids=lambda v: v.name)
def test_every_spelling_finds_its_variable(variable):
    for alias in (variable.name, variable.short_name, variable.ecmwf_name, variable.earth2_name):
        assert find(alias) is variable


def test_a_near_name_is_suggested():
    with pytest.raises(UserError, match="did you mean '2m_temperature'"):
        find("2m_temprature")


def test_ranges_are_ordered():
    assert all(v.minimum < v.maximum for v in VARIABLES.values())


def test_published_channel_sets_have_their_published_sizes():
    assert {name: len(PRESETS[name]) for name in ("fourcastnet", "fourcastnet_0.1", "pangu")} == {
        "fourcastnet": 20,
        "fourcastnet_0.1": 26,
        "pangu": 69,
    }


def test_global_means_of_era5_are_plausible(shared):
    rows = [line.split(",") for line in shared("reference/statistics/era5_75ch.csv").read_text().split()[1:]]
    for name, mean, std in rows:
        if name == "sst":  # published with zeros over land
            continue
        variable = find(name if not name[1:].isdigit() else name[0])
        assert variable.minimum < float(mean) < variable.maximum, name
        assert variable.maximum > float(mean) + float(std), name
