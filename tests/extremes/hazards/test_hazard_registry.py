"""What kinds of events there are."""

from dataclasses import dataclass

import pytest

from weatherml.errors import UserError
from weatherml.extremes.hazards.registry import Hazard, find, known


@dataclass(frozen=True)
class Definition:
    """Of events above a threshold."""

    threshold: float = 300.0
    n_days: int = 3


def _above(fields, definition, _):
    return fields["2m_temperature"] > definition.threshold


HOT = Hazard("hot spell", ("2m_temperature",), Definition, _above, lambda fields, *_: fields["2m_temperature"])


def test_definition_takes_overrides_and_keeps_the_other_thresholds():
    assert HOT.define({"threshold": 305}) == Definition(305.0, 3)


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        ({"treshold": 305}, "has no 'treshold'; did you mean 'threshold'"),
        ({"n_days": "many"}, "n_days: .*got 'many'"),
    ],
)
def test_definition_refuses_what_it_has_not(overrides, told):
    with pytest.raises(UserError, match=told):
        HOT.define(overrides)


def test_every_known_hazard_is_found_with_defaults_for_all_thresholds():
    for name in known():
        hazard = find(name)
        assert hazard.define({}) == hazard.definition()


def test_unknown_hazard_is_one_line():
    with pytest.raises(UserError, match="unknown hazard 'sandstorm'"):
        find("sandstorm")
