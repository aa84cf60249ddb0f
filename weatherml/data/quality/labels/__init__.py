"""What labels, attributes and the list of stored chunks tell of data, before any value is read."""

from weatherml.data.quality.labels import layout, times

__all__ = ["layout", "times"]
