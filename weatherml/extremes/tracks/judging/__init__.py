"""Verdicts on forecast tracks: errors against best tracks, landfall, genesis, intensification, ensembles."""

from weatherml.extremes.tracks.judging.by_lead import by_lead, differences, homogeneous
from weatherml.extremes.tracks.judging.errors import errors
from weatherml.extremes.tracks.judging.pairing import Proximity, pair

__all__ = ["Proximity", "by_lead", "differences", "errors", "homogeneous", "pair"]
