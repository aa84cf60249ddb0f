"""Objects: connected regions of fields where an event is, through space and time, and what they are like."""

from weatherml.extremes.objects.labels import Labeller, label
from weatherml.extremes.objects.properties import Gathering, evolution, properties

__all__ = ["Gathering", "Labeller", "evolution", "label", "properties"]
