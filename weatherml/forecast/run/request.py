"""What is asked of one forecaster, or of several whose members take turns: checked, hashed, and made into a stream."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import xarray as xr

from weatherml.errors import UserError
from weatherml.forecast.analyses import Analyses
from weatherml.forecast.config import ForecastConfig
from weatherml.forecast.init_times import InitTimes, require_valid_times, to_init_times
from weatherml.forecast.output.target import Destination
from weatherml.forecast.plan.capacity import LARGEST_DEFAULT_BATCH, fitting_batch
from weatherml.forecast.plan.layout import Layout
from weatherml.forecast.plan.lead_plan import Itinerary
from weatherml.forecast.rollout.device import Lane
from weatherml.forecast.rollout.initial_states import InitialStates
from weatherml.forecast.rollout.setup import Route
from weatherml.forecast.rollout.step_loop import outputs_per_chunk
from weatherml.forecast.run.stream import Progress, Stream
from weatherml.parallel import device_room, local_devices
from weatherml.products.rounding import describe_rounding
from weatherml.state import StateSpec, on_grid, parse_channels

if TYPE_CHECKING:
    from weatherml.forecast.forecaster import Forecaster


@dataclass(frozen=True, eq=False)
class Order:
    """Forecasts of an ensemble whose member k is member k // n of forecaster k modulo n, their number.

    Attributes:
        forecasters: They agree in channels and grid.
        analyses: As each of them reads them.
        init_times: `datetime64[ns]` [init_time].
        config: Leads, members, and what is kept.
    """

    forecasters: Sequence["Forecaster"]
    analyses: Sequence[Analyses]
    init_times: np.ndarray
    config: ForecastConfig

    @classmethod
    def of(
        cls, forecasters: Sequence["Forecaster"], analysis: xr.Dataset, init_time: InitTimes, config: ForecastConfig
    ) -> Self:
        """Look whether analyses are there.

        Raises:
            UserError: They are of another grid, or lack a channel or an initial time.
        """
        if config.members < len(forecasters):
            n_models = len(forecasters)
            raise UserError(f"{config.members} members cannot take turns among {n_models} models; ask for {n_models}")
        init_times = to_init_times(init_time)
        has_members = config.perturbation is not None and config.perturbation.reads_members
        analyses = [Analyses(on_grid(analysis, own.spec.grid), own.normalizer) for own in forecasters]
        for own in analyses:
            own.require(init_times, has_members)
        return cls(forecasters, analyses, init_times, config)

    def make_share(self, destination: Destination, progress: Progress | None) -> bool:
        """Make a share of the forecasts; see `Forecaster.run_share`.

        Raises:
            UserError: As `Forecaster.run_share`.
        """
        if destination.path is None:
            raise UserError("shares of a forecast meet in a store; pass the path of one")
        return destination.is_finished(self.request) or self.stream(destination, progress).finish_share()

    def stream(self, destination: Destination, progress: Progress | None) -> Stream:
        """Return the forecasts on their way to a destination.

        Raises:
            UserError: As `Forecaster.run`.
        """
        unfinished = destination.unfinished(self.request, self.config.statistics, len(self.init_times))
        begun = {} if unfinished is None else unfinished.description
        n_slots = begun.get("batch") or self.config.batch or self._fitting_batch()
        if unfinished is not None:  # another process may have begun it while programs were compiled
            n_slots = unfinished.description.get("batch", n_slots)
        routes = self._routes(n_slots)
        rounding = describe_rounding(_largest([route.rounding_errors for route in routes]))
        attributes = self._attributes | {"batch": n_slots, **rounding}
        output = destination.open(unfinished, routes[0].layout, attributes, self.config.statistics)
        return Stream(routes, output, progress, destination.share)

    @property
    def request(self) -> str:
        """Tells forecasts from each other: configuration, models, initial times, and what was read at those times.

        Other analyses, which `lagged` and `bred` perturbations read, are no part of it.
        """
        request: str = self._attributes["request"]
        return request

    @cached_property
    def _attributes(self) -> dict[str, Any]:
        """Return global attributes; of several models, lists.

        Raises:
            UserError: An analysis is unusable: that should stop a forecast before anything is made.
        """
        asked, (first, *others) = self.config.model_dump_json(), [own.describe() for own in self.forecasters]
        told = {name: [first[name], *(other[name] for other in others)] for name in first} if others else first
        texts = {name: v if isinstance(v, str) else json.dumps(v, default=str) for name, v in told.items()}
        read = [own.fingerprint(self.init_times) for own in self.analyses]
        request = json.dumps([asked, texts["model_digest"], self.init_times.astype(np.int64).tolist(), *read])
        return {
            "Conventions": "CF-1.11",
            "title": "weatherml forecast",
            "forecast_config": asked,
            **texts,
            "request": hashlib.sha256(request.encode()).hexdigest(),
        }

    def _fitting_batch(self) -> int:
        """Return how many members to compute at once, where nobody said it: what any of the models has room for."""
        device, n_models = local_devices()[0], len(self.forecasters)
        most, batches = min(-(-self.config.members // n_models), LARGEST_DEFAULT_BATCH), []
        for model in range(n_models):
            needs = lambda n_slots, model=model: Lane(device, self._route(model, n_slots)).device_bytes(n_slots)  # noqa: E731
            batches.append(fitting_batch(most, needs, device_room(device)))
        return min(batches)

    def _routes(self, n_slots: int) -> list[Route]:
        return [self._route(model, n_slots) for model in range(len(self.forecasters))]

    def _route(self, model: int, n_slots: int) -> Route:
        own, layout, n_models = self.forecasters[model], self._layout(n_slots), len(self.forecasters)
        itinerary = Itinerary.to(layout.lead_times, own.models)
        initial_states = InitialStates.build(self.config, self.init_times, self.analyses[model], own.models, n_models)
        kept = [d for d in own.diagnostics if not set(layout.spec.channels).isdisjoint(d.outputs)]
        return Route(itinerary, own.normalizer, self.config, layout, initial_states, kept)

    def _layout(self, n_slots: int) -> Layout:
        """Return the axes of the output, whose leads all models reach."""
        available = self.forecasters[0].output_spec
        lead_times = self.config.lead_times(max(forecaster.time_step for forecaster in self.forecasters))
        require_valid_times(self.init_times, lead_times)
        channels = parse_channels(available.names if self.config.channels is None else self.config.channels)
        for channel in channels:
            available.index(channel)
        spec = StateSpec(channels, available.grid)
        n_leads = outputs_per_chunk(len(lead_times), 4 * n_slots * int(np.prod(spec.shape)))
        numbers = self.config.member_numbers()
        return Layout(spec, self.init_times, lead_times, numbers, (n_leads, n_slots), len(self.forecasters))


def _largest(errors: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the largest error of each channel among those of several models."""
    return {channel: max(own[channel] for own in errors) for channel in errors[0]}
