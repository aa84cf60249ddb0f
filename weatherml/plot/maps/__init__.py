"""Maps: of a field, of a probability, of a forecast beside the truth."""

from weatherml.plot.maps.drawing import (
    deviation,
    draw_three,
    forecast_vs_truth,
    map,
    mean_over_spread,
    probability,
    score,
    spread,
)

__all__ = [
    "deviation",
    "draw_three",
    "forecast_vs_truth",
    "map",
    "mean_over_spread",
    "probability",
    "score",
    "spread",
]
