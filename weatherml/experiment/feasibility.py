"""Whether data can carry an experiment: asked before anything is computed."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import xarray as xr
from flax import nnx

from weatherml.data.period import stride_of
from weatherml.data.source import Source
from weatherml.durations import parse_duration
from weatherml.errors import UserError
from weatherml.experiment.config import ExperimentConfig
from weatherml.forecast.plan.lead_plan import plan_to
from weatherml.grid import LatLonGrid
from weatherml.registry import nearest
from weatherml.state import Channel, StateSpec, parse_channels, spec_of
from weatherml.times import Period, parse_period
from weatherml.variables import find


@dataclass(frozen=True, eq=False)
class Holdings:
    """What data there are, without their values.

    Attributes:
        times: `datetime64[ns]` [time], rising.
        channels: Fields that change with time.
        grid: Of all of them.
    """

    times: np.ndarray
    channels: tuple[Channel, ...]
    grid: LatLonGrid

    @classmethod
    def of_source(cls, source: Source) -> Self:
        """Ask a source, which computes nothing for that."""
        channels = [
            Channel(name, level)
            for name in source.variables()
            for level in (source.levels if find(name).vertical == "pressure" else (None,))
        ]
        return cls(source.times(), tuple(channels), source.grid)

    @classmethod
    def of_store(cls, store: xr.Dataset) -> Self:
        """Ask what was ingested."""
        spec = spec_of(store)
        return cls(store["time"].values, spec.channels, spec.grid)


def require_feasible(config: ExperimentConfig, holdings: Holdings) -> None:
    """Require that an experiment would not fail on what data there are.

    Raises:
        UserError: A channel is not in the data, a period holds less than a batch or a forecast, a lead is no multiple
            of the time step, or the grid does not suit the model.
    """
    spec = StateSpec(parse_channels(config.channels), holdings.grid)
    for channel in spec.channels:
        if channel not in holdings.channels:
            raise UserError(f"the data have no {channel}{nearest(str(channel), map(str, holdings.channels))}")
    stride = stride_of(holdings.times, config.step_of(holdings.times))
    one_batch = config.training.batch_size + config.training.longest_rollout * stride
    n_needed = {"training": one_batch, "validation": one_batch, "test": 2}
    first, last = np.datetime_as_string(holdings.times[[0, -1]], unit="m")
    for name, period in config.periods:
        n_times, n_least = _within(holdings.times, period).size, n_needed[name]
        if n_times < n_least:
            raise UserError(
                f"the data have {n_times} times in the {name} period {' .. '.join(period)}, which needs {n_least}; they"
                f" run from {first} to {last}: choose another period or a smaller batch_size"
            )
    initial_times(config, holdings.times)
    config.training.loss.require_noise(config.model.n_noise)
    nnx.eval_shape(lambda: config.model.build(spec, 0, nnx.Rngs(0)))


def initial_times(config: ExperimentConfig, times: np.ndarray) -> np.ndarray:
    """Return the initial times of the test period of which the data hold every valid time of the forecast.

    Args:
        config: Says the period, the spacing and the leads.
        times: Of the data, `datetime64[ns]` [time].

    Returns:
        `datetime64[ns]` [init_time].

    Raises:
        UserError: There is none, or a lead is no multiple of the time step.
    """
    time_step = config.step_of(times)
    leads = config.forecast.lead_times(time_step)
    plan_to(leads, np.array([time_step]))  # refuses what the model cannot reach
    test = _within(times, config.periods.test)
    wanted = np.arange(test[0], test[-1] + 1, parse_duration(config.init_every))
    wanted = wanted[np.isin(wanted, test)]
    complete: np.ndarray = wanted[np.isin(wanted[:, None] + leads, test).all(axis=1)]
    if not len(complete):
        raise UserError(
            f"test period {' .. '.join(config.periods.test)} holds no forecast of lead_time"
            f" {config.forecast.lead_time} whole; choose a longer period or a shorter lead"
        )
    return complete


def _within(times: np.ndarray, period: Period) -> np.ndarray:
    first, last = parse_period(period)
    chosen: np.ndarray = times[(times >= first) & (times <= last)]
    return chosen
