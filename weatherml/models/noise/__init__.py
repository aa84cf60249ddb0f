"""Random fields: maps on the sphere or the grid, by which members of an ensemble differ."""
