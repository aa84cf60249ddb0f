"""What is asked of one suite of models, or of several whose members take turns: checked, hashed, and made a stream."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Self

import jax
import numpy as np
import xarray as xr

from weatherml.errors import Option, UserError, require_kind
from weatherml.errors.wording import counted
from weatherml.forecast.analyses import Analyses, InitTimes, to_init_times
from weatherml.forecast.config import ForecastConfig
from weatherml.forecast.output.members import MembersOutput, Output
from weatherml.forecast.output.memory import InMemory, Work
from weatherml.forecast.output.statistics import StatisticsOutput
from weatherml.forecast.output.target import OutputTarget
from weatherml.forecast.perturbation.base import InitialStates, PerturbationContext
from weatherml.forecast.plan.batches import LARGEST_DEFAULT_BATCH, Layout, fitting_batch, outputs_per_chunk
from weatherml.forecast.rollout.device import DeviceRollout
from weatherml.forecast.rollout.setup import RolloutSetup
from weatherml.forecast.rollout.suite import Suite
from weatherml.forecast.run.stream import OutputStream, Progress, Stream, is_out_of_memory
from weatherml.forecast.statistics.accumulators import Counted
from weatherml.forecast.workdir import Record, WorkDir, is_made
from weatherml.grid import OPEN_FIRST
from weatherml.parallel import device_room, local_devices
from weatherml.products.rounding import describe_rounding
from weatherml.state import StateSpec, on_grid, parse_channels
from weatherml.times import require_valid_times


@dataclass(frozen=True, eq=False)
class ForecastRequest:
    """Forecasts of an ensemble whose member k is member k // n of suite k modulo n, their number.

    Attributes:
        suites: They agree in channels and grid.
        analyses: As each of them reads them.
        init_times: `datetime64[ns]` [init_time].
        config: Leads, members, and what is kept.
    """

    suites: Sequence[Suite]
    analyses: Sequence[Analyses]
    init_times: np.ndarray
    config: ForecastConfig

    @classmethod
    def of(cls, suites: Sequence[Suite], analysis: xr.Dataset, init_time: InitTimes, config: ForecastConfig) -> Self:
        """Look whether analyses are there.

        Raises:
            UserError: They are of another grid, or lack a channel or an initial time.
        """
        require_kind(analysis, xr.Dataset, "analysis", OPEN_FIRST)
        if config.members < len(suites):
            n_models = len(suites)
            raise UserError(
                f"{counted(config.members, 'member')} cannot take turns among {n_models} models; ask for {n_models}"
            )
        init_times = to_init_times(init_time)
        has_members = config.perturbation is not None and config.perturbation.reads_members
        analyses = [Analyses(on_grid(analysis, suite.spec.grid), suite.normalizer) for suite in suites]
        for own in analyses:
            own.require(init_times, has_members)
        return cls(suites, analyses, init_times, config)

    def make(self, target: OutputTarget, progress: Progress | None) -> xr.Dataset:
        """Make the forecasts; see `Forecaster.run`."""
        return self._stream_to(target, progress).finish()

    def make_share(self, target: OutputTarget, progress: Progress | None) -> bool:
        """Make a share of the forecasts; see `Forecaster.run_share`."""
        if target.path is None:
            raise UserError("shares of a forecast meet in a store; pass the path of one")
        is_shared = target.share.count > 1
        if is_shared and is_made(target.path, self.identity):
            return True
        try:
            stream = self._stream_to(target, progress)
        except (UserError, FileNotFoundError):  # others may be finishing it, or just have
            if is_shared and is_made(target.path, self.identity):
                return True
            raise
        return stream.finish_share()

    def iterate(self) -> Iterator[xr.Dataset]:
        """Yield the forecasts piece by piece; see `Forecaster.iterate`."""
        n_slots = self.config.batch or self._fitting_batch()
        try:
            yield from Stream(self._setups(n_slots)).datasets()
        except jax.errors.JaxRuntimeError as error:
            if not is_out_of_memory(error):
                raise
            raise UserError(
                f"{counted(n_slots, 'member')} at once: too many for the memory of the device",
                Option("forecast.batch", max(n_slots // 2, 1)),
            ) from error

    @property
    def identity(self) -> str:
        """Tells forecasts from each other: configuration, models, initial times, and the analyses that are read."""
        request: str = self._attributes["request"]
        return request

    def _stream_to(self, target: OutputTarget, progress: Progress | None) -> OutputStream:
        """Return the forecasts on their way to a target."""
        statistics = self.config.statistics
        nothing = Record() if statistics is None else Counted.nothing(len(self.init_times))
        work: Work[Any]
        if target.path is None:
            work = InMemory(nothing)
        else:
            work = WorkDir(target.path, self.identity, nothing, target.overwrite, target.share.count > 1)
        n_slots = work.description.get("batch") or self.config.batch or self._fitting_batch()
        n_slots = work.description.get("batch", n_slots)  # another process may have begun it meanwhile
        setups = self._setups(n_slots)
        rounding = describe_rounding(_largest([setup.rounding_errors for setup in setups]))
        attributes, layout = self._attributes | {"batch": n_slots, **rounding}, setups[0].layout
        try:
            output: Output
            if statistics is None:
                output = MembersOutput(work, layout, attributes, target.share)
            else:
                output = StatisticsOutput(work, layout, attributes, statistics, len(local_devices()), target.share)
        except BaseException:
            work.close()
            raise
        return OutputStream(Stream(setups), output, progress, target.share)

    @cached_property
    def _attributes(self) -> dict[str, Any]:
        """Return global attributes; of several suites, lists.

        Raises:
            UserError: An analysis is unusable: that should stop a forecast before anything is made.
        """
        asked, (first, *others) = self.config.model_dump_json(), [own.describe() for own in self.suites]
        told = {name: [first[name], *(other[name] for other in others)] for name in first} if others else first
        texts = {name: v if isinstance(v, str) else json.dumps(v, default=str) for name, v in told.items()}
        read = [own.fingerprint(times) for own in self.analyses for times in (self.init_times, self._other_times)]
        request = json.dumps([asked, texts["model_digest"], self.init_times.astype(np.int64).tolist(), *read])
        return {
            "Conventions": "CF-1.11",
            "title": "weatherml forecast",
            "forecast_config": asked,
            **texts,
            "request": hashlib.sha256(request.encode()).hexdigest(),
        }

    @cached_property
    def _other_times(self) -> np.ndarray:
        """Times of analyses that members follow from beside their initial times, as far as there are such analyses."""
        if self.config.perturbation is None:
            return self.init_times[:0]
        wanted = np.concatenate([self.config.perturbation.other_times(context) for context in self._contexts])
        return np.setdiff1d(wanted[np.isin(wanted, self.analyses[0].times)], self.init_times)

    def _fitting_batch(self) -> int:
        """Return how many members to compute at once, where nobody said it: what any of the suites has room for."""
        device = local_devices()[0]
        batch = min(-(-self.config.members // len(self.suites)), LARGEST_DEFAULT_BATCH)
        for suite in range(len(self.suites)):
            batch = fitting_batch(batch, partial(self._needed_bytes, device, suite), device_room(device))
        return batch

    def _needed_bytes(self, device: jax.Device, suite: int, n_slots: int) -> tuple[int, int]:
        return DeviceRollout(device, self._setups(n_slots)[suite]).needed_bytes(n_slots)

    def _setups(self, n_slots: int) -> list[RolloutSetup]:
        """Return what batches of a size go through, by suite; made once, and not kept for sizes that did not fit."""
        if n_slots not in self._made:
            self._made.clear()
            layout = self._layout(n_slots)
            self._made[n_slots] = [
                RolloutSetup(suite, self.config, layout, initial_states)
                for suite, initial_states in zip(self.suites, self._initial_states, strict=True)
            ]
        return self._made[n_slots]

    @cached_property
    def _numbers(self) -> np.ndarray:
        return self.config.member_numbers()

    @cached_property
    def _made(self) -> dict[int, list[RolloutSetup]]:
        return {}

    @cached_property
    def _initial_states(self) -> list[InitialStates]:
        """What members start from, by suite."""
        return [InitialStates.build(self.config.perturbation, context) for context in self._contexts]

    @cached_property
    def _contexts(self) -> list[PerturbationContext]:
        """What a perturbation may lean on, by suite."""
        n_models = len(self.suites)
        return [
            PerturbationContext(
                statistics=suite.normalizer.statistics,
                analyses=analyses,
                init_times=self.init_times,
                numbers=self._numbers[self._numbers % n_models == turn],
                seed=self.config.seed,
                models=suite,
                time_step=suite.time_step,
                n_models=n_models,
            )
            for turn, (suite, analyses) in enumerate(zip(self.suites, self.analyses, strict=True))
        ]

    def _layout(self, n_slots: int) -> Layout:
        """Return the axes of the output, whose leads all suites reach."""
        available = self.suites[0].output_spec
        lead_times = self.config.lead_times(max(suite.time_step for suite in self.suites))
        require_valid_times(self.init_times, lead_times)
        wanted = self.config.channels
        channels = available.channels if wanted is None else parse_channels(wanted, available.levels)
        for channel in channels:
            available.index(channel)
        spec = StateSpec(channels, available.grid)
        n_leads = outputs_per_chunk(len(lead_times), 4 * n_slots * int(np.prod(spec.shape)))
        return Layout(spec, self.init_times, lead_times, self._numbers, (n_leads, n_slots), len(self.suites))


def _largest(errors: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the largest error of each channel among those of several suites."""
    return {channel: max(own[channel] for own in errors) for channel in errors[0]}
