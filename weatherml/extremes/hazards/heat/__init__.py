"""Heat waves and cold spells: days in a row beyond a percentile of the date, as objects in space and time."""

from weatherml.extremes.hazards.heat import entries as entries
from weatherml.extremes.hazards.heat.definition import ColdSpell, HeatWave, threshold
from weatherml.extremes.hazards.heat.judging import compare
from weatherml.extremes.hazards.heat.probabilities import early_signal, members_in_spell, truth_in_spell
from weatherml.extremes.hazards.heat.summary import summarize
from weatherml.extremes.hazards.heat.waves import event, exceedance, heat_waves

__all__ = [
    "ColdSpell",
    "HeatWave",
    "compare",
    "early_signal",
    "event",
    "exceedance",
    "heat_waves",
    "members_in_spell",
    "summarize",
    "threshold",
    "truth_in_spell",
]
