"""The statistics of members as a dataset."""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from weatherml.forecast.statistics.config import StatisticsConfig
from weatherml.state import Channel, StateSpec, to_dataset
from weatherml.streaming.moments import Moments

_LONG_NAMES = {
    "mean": "ensemble mean of {}",
    "spread": "ensemble standard deviation of {}",
    "minimum": "ensemble minimum of {}",
    "maximum": "ensemble maximum of {}",
    "quantile": "ensemble quantile of {}",
    "count": "members counted of {}",
    "exceedance": "share of members with {} above a threshold",
}


_CELL_METHODS = {"mean": "mean", "spread": "standard_deviation", "minimum": "minimum", "maximum": "maximum"}


def results_of(
    config: StatisticsConfig, moments: Moments, n_above: np.ndarray, quantiles: np.ndarray | None
) -> dict[str, np.ndarray]:
    """Return what is asked for of one channel, by name.

    Args:
        config: What is asked for.
        moments: Of cells `[*cell]`.
        n_above: Members above each threshold, int32 `[threshold, *cell]`.
        quantiles: float32 `[quantile, *cell]`, if they are asked for.

    Returns:
        float32 `[*cell]`; `quantile` and `exceedance` have a first axis of their own; `count` is int32.
    """
    is_counted = moments.count > 0
    known = {
        "mean": np.where(is_counted, moments.mean, np.nan),
        "spread": moments.spread,
        "minimum": moments.minimum,
        "maximum": moments.maximum,
    }
    results = {name: known[name].astype(np.float32) for name in config.fields}
    if quantiles is not None:
        results["quantile"] = quantiles
    if len(n_above):
        share = np.where(is_counted, n_above / np.maximum(moments.count, 1), np.nan)
        results["exceedance"] = share.astype(np.float32)
    return {**results, "count": moments.count}


def assemble(
    results: Sequence[Mapping[str, np.ndarray]],
    spec: StateSpec,
    config: StatisticsConfig,
    init_time: np.datetime64,
    lead_times: np.ndarray,
) -> xr.Dataset:
    """Return one initial time's statistics as a dataset.

    Fields are called `<variable>_<statistic>`, such as `geopotential_mean`, with dimensions `(init_time, lead_time,
    quantile, level, latitude, longitude)`, each where it has it; shares above thresholds `<channel>_exceedance`, such
    as `temperature_850_exceedance`, along `<channel>_threshold`.

    Args:
        results: Of each channel of `spec`, from accumulators of cells `[lead, lat, lon]`.
        spec: The channels.
        config: What is asked for.
        init_time: The initial time.
        lead_times: `timedelta64[ns]` [lead].
    """
    times = {"init_time": np.array([init_time], "datetime64[ns]"), "lead_time": lead_times}
    parts = [_named(to_dataset(_stack(results, name), spec, times), name) for name in (*config.fields, "count")]
    if config.quantiles:
        quantiles = _stack(results, "quantile").swapaxes(1, 2)  # [init, lead, quantile, channel, lat, lon]
        coords = {**times, "quantile": np.asarray(config.quantiles)}
        named = _named(to_dataset(quantiles, spec, coords), "quantile")
        named["quantile"].attrs = {"units": "1", "long_name": "probability of a lower value"}
        parts.append(named)
    frame = parts[0]
    parts += [
        _exceedance(result["exceedance"], channel, config, frame)
        for channel, result in zip(spec.channels, results, strict=True)
        if "exceedance" in result
    ]
    return xr.merge(parts, compat="equals", combine_attrs="drop_conflicts", join="exact")


def _stack(results: Sequence[Mapping[str, np.ndarray]], name: str) -> np.ndarray:
    """Return `[init, ..., lead, channel, lat, lon]` of one statistic."""
    return np.stack([result[name] for result in results], axis=-3)[None]


def _named(dataset: xr.Dataset, statistic: str) -> xr.Dataset:
    named = {}
    for name, field in dataset.data_vars.items():
        attributes = {**field.attrs, "long_name": _LONG_NAMES[statistic].format(field.attrs["long_name"])}
        if statistic == "count":
            field = field.fillna(0).astype(np.int32)
            attributes |= {"units": "1", "standard_name": "number_of_observations"}
        else:
            attributes["ancillary_variables"] = f"{name}_count"
        if statistic in _CELL_METHODS:
            attributes["cell_methods"] = f"realization: {_CELL_METHODS[statistic]}"
        field.attrs = attributes
        named[f"{name}_{statistic}"] = field
    return xr.Dataset(named)


def _exceedance(shares: np.ndarray, channel: Channel, config: StatisticsConfig, frame: xr.Dataset) -> xr.Dataset:
    """Return the shares `[threshold, lead, lat, lon]` of a channel's members above its thresholds."""
    dim = f"{channel}_threshold"
    words = str(channel).replace("_", " ") + ("" if channel.level is None else " hPa")
    attributes = {
        "units": "1",
        "long_name": _LONG_NAMES["exceedance"].format(words),
        "ancillary_variables": f"{channel.variable}_count",
    }
    dims = ("init_time", "lead_time", dim, "latitude", "longitude")
    field = (dims, shares.swapaxes(0, 1)[None], attributes)
    threshold = (
        dim,
        np.asarray(config.thresholds_of(channel)),
        {"units": channel.units, "long_name": f"{words} threshold"},
    )
    coords = {name: frame[name] for name in dims if name in frame.coords}
    return xr.Dataset({f"{channel}_exceedance": field}, {**coords, dim: threshold})
