"""Tracks of storms: found in fields, read from best tracks, matched and judged."""

from weatherml.extremes.tracks.detection import ClosedContour, Detection, Nearby
from weatherml.extremes.tracks.forecasts import select, tell
from weatherml.extremes.tracks.linking import Condition, Linking
from weatherml.extremes.tracks.members import Member, each_member, map_members
from weatherml.extremes.tracks.presets import (
    EXTRATROPICAL,
    FILTERED_LOWS,
    FILTERED_VORTICES,
    KINDS,
    TROPICAL_CYCLONE,
    Kind,
    tropical_cyclone,
)
from weatherml.extremes.tracks.table import check, each, join, make, to_frame
from weatherml.extremes.tracks.tracking import track

__all__ = [
    "EXTRATROPICAL",
    "FILTERED_LOWS",
    "FILTERED_VORTICES",
    "KINDS",
    "TROPICAL_CYCLONE",
    "ClosedContour",
    "Condition",
    "Detection",
    "Kind",
    "Linking",
    "Member",
    "Nearby",
    "check",
    "each",
    "each_member",
    "join",
    "make",
    "map_members",
    "select",
    "tell",
    "to_frame",
    "track",
    "tropical_cyclone",
]
