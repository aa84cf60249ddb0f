"""Rules of place: whether rows, columns, levels and directions are those of the labels."""
