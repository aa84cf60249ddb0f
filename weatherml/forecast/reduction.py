"""What is kept of an ensemble instead of its members: which statistics, how they accumulate, and their dataset."""

from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np
import xarray as xr
from pydantic import Field, field_validator, model_validator

from weatherml.config import Config
from weatherml.forecast.moments import Moments, count_above
from weatherml.forecast.sketch import Sketch, values_entered
from weatherml.state import Channel, StateSpec, to_dataset

_MOMENT_BYTES = 28

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


class StatisticsConfig(Config):
    """Statistics of the members of every cell, lead and initial time.

    How many members are counted is kept too: those that failed are not.

    Attributes:
        mean: Keep the mean.
        spread: Keep the standard deviation (root of the unbiased variance).
        minimum: Keep the least value.
        maximum: Keep the greatest value.
        quantiles: Probabilities of the quantiles to keep, rising.
        thresholds: In SI units by channel; the share of members above each is kept.
        sketch_size: Quantiles are exact for so many members; beyond, ranks are off by about
            log2(members / size) / (2 size) of the members at most, and a dataset says by how many. Even; memory grows
            with it.
    """

    mean: bool = True
    spread: bool = True
    minimum: bool = False
    maximum: bool = False
    quantiles: tuple[float, ...] = ()
    thresholds: dict[str, tuple[float, ...]] = Field(default_factory=dict)
    sketch_size: int = Field(default=64, ge=2, multiple_of=2)

    @field_validator("quantiles")
    @classmethod
    def _rising_within_one(cls, quantiles: tuple[float, ...]) -> tuple[float, ...]:
        if any(not 0 <= q <= 1 for q in quantiles) or any(np.diff(quantiles) <= 0):
            raise ValueError(f"quantiles must rise within 0 .. 1, got {list(quantiles)}")
        return quantiles

    @field_validator("thresholds")
    @classmethod
    def _canonical(cls, thresholds: dict[str, tuple[float, ...]]) -> dict[str, tuple[float, ...]]:
        for name, values in thresholds.items():
            if not values or any(np.diff(values) <= 0):
                raise ValueError(f"thresholds of {name} must rise, got {list(values)}")
        return {str(Channel.parse(name)): values for name, values in thresholds.items()}

    @model_validator(mode="after")
    def _not_nothing(self) -> Self:
        if not (self.fields or self.quantiles or self.thresholds):
            raise ValueError("no statistic is asked for; keep the mean, or leave the statistics out to keep members")
        return self

    @property
    def fields(self) -> tuple[str, ...]:
        """The statistics asked for that are one field."""
        return tuple(name for name in ("mean", "spread", "minimum", "maximum") if getattr(self, name))

    def thresholds_of(self, channel: Channel) -> tuple[float, ...]:
        """Return the thresholds of a channel, SI units."""
        return self.thresholds.get(str(channel), ())

    def require_channels(self, spec: StateSpec) -> None:
        """Require that the channels with thresholds are there.

        Raises:
            UserError: One is not.
        """
        for name in self.thresholds:
            spec.index(name)

    def bytes_per_cell(self, n_members: int, channel: Channel) -> int:
        """Return the memory of the accumulator of one cell after `n_members`."""
        sketch = 4 * self.sketch_size * len(values_entered(self.sketch_size, n_members)) if self.quantiles else 0
        return _MOMENT_BYTES + 4 * len(self.thresholds_of(channel)) + sketch

    def result_bytes(self, spec: StateSpec) -> int:
        """Return the size of the statistics of one initial time and lead."""
        own = len(self.fields) + len(self.quantiles) + 1  # and the count
        n_fields = sum(own + len(self.thresholds_of(channel)) for channel in spec.channels)
        return 4 * n_fields * spec.grid.n_lat * spec.grid.n_lon


class Accumulator:
    """Members of one channel, counted as they come, in any order.

    Args:
        config: What is asked for.
        channel: Which.
        shape: Of the cells.
    """

    def __init__(self, config: StatisticsConfig, channel: Channel, shape: Sequence[int]) -> None:
        self._config, self._thresholds = config, config.thresholds_of(channel)
        none = np.empty((0, *shape), np.float32)
        self.moments, self.n_above = Moments.of(none), count_above(none, self._thresholds)
        self.sketch = Sketch.in_memory(config.sketch_size, shape) if config.quantiles else None

    def update(self, members: np.ndarray) -> None:
        """Count members, float32 `[member, *cell]` in SI units; NaN is no member."""
        self.moments = self.moments + Moments.of(members)
        self.n_above = self.n_above + count_above(members, self._thresholds)
        if self.sketch is not None:
            self.sketch.append(members)

    def merge(self, other: "Accumulator") -> None:
        """Count the members that another accumulator of the same channel has counted."""
        self.moments, self.n_above = self.moments + other.moments, self.n_above + other.n_above
        if self.sketch is not None and other.sketch is not None:
            self.sketch.merge(other.sketch)

    def results(self) -> dict[str, np.ndarray]:
        """Return what is asked for; see `results_of`."""
        quantiles = None if self.sketch is None else self.sketch.quantiles(self._config.quantiles)
        return results_of(self._config, self.moments, self.n_above, quantiles)


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
