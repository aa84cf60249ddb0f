"""Which storms of one time are which of the time before, and which chains of them are tracks."""

from weatherml.extremes.tracks.linking.linker import Linker
from weatherml.extremes.tracks.linking.rules import Condition, Linking

__all__ = ["Condition", "Linker", "Linking"]
