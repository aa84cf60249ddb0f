"""Fields without weather, as where a simulation begins: neither the pace of patterns nor the order of times shows."""

import numpy as np

from weatherml.data.quality.evidence import ChannelEvidence, Evidence

_LEAST = {"m s-1": 0.9, "K": 0.3, "m2 s-2": 60.0, "Pa": 70.0, "s-1": 3e-6}
"""Root mean square over the globe of what travels, by units. Ten days after a planet was at rest wind has 0.2 to 0.8,
temperature 0.06 to 0.5; twenty hours of the Earth's weather, the shortest that is judged, have twice the least."""


def is_faint(channel: ChannelEvidence, evidence: Evidence) -> bool:
    """Return whether a channel over the globe holds hardly any weather, apart from what is the same along a row."""
    least = _LEAST.get(channel.channel.units)
    if least is None or not evidence.grid.is_global:
        return False
    position = list(evidence.channels).index(channel.channel)
    weather = np.asarray(evidence.snapshots.values[:, position] - channel.cells.mean, np.float64)
    shares = np.isfinite(weather) * evidence.coarse.area_weights()
    filled = np.nan_to_num(weather)
    waves = filled - (filled * shares).sum(-1, keepdims=True) / np.maximum(shares.sum(-1, keepdims=True), 1e-30)
    return bool(np.sqrt((waves**2 * shares).sum() / max(shares.sum(), 1e-30)) < least)
