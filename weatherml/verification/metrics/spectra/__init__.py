"""Scales: how much of a field lies at each."""
