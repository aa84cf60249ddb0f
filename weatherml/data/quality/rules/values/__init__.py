"""Rules of values: whether fields hold what their names say, and are there at all."""
