"""Where the storms of one time are: extrema of a field that fulfil criteria."""

from weatherml.extremes.tracks.detection.criteria import ClosedContour, Detection, Nearby
from weatherml.extremes.tracks.detection.detect import detect

__all__ = ["ClosedContour", "Detection", "Nearby", "detect"]
