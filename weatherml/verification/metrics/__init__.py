"""Scores: functions of means of statistics, by name."""
