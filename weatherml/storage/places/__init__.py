"""Where the files of one whole lie, by name: whoever makes it does so alike, wherever that is."""

from weatherml.storage.places.place import Lock, PathOf, Place
from weatherml.storage.places.places import Root, is_bucket, place_at

__all__ = ["Lock", "PathOf", "Place", "Root", "is_bucket", "place_at"]
