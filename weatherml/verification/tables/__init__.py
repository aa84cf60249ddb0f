"""Scores as tables: those that are written for others, and those that others have published."""
