"""Forecasts of other systems: what their files call axes and fields, and what they do not say."""
