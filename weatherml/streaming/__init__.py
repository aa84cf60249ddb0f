"""Statistics in one pass over what does not fit in memory: moments and quantiles."""
