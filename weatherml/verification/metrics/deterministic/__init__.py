"""One field: of the ensemble mean where there are members."""
