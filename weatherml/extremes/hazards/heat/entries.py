"""What cases, the verb and the page know of heat waves and cold spells."""

from typing import Any

import numpy as np
import xarray as xr

from weatherml.extremes.hazards.heat.definition import ColdSpell, HeatWave, Spell, threshold
from weatherml.extremes.hazards.heat.waves import event
from weatherml.extremes.hazards.registry import Hazard, registry
from weatherml.references import Reference


def _event(fields: xr.Dataset, definition: Spell, given: Reference | None) -> xr.DataArray:
    assert given is not None  # both have thresholds of each date
    return event(fields, definition, given)


def _index(fields: xr.Dataset, definition: Spell, _: Any) -> xr.DataArray:
    return definition.days(fields).lazily().assign_attrs(units="K")


def _threshold(analyses: xr.Dataset, definition: Spell, times: np.ndarray) -> Reference:
    known = analyses["time"].values
    return threshold(analyses, definition, (known.min(), known.max()), times)


registry.register("heat_wave")(
    Hazard("heat wave", ("2m_temperature",), HeatWave, _event, _index, "mean", threshold=_threshold)
)
registry.register("cold_spell")(
    Hazard("cold spell", ("2m_temperature",), ColdSpell, _event, _index, "minimum", threshold=_threshold)
)
