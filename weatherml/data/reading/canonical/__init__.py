"""Whatever a file calls things, in one vocabulary, order and units."""

from weatherml.data.reading.canonical.notes import (
    LAYOUT,
    PRELIMINARY,
    SOURCE_NAME,
    PassedOverError,
    iso,
    join_notes,
    noted,
    notes,
    preliminary,
)
from weatherml.data.reading.canonical.pipeline import canonicalise
from weatherml.data.reading.canonical.times import STATIC

__all__ = [
    "LAYOUT",
    "PRELIMINARY",
    "SOURCE_NAME",
    "STATIC",
    "PassedOverError",
    "canonicalise",
    "iso",
    "join_notes",
    "noted",
    "notes",
    "preliminary",
]
