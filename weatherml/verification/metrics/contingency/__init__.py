"""Yes-or-no forecasts of an event: their contingency table, and neighbourhoods in which it is."""
