"""What kinds of variables there are for rules: which may be zero, stay as they are, or are renewed once a day."""

import numpy as np

from weatherml.data.quality.evidence import ChannelEvidence, Evidence
from weatherml.data.reading.canonical import SOURCE_NAME, STATIC
from weatherml.grid import LatLonGrid
from weatherml.state import Channel

AMOUNTS = (
    *(f"total_precipitation{window}" for window in ("", "_6hr", "_12hr", "_24hr")),
    *(f"toa_incident_solar_radiation{window}" for window in ("", "_6hr", "_12hr", "_24hr")),
    "sea_ice_cover",
)
"""May be exactly zero, or one, in any number of cells and all over a region: rain, sunlight by night, ice."""

RENEWED_DAILY = ("sea_surface_temperature", "sea_ice_cover")
"""Analysed once a day, so that six-hourly fields of them repeat."""

HOUR = np.timedelta64(1, "h")
DAY = np.timedelta64(24, "h")


def varying(evidence: Evidence) -> dict[str, list[ChannelEvidence]]:
    """Return the channels of each variable that is expected to vary in time."""
    groups: dict[str, list[ChannelEvidence]] = {}
    for channel, of_channel in evidence.channels.items():
        if channel.variable not in STATIC:
            groups.setdefault(channel.variable, []).append(of_channel)
    return groups


def alike(channels: list[ChannelEvidence], keys: list[bytes]) -> dict[str, list[ChannelEvidence]]:
    """Return the channels of a variable whose keys are equal, each group by what a finding calls it."""
    groups: dict[bytes, list[ChannelEvidence]] = {}
    for channel, key in zip(channels, keys, strict=True):
        groups.setdefault(key, []).append(channel)
    return {named(group, len(channels)): group for group in groups.values()}


def named(group: list[ChannelEvidence], n_all: int) -> str:
    """Return what to call some of the `n_all` channels of a variable: the variable where they are all."""
    first = group[0].channel
    if len(group) == 1 or len(group) < n_all:
        return ", ".join(str(one.channel) for one in group)
    return first.variable


def in_file(evidence: Evidence, *channels: Channel) -> str:
    """Say what the files call variables that a remedy names, in brackets after a blank; nothing where it is that."""
    attributes = {channel.variable: evidence.channels[channel].attributes for channel in channels}
    told = {variable: str(own.get(SOURCE_NAME, variable)) for variable, own in attributes.items()}
    apart = [f"{variable!r} is {name!r} in the file" for variable, name in told.items() if name != variable]
    return f" ({', '.join(apart)})" if apart else ""


FLAT_IN_REGIONS = (*AMOUNTS, "sea_surface_temperature")
"""May have one value all over a region: no rain, the night, the sea or its freezing point below ice."""


def n_finite(channel: ChannelEvidence) -> np.ndarray:
    """Return how many cells have a value `[time]`."""
    return np.asarray(channel.rows.zonal_std.size * channel.rows.column_change.size - channel.series.n_missing)


def n_places(channel: ChannelEvidence) -> np.ndarray:
    """Return how many points of the Earth have a value `[time]`: the cells of a pole's row are one."""
    return np.asarray(n_finite(channel) - channel.n_poles * (channel.rows.column_change.size - 1))


def is_flat(channel: ChannelEvidence) -> np.ndarray:
    """Return at which times a field of several places has one value all over `[time]`."""
    series = channel.series
    return np.asarray((n_places(channel) > 1) & (series.minimum == series.maximum))


_FILLED, _SAME = 0.2, 1e-4
"""Share of the globe that has one value all the time only where it stands for what there is not: land is 0.29, the sea
under ice 0.07 at most. And how near values are in their own spread that are one."""


def filling(channel: ChannelEvidence, grid: LatLonGrid) -> float | None:
    """Return the value that stands in a large part of the globe all the time, as under a mask; None if none does.

    Args:
        channel: Scalar that is not usually exactly zero.
        grid: Of its means over time.
    """
    mean, std = channel.cells.mean, channel.cells.std
    known = np.isfinite(mean)
    spread = float(np.std(mean[known])) if known.any() else 0.0
    stays = known & ~(std > _SAME * spread)
    if spread == 0 or not stays.any():
        return None
    values, numbers = np.unique(np.round(mean[stays] / (_SAME * spread)), return_inverse=True)
    weights = np.broadcast_to(grid.area_weights(), mean.shape)
    share = np.bincount(numbers.ravel(), weights[stays], values.size) / weights.sum()
    return float(mean[stays][numbers.ravel() == share.argmax()][0]) if share.max() > _FILLED else None


def usual_step(times: np.ndarray) -> np.timedelta64:
    """Return the step between times that is found most often; of no length where there is none."""
    steps, counts = np.unique(np.diff(times), return_counts=True)
    return steps[counts.argmax()] if steps.size else np.timedelta64(0, "ns")
