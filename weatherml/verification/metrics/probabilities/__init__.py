"""The probability of an event."""
