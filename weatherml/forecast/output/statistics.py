"""Outputs that keep statistics instead of members, in memory or on disk; every member counts once."""

import shutil
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np
import xarray as xr
from zarr.storage import MemoryStore

from weatherml.forecast.plan.layout import Layout
from weatherml.forecast.statistics.accumulators import Accumulators, Counted, Place, accumulator_bytes, channel_groups
from weatherml.forecast.statistics.config import StatisticsConfig
from weatherml.forecast.statistics.dataset import assemble, results_of
from weatherml.forecast.statistics.moments import Moments
from weatherml.forecast.statistics.sketch import Sketch
from weatherml.forecast.workdir import WHOLE, Failures, Share, Unfinished, explaining_errors, stories
from weatherml.products.store import create_store, open_forecast


class MemoryStatistics:
    """Reduces a forecast to statistics in memory; see `forecast.output.Output`."""

    def __init__(
        self, layout: Layout, attributes: Mapping[str, Any], config: StatisticsConfig, most_waves: int = 1
    ) -> None:
        config.require_channels(layout.spec)
        self.most_waves = most_waves
        self._layout, self._attributes, self._config = layout, dict(attributes), config
        self._accumulators = Accumulators(
            MemoryStore(), layout, config, Counted.nothing(len(layout.init_times)), most_waves
        )

    @property
    def done(self) -> frozenset[int]:
        """Positions of the waves that are whole."""
        return frozenset(self._accumulators.counted.waves)

    def write(self, start: tuple[int, int], places: Sequence[int], values: np.ndarray) -> None:
        """Count `[lead, number, channel, lat, lon]`; see `forecast.output.Output`."""
        self._accumulators.update(*start, values)

    def end_waves(self, waves: tuple[int, ...], failures: Failures) -> None:
        """Note that these waves are whole, and which of their members failed."""
        self._accumulators.end_waves(waves, failures)

    def drop(self) -> None:
        """Forget what was counted since the last end of waves."""
        self._accumulators.drop()

    def has_all(self, n_waves: int) -> bool:
        """Return whether so many waves, which are all, are whole."""
        return len(self.done) == n_waves

    def finish(self) -> xr.Dataset:
        """Return the statistics."""
        layout, leads = self._layout, slice(0, len(self._layout.lead_times))
        inits = range(len(layout.init_times))
        found = [results([self._accumulators], layout, self._config, init, leads) for init in inits]
        dataset = xr.concat(found, "init_time", data_vars="minimal", coords="minimal", compat="override", join="exact")
        failed = {(init, number): story for init, number, story in self._accumulators.counted.failed}
        exactness = _exactness(self._config, [self._accumulators.counted])
        return dataset.assign_attrs({**self._attributes, "failed": stories(failed), **exactness})

    def close(self) -> None:
        """Do nothing: memory is this process's own."""


