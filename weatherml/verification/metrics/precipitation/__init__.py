"""Precipitation, which often is none."""
