"""How a training survives what ends it."""
