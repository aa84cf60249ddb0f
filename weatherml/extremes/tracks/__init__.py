"""Tracks of storms: found in fields, read from best tracks, matched and judged."""

from weatherml.extremes.tracks.members import Member, each_member, map_members
from weatherml.extremes.tracks.table import check, each, join, make, to_frame

__all__ = ["Member", "check", "each", "each_member", "join", "make", "map_members", "to_frame"]
