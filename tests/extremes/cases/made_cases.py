"""A small case of a hazard as simple as can be: hot where it is above a number."""

from dataclasses import dataclass

from weatherml.extremes.cases.config import Case
from weatherml.extremes.hazards.registry import Hazard, registry


@dataclass(frozen=True)
class Warmth:
    """Of events above a threshold, K."""

    threshold: float = 0.5


def _above(fields, definition, _):
    return fields["2m_temperature"] > definition.threshold


def _temperature(fields, *_):
    return fields["2m_temperature"]


NAME = "hot_spell_of_tests"
if NAME not in registry:
    registry.register(NAME)(Hazard("hot spell", ("2m_temperature",), Warmth, _above, _temperature))


def make_case(**changes):
    """Return a case on the grid of `fake_data`: 30 degrees, four times a day from 2001-01-01 on."""
    asked = {
        "name": "Noise of January 2001",
        "hazard": NAME,
        "period": ("2001-01-02", "2001-01-03"),
        "region": {"south": -40, "north": 40, "west": -60, "east": 60},
        "systems": {"ours": "ours.zarr"},
        "truth": "truth.zarr",
        "least_share": 0.5,
    }
    return Case(**(asked | changes))
