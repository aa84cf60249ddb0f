"""One optimiser step: how weights change, and when."""
