"""Stable equitable error in probability space (Rodwell et al. 2010, doi:10.1002/qj.656)."""

from typing import Any

Array = Any
"""A numpy or jax array."""


def seeps(forecast: Array, truth: Array, dry_probability: Array) -> Array:
    """Return the error of precipitation in three classes: dry, light and heavy, two of three wet cases being light.

    Always forecasting one class, or one at random, has an expected error of 1 whatever the climate.

    Args:
        forecast: Class of the forecast, 0 (dry), 1 (light) or 2 (heavy), `[...]`.
        truth: Class of the truth.
        dry_probability: Of dryness in the climate, above 0 and below 1, `[...]`.

    Returns:
        `[...]`, 0 (right) or more.
    """
    xp = dry_probability.__array_namespace__()
    dry = dry_probability
    nothing = xp.zeros_like(dry)
    costs = (
        (nothing, 1 / (1 - dry), 4 / (1 - dry)),
        (1 / dry, nothing, 3 / (1 - dry)),
        (1 / dry + 3 / (2 + dry), 3 / (2 + dry), nothing),
    )
    error = nothing
    for forecast_class, row in enumerate(costs):
        for truth_class, cost in enumerate(row):
            error = xp.where((forecast == forecast_class) & (truth == truth_class), cost / 2, error)
    return error
