"""Whatever a file calls and orders things: to the one canonical layout."""
