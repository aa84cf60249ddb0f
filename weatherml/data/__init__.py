"""Analyses: sources, ingestion, the store and its checks, statistics, climatology, forcings, and training samples."""
