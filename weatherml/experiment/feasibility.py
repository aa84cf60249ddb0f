"""Whether data can carry an experiment: asked before anything is computed."""

from dataclasses import dataclass
from importlib.util import find_spec
from typing import NamedTuple, Self

import numpy as np
import xarray as xr

from weatherml.checkpoint import Checkpoint, Provenance
from weatherml.data.loading.room import batch_bytes, require_room
from weatherml.data.period import stride_of
from weatherml.data.reading.canonical import STATIC
from weatherml.data.source import Source
from weatherml.data.statistics.accumulators.harmonics import Harmonics
from weatherml.data.statistics.channel_statistics import Statistics
from weatherml.data.statistics.fitting import require_all_year
from weatherml.data.statistics.forcings import Forcings
from weatherml.data.statistics.normalization import Normalizer
from weatherml.durations import parse_duration
from weatherml.errors import Option, UserError
from weatherml.errors.wording import counted
from weatherml.experiment.climate import Climate
from weatherml.experiment.config import ExperimentConfig
from weatherml.experiment.diagnosis import load_stepper, require_outputs
from weatherml.experiment.fine_tuning import load_start
from weatherml.forecast import CombinedConfig, LaggedConfig, PerturbationConfig
from weatherml.forecast.guards.step_modifiers import guard_modifiers
from weatherml.forecast.guards.units import Units
from weatherml.forecast.plan.lead_plan import plan_to
from weatherml.grid import LatLonGrid
from weatherml.process.memory import parse_memory
from weatherml.state import Channel, StateSpec, alternatives, levels_in, parse_channels, spec_of
from weatherml.times import Periods, is_within, show_periods
from weatherml.training.update.trainable import frozen_names
from weatherml.variables import find
from weatherml.verification.baselines.other_years import drawing_of

_SMALL = LatLonGrid.regular(4, 8, poles=False)
"""Where it is tried whether channels suit what names them: the grid does not matter then."""


@dataclass(frozen=True, eq=False)
class Holdings:
    """What data there are, without their values.

    Attributes:
        times: `datetime64[ns]` [time], rising.
        channels: Fields that change with time, and on pressure levels or at one height.
        static: Names of fields that do not.
        grid: Of all of them.
    """

    times: np.ndarray
    channels: tuple[Channel, ...]
    static: tuple[str, ...]
    grid: LatLonGrid

    @classmethod
    def of_source(cls, source: Source) -> Self:
        """Ask a source, which computes nothing for that."""
        static = tuple(name for name in source.variables() if name in STATIC)
        channels = [
            Channel(name, level)
            for name in source.variables()
            if name not in static
            for level in (source.levels if find(name).vertical == "pressure" else (None,))
        ]
        return cls(source.times(), tuple(channels), static, source.grid)

    @classmethod
    def of_store(cls, store: xr.Dataset) -> Self:
        """Ask what was ingested."""
        spec = spec_of(store)
        static = tuple(str(name) for name, field in store.data_vars.items() if "time" not in field.dims)
        return cls(store["time"].values, spec.channels, static, spec.grid)


def require_pictures() -> None:
    """Require what the report at the end of a road draws with, before hours of work.

    Raises:
        UserError: A package is missing.
    """
    missing = [name for name in ("matplotlib", "cartopy") if find_spec(name) is None]
    if missing:
        raise UserError(f"the report needs {missing[0]}, which is not here; pip install 'weatherml[plot]'")


def require_feasible(config: ExperimentConfig, holdings: Holdings) -> None:
    """Require that an experiment would not fail on what data there are.

    Raises:
        UserError: A channel is not in the data, the checkpoint to begin with does not fit, a period holds less than a
            batch or a forecast, a lead is no multiple of the time step, a climatology needs times of all the year, the
            grid does not suit the model, or forecasts name what the state does not have.
    """
    spec = StateSpec(parse_channels(config.channels, levels_in(holdings.channels)), holdings.grid)
    for channel in spec.channels:
        if channel not in holdings.channels:
            raise UserError(f"the data have no {channel}{alternatives(channel, holdings.channels)}")
    require_outputs(config, holdings.channels)
    _require_times(config, holdings.times)
    own, training = config.climatology, within(holdings.times, config.periods.training)
    require_all_year(training, own.window_days, own.quantiles)
    _require_climate(config, holdings.times)
    if config.start is not None:
        load_start(config, config.start, spec, config.step_of(holdings.times))
    if config.stepper is not None:
        load_stepper(config, config.stepper, spec, config.step_of(holdings.times))
    _require_network(config, spec, holdings)
    if config.has_forecasts:
        _require_forecast(config, spec.channels, holdings.times)


