"""Where forecasts go: members or their statistics, in memory or in a store."""
