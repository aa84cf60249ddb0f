"""Ensembles: their distribution, their spread, and the patterns of their members."""
