"""Whatever a file calls things, in one vocabulary, order and units."""

from weatherml.data.reading.canonical.notes import LAYOUT, PRELIMINARY, SOURCE_NAME, iso, join_notes, notes
from weatherml.data.reading.canonical.pipeline import canonicalise
from weatherml.data.reading.canonical.times import STATIC

__all__ = ["LAYOUT", "PRELIMINARY", "SOURCE_NAME", "STATIC", "canonicalise", "iso", "join_notes", "notes"]
