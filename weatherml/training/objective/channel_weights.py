"""How much each channel counts in a loss."""

import numpy as np

from weatherml.state import StateSpec

_PANGU = {
    "geopotential": 3.0,
    "specific_humidity": 0.6,
    "temperature": 1.5,
    "u_component_of_wind": 0.77,
    "v_component_of_wind": 0.54,
    "mean_sea_level_pressure": 1.5,
    "10m_u_component_of_wind": 0.77,
    "10m_v_component_of_wind": 0.66,
    "2m_temperature": 3.0,
}
_PANGU_SURFACE = 0.25


def pangu_weights(spec: StateSpec) -> np.ndarray:
    """Return the weight of each channel in the loss of Pangu-Weather, float64 `[channel]` (arXiv 2211.02556).

    The mean over upper-air channels plus a quarter of the mean over surface channels, each channel times the weight of
    its variable; variables that Pangu-Weather does not have count once.
    """
    upper = np.array([channel.level is not None for channel in spec.channels])
    weights = np.array([_PANGU.get(channel.variable, 1.0) for channel in spec.channels])
    n_upper = int(upper.sum())
    return weights * np.where(upper, 1 / max(n_upper, 1), _PANGU_SURFACE / max(len(upper) - n_upper, 1))