def _require_memory(config: ExperimentConfig, spec: StateSpec, forcings: Forcings) -> None:
    """Require that training may hold two of its largest batches; periods are held only where they fit beside."""
    training, spec = config.training, StateSpec((*spec.channels, *config.outputs), spec.grid)
    needed = max(batch_bytes(spec, forcings, size, rollout) for size, rollout in training.batches)
    require_room(needed, parse_memory(training.memory))


class _Need(NamedTuple):
    """What a period must hold.

    Attributes:
        name: Of the period.
        period: Itself, or the part of it that a stage learns from.
        batch_size: Samples at least.
        rollout: Model steps of each.
    """

    name: str
    period: Periods
    batch_size: int
    rollout: int

    @classmethod
    def all_of(cls, config: ExperimentConfig) -> list[Self]:
        """Return what an experiment needs, stage by stage, then for validations and for the test."""
        own, training = config.periods, config.training
        stages = [
            cls("training", stage.period or own.training, training.batch_size_of(stage), stage.rollout)
            for stage in training.stages
        ]
        validation = cls("validation", own.validation, training.batch_size, training.longest_rollout)
        return [*stages, validation, cls("test", own.test, 1, 1)]


def _require_times(config: ExperimentConfig, times: np.ndarray) -> None:
    """Require that every period holds what is done with it."""
    step = config.step_of(times)
    first, last = np.datetime_as_string(times[[0, -1]], unit="m")
    for name, period, size, rollout in _Need.all_of(config):
        n_times = within(times, period).size
        n_least = 2 if name == "test" else size + rollout * stride_of(times, step)
        n_samples = _count_samples(within(times, period), step, rollout)
        if n_times < n_least:
            raise UserError(
                f"the data have {counted(n_times, 'time')} in the {name} period {show_periods(period)}, which needs"
                f" {n_least}; they run from {first} to {last}",
                f"choose another {name} period",
                *_smaller_batch(name, n_samples),
            )
        if name != "test" and n_samples < size:
            raise UserError(
                f"gaps leave {counted(n_samples, 'sample')} in the {name} period {show_periods(period)}, fewer than a"
                f" batch of {size}",
                f"choose another {name} period",
                *_smaller_batch(name, n_samples),
            )
    training = within(times, config.periods.training)
    longest = config.lead_times(step)[-1]
    if not np.isin(training + longest, training).any():
        raise UserError(
            f"no two times of the training period {show_periods(config.periods.training)} lie forecast.lead_time"
            f" {config.forecast.lead_time} apart, as damped persistence needs; choose a longer period or a shorter lead"
        )


def _require_climate(config: ExperimentConfig, times: np.ndarray) -> None:
    """Require that the training period lends the members of a climatological ensemble, if one is wanted."""
    training, own = within(times, config.periods.training), config.climatology
    climate = Climate.of(config, Harmonics(own.n_annual, own.n_diurnal).resolved_by(training).n_annual)
    if climate is not None:
        leads = config.lead_times(config.step_of(times))
        try:
            drawing_of(times, initial_times(config, times), leads, climate.period, climate.window_days, climate.members)
        except UserError as error:
            raise error.within("baselines.members: ") from None


def _smaller_batch(period: str, n_samples: int) -> list[Option]:
    """Return the batch that fits, where only its size is in the way."""
    return [Option("training.batch_size", n_samples)] if period != "test" and n_samples > 0 else []


