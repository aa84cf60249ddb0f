"""Verdicts on forecast tracks: errors against best tracks, landfall, genesis, intensification, ensembles, strikes."""

from weatherml.extremes.tracks.judging.by_lead import by_lead, differences, homogeneous
from weatherml.extremes.tracks.judging.ensembles import mean_tracks, spread_and_error
from weatherml.extremes.tracks.judging.errors import errors
from weatherml.extremes.tracks.judging.genesis import Genesis, genesis, genesis_scores
from weatherml.extremes.tracks.judging.intensification import (
    RapidIntensification,
    intensification,
    intensification_scores,
)
from weatherml.extremes.tracks.judging.landfall import landfall_errors, landfalls
from weatherml.extremes.tracks.judging.pairing import Proximity, pair
from weatherml.extremes.tracks.judging.strikes import strike_probability, strike_scores, strikes

__all__ = [
    "Genesis",
    "Proximity",
    "RapidIntensification",
    "by_lead",
    "differences",
    "errors",
    "genesis",
    "genesis_scores",
    "homogeneous",
    "intensification",
    "intensification_scores",
    "landfall_errors",
    "landfalls",
    "mean_tracks",
    "pair",
    "spread_and_error",
    "strike_probability",
    "strike_scores",
    "strikes",
]
