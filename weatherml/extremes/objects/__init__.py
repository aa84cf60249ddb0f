"""Objects: connected regions of fields where an event is, through space and time, and what they are like."""

from weatherml.extremes.objects.following import Following
from weatherml.extremes.objects.labels import Labeller, label
from weatherml.extremes.objects.matching import Interest, Weights, match, overlaps, separations
from weatherml.extremes.objects.properties import Gathering, evolution, properties
from weatherml.extremes.objects.sal import Sal, Threshold, ensemble_sal, sal

__all__ = [
    "Following",
    "Gathering",
    "Interest",
    "Labeller",
    "Sal",
    "Threshold",
    "Weights",
    "ensemble_sal",
    "evolution",
    "label",
    "match",
    "overlaps",
    "properties",
    "sal",
    "separations",
]