def _require_network(config: ExperimentConfig, spec: StateSpec, holdings: Holdings) -> None:
    """Require that the network can be built and taught on this grid, in the memory and on the devices that are here.

    A mesh that is named is one of machines that need not be here, as where statistics are made before a job is sent.
    """
    config.training.loss.require_noise(config.model.n_noise)
    is_here = not config.training.names_meshes
    if is_here:
        config.training.lay_out(config.model, spec.grid.shape)
    small = unit_statistics(StateSpec(spec.channels, _SMALL), config.step_of(holdings.times))
    if not config.outputs:
        config.training.loss.build(small)  # refuses terms of physics that the channels do not tell
    fields = xr.Dataset({name: (("latitude", "longitude"), np.zeros(spec.grid.shape)) for name in holdings.static})
    forcings = Forcings(config.forcings, spec.grid, config.step_of(holdings.times), fields)
    if is_here:
        _require_memory(config, spec, forcings)
    normalizer = Normalizer(unit_statistics(spec, config.step_of(holdings.times)))
    outline = Checkpoint.outline(config.model, forcings, normalizer, Provenance({}, "none"), config.prediction)
    frozen_names(list(outline.weights), config.training.trainable)


def _count_samples(times: np.ndarray, step: np.timedelta64, n_steps: int) -> int:
    """Return how many of the times `[time]` have all of `n_steps` steps after them."""
    return int(np.isin(times[:, None] + np.arange(1, n_steps + 1) * step, times).all(axis=1).sum())


def _require_forecast(config: ExperimentConfig, channels: tuple[Channel, ...], times: np.ndarray) -> None:
    """Require that perturbations and guards name what the state has, and members start from what is there."""
    normalizer = Normalizer(unit_statistics(StateSpec(channels, _SMALL), config.step_of(times)))
    guards, perturbation = config.forecast.guards, config.forecast.perturbation
    guard_modifiers(guards, normalizer, Units.build(normalizer), [1], normalizer.statistics.time_step)
    if perturbation is not None:
        perturbation.sizes(normalizer.statistics.spec)
        perturbation.tendencies(normalizer.statistics, normalizer.statistics.time_step)
    starts = initial_times(config, times)
    for lagged in _lagged(perturbation):
        _require_starts(lagged, config, starts, times)


def unit_statistics(spec: StateSpec, time_step: np.timedelta64) -> Statistics:
    """Return statistics that stand in for those of the data, which are not known yet."""
    one = np.ones(spec.n_channels, np.float32)
    return Statistics(spec, 0 * one, one, one, np.ones(spec.shape, bool), time_step, ("1970", "1970"), 0)


def _lagged(perturbation: PerturbationConfig | None) -> list[LaggedConfig]:
    if isinstance(perturbation, CombinedConfig):
        return [lagged for part in perturbation.parts for lagged in _lagged(part)]
    return [perturbation] if isinstance(perturbation, LaggedConfig) else []


def _require_starts(lagged: LaggedConfig, config: ExperimentConfig, init_times: np.ndarray, times: np.ndarray) -> None:
    """Require the analyses that lagged members start from, and steps that lead from them to the initial times."""
    time_step = config.step_of(times)
    interval = time_step if lagged.interval is None else parse_duration(lagged.interval)
    ages = config.forecast.member_numbers() * interval
    plan_to(ages[ages > np.timedelta64(0, "ns")], [time_step])
    missing = np.setdiff1d(init_times[:, None] - ages, times)
    if missing.size:
        raise UserError(
            f"forecast.perturbation: a lagged member starts from {missing[0]:.16}, which the data do not hold; choose"
            f" fewer forecast.members, another forecast.perturbation.interval or a later test period"
        )


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
    leads = config.lead_times(time_step)
    if config.has_forecasts:
        plan_to(leads, [time_step])  # refuses what the model cannot reach
    test = within(times, config.periods.test)
    wanted = np.arange(test[0], test[-1] + np.timedelta64(1, "ns"), parse_duration(config.init_every))
    wanted = wanted[np.isin(wanted, test)]
    complete: np.ndarray = wanted[np.isin(wanted[:, None] + leads, test).all(axis=1)]
    if not len(complete):
        raise UserError(
            f"test period {' .. '.join(config.periods.test)} holds no forecast of lead_time"
            f" {config.forecast.lead_time} whole; choose a longer period or a shorter lead"
        )
    return complete


def within(times: np.ndarray, period: Periods) -> np.ndarray:
    """Return the times of a period, or of several, `datetime64[ns]` [time]."""
    chosen: np.ndarray = times[is_within(times, period)]
    return chosen
