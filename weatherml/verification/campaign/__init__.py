"""Many forecasts judged by many processes, now or later: sums of each initial time, kept and put together."""
