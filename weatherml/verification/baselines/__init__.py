"""What a forecast must beat: persistence, climatology and ensembles of analyses, as forecasts like any other."""

from weatherml.verification.baselines.carrying import carried_ensemble
from weatherml.verification.baselines.damping import fit_damping
from weatherml.verification.baselines.drawn_forecasts import (
    climatological_ensemble,
    persistence_ensemble,
    sequence_ensemble,
)
from weatherml.verification.baselines.precipitation import seeps_climate, seeps_of_weatherbench
from weatherml.verification.baselines.reference_forecasts import climatology, damped_persistence, persistence

__all__ = [
    "carried_ensemble",
    "climatological_ensemble",
    "climatology",
    "damped_persistence",
    "fit_damping",
    "persistence",
    "persistence_ensemble",
    "seeps_climate",
    "seeps_of_weatherbench",
    "sequence_ensemble",
]
