"""Where fields lie on the globe, told from their values: patterns of the Earth, and flow that must be in balance."""
