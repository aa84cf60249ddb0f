"""How sure a score, or a difference of two, is."""