class StatisticsOutput:
    """Reduces a forecast to statistics on disk, in memory that grows neither with leads nor with members.

    Each process that has a share counts its members in accumulators of its own; they are added up in the end.

    Args:
        unfinished: Where it is made.
        layout: Axes of the members.
        attributes: Global attributes.
        config: The statistics.
        most_waves: How many waves may be under way at once; what was begun keeps its own number.
        share: What this process does of it.

    Raises:
        UserError: There is no room, or another process has this share.
    """

    def __init__(
        self,
        unfinished: Unfinished[Counted],
        layout: Layout,
        attributes: Mapping[str, Any],
        config: StatisticsConfig,
        most_waves: int = 1,
        share: Share = WHOLE,
    ) -> None:
        config.require_channels(layout.spec)
        self._unfinished, self._share = unfinished, share
        self._layout, self._config, self._attributes = layout, config, dict(attributes)
        result_bytes = len(layout.init_times) * len(layout.lead_times) * config.result_bytes(layout.spec)
        own_bytes = accumulator_bytes(layout, config, most_waves)  # which are not compressed
        n_bytes = share.count * own_bytes + result_bytes
        unfinished.begin({**attributes, "most_waves": most_waves}, n_bytes, least=own_bytes)
        unfinished.lock(share)
        self.most_waves = int(unfinished.description["most_waves"])
        with explaining_errors(unfinished.path):
            self._accumulators = self._open(share.name, unfinished.record(share))

    @property
    def done(self) -> frozenset[int]:
        """Positions of the waves that are whole, whoever made them."""
        return self._unfinished.done()

    def write(self, start: tuple[int, int], places: Sequence[int], values: np.ndarray) -> None:
        """Count `[lead, number, channel, lat, lon]`; see `forecast.output.Output`."""
        with explaining_errors(self._unfinished.path):
            self._accumulators.update(*start, values)

    def end_waves(self, waves: tuple[int, ...], failures: Failures) -> None:
        """Note that these waves are whole, and which of their members failed."""
        self._unfinished.save(self._share, self._accumulators.end_waves(waves, failures))

    def drop(self) -> None:
        """Forget what was counted since the last end of waves."""
        self._accumulators.drop()

    def has_all(self, n_waves: int) -> bool:
        """Return whether so many waves, which are all, are whole."""
        return self._unfinished.has_all(n_waves)

    def finish(self) -> xr.Dataset:
        """Write the statistics of all shares, give the store its name, and open it."""
        unfinished = self._unfinished
        with unfinished.finishing() as is_to_do:
            if is_to_do:
                shutil.rmtree(unfinished.result, ignore_errors=True)
                unfinished.publish(self._write_results())
            return open_forecast(unfinished.path)

    def close(self) -> None:
        """Let other processes have this share."""
        self._unfinished.close()

    def _write_results(self) -> dict[str, Any]:
        """Write the statistics of all shares, and return what is to be said of them."""
        records = self._unfinished.records()
        parts = [self._open(name, record) for name, record in records.items()]
        group = self._create_result(results(parts, self._layout, self._config, 0, slice(0, 1)))
        for init in range(len(self._layout.init_times)):
            for leads in self._lead_pieces():
                piece = results(parts, self._layout, self._config, init, leads)
                for name, field in piece.data_vars.items():
                    group[str(name)][init : init + 1, leads] = field.values
        exactness = _exactness(self._config, list(records.values()))
        return {"failed": self._unfinished.stories(), **exactness}

    def _open(self, name: str, counted: Counted) -> Accumulators:
        """Open the accumulators of a share."""
        store = self._unfinished.store(f"{name}.accumulators")
        return Accumulators(store, self._layout, self._config, counted, self.most_waves)

    def _create_result(self, cell: xr.Dataset) -> Any:
        coords = {"init_time": self._layout.init_times, "lead_time": self._layout.lead_times}
        chunk = {"init_time": 1, "lead_time": self._layout.chunk[0]}
        return create_store(self._unfinished.store("result"), cell, coords, chunk, self._attributes)

    def _lead_pieces(self) -> list[slice]:
        n_leads, length = len(self._layout.lead_times), self._layout.chunk[0]
        return [slice(start, min(start + length, n_leads)) for start in range(0, n_leads, length)]


def results(
    parts: Sequence[Accumulators], layout: Layout, config: StatisticsConfig, init: int, leads: slice
) -> xr.Dataset:
    """Return the statistics of some leads of an initial time, over the members that any of `parts` has counted."""
    found: list[dict[str, np.ndarray]] = []
    for channels in channel_groups(layout):
        place = (init, leads, channels)
        moments: Moments = reduce(Moments.__add__, [part.moments(place) for part in parts])
        quantiles = _merged_quantiles(parts, config, place) if config.quantiles else None
        for within, position in enumerate(range(*channels.indices(layout.spec.n_channels))):
            own = None if quantiles is None else quantiles[:, :, within]
            above: np.ndarray = reduce(np.add, [part.n_above((init, leads), position) for part in parts])
            found.append(results_of(config, moments.at((slice(None), within)), above, own))
    return assemble(found, layout.spec, config, layout.init_times[init], layout.lead_times[leads])


def _merged_quantiles(parts: Sequence[Accumulators], config: StatisticsConfig, place: Place) -> np.ndarray:
    total, *others = (part.sketch(place) for part in parts)
    for other in others:
        total.merge(other)
    return total.quantiles(config.quantiles)


def _exactness(config: StatisticsConfig, records: Sequence[Counted]) -> dict[str, int]:
    """Return what a dataset says of its quantiles: by how many members their ranks may be off."""
    if not config.quantiles:
        return {}
    by_init = zip(*(record.n_members for record in records), strict=True)
    return {"quantile_rank_error": max(_rank_error(config.sketch_size, n_members) for n_members in by_init)}


def _rank_error(size: int, n_members: Sequence[int]) -> int:
    """Return by how many members ranks may be off where accumulators of so many members were added up."""
    total = Sketch.in_memory(size, (0,))
    for n in n_members:
        total.merge(Sketch(size, lambda _: np.empty((size, 0)), n))
    return total.rank_error
