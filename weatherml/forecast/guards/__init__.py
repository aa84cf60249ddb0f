"""What keeps members physical: plausible bounds, conserved means, and the units in which both are judged."""

from weatherml.forecast.guards.step_modifiers import GuardsConfig

__all__ = ["GuardsConfig"]
