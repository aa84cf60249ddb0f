"""Forecasts beside their truth."""
