"""The one pass over a dataset, from its values to evidence."""

from weatherml.data.quality.gathering.one_pass import gather

__all__ = ["gather"]
