"""Scores: functions of means of statistics, by name; a folder a theme, which has its statistics, too."""
