"""Whatever a file calls things, in one vocabulary, order and units."""

from weatherml.data.reading.canonical.notes import SOURCE_NAME, PassedOverError
from weatherml.data.reading.canonical.pipeline import canonicalise
from weatherml.data.reading.canonical.times import STATIC

__all__ = ["SOURCE_NAME", "STATIC", "PassedOverError", "canonicalise"]
