"""Pictures of extreme events."""
