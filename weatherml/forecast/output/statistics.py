"""Forecasts that keep statistics instead of members, in memory or on disk; every member counts once."""

import shutil
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np
import xarray as xr

from weatherml.forecast.output.memory import Work
from weatherml.forecast.output.stopped import sentences
from weatherml.forecast.plan.batches import Layout
from weatherml.forecast.statistics.accumulators import Accumulators, Counted, Place, accumulator_bytes, channel_groups
from weatherml.forecast.statistics.config import StatisticsConfig
from weatherml.forecast.statistics.dataset import assemble, results_of
from weatherml.forecast.workdir import Stopped, explaining_errors
from weatherml.products.store import create_store, empty_dataset, open_forecast
from weatherml.storage.share import WHOLE, Share
from weatherml.streaming.moments import Moments
from weatherml.streaming.sketch import Sketch


class StatisticsOutput:
    """Reduces a forecast to statistics on disk, in memory that grows neither with leads nor with members.

    Each process that has a share counts its members in accumulators of its own; they are added up in the end.

    Args:
        work: Where it is made.
        layout: Axes of the members.
        attributes: Global attributes.
        config: The statistics.
        most_batches: How many batches may be under way at once; what was begun keeps its own number.
        share: What this process does of it.

    Raises:
        UserError: There is no room, or another process has this share.
    """

    def __init__(
        self,
        work: Work[Counted],
        layout: Layout,
        attributes: Mapping[str, Any],
        config: StatisticsConfig,
        most_batches: int = 1,
        share: Share = WHOLE,
    ) -> None:
        config.require_channels(layout.spec)
        self._work, self._share = work, share
        self._layout, self._config, self._attributes = layout, config, dict(attributes)
        result_bytes = len(layout.init_times) * len(layout.lead_times) * config.result_bytes(layout.spec)
        own_bytes = accumulator_bytes(layout, config, most_batches)  # which are not compressed
        n_bytes = share.count * own_bytes + result_bytes
        work.begin({**attributes, "most_batches": most_batches}, n_bytes, least=own_bytes)
        work.lock(share)
        self.most_batches = int(work.description["most_batches"])
        with explaining_errors(work.path):
            self._accumulators = self._open(share.name, work.record(share))

    @property
    def done(self) -> frozenset[int]:
        """Positions of the batches that are whole, whoever made them."""
        return self._work.done()

    def write(self, start: tuple[int, int], places: Sequence[int], values: np.ndarray) -> None:
        """Count `[lead, number, channel, lat, lon]`; see `forecast.output.Output`."""
        with explaining_errors(self._work.path):
            self._accumulators.update(*start, values)

    def end_batches(self, batches: tuple[int, ...], stopped: Sequence[Stopped]) -> None:
        """Note that these batches are whole, and which of their members stopped."""
        self._work.save(self._share, self._accumulators.end_batches(batches, stopped))

    def drop(self) -> None:
        """Forget what was counted since the last end of batches."""
        self._accumulators.drop()

    def has_all(self, n_batches: int) -> bool:
        """Return whether so many batches, which are all, are whole."""
        return self._work.has_all(n_batches)

    def finish(self) -> xr.Dataset:
        """Return the statistics of all shares; a store gets its name."""
        work = self._work
        if work.path is None:
            return self._results_in_memory()
        with work.finishing() as is_to_do:
            if is_to_do:
                shutil.rmtree(work.result, ignore_errors=True)
                self._write_results()
                work.publish(self._notes)
            return open_forecast(work.path)

    def close(self) -> None:
        """Let other processes have this share."""
        self._work.close()

    def _results_in_memory(self) -> xr.Dataset:
        dataset = empty_dataset(self._cell, self._coords)
        self._fill({str(name): field.values for name, field in dataset.data_vars.items()})
        return dataset.assign_attrs({**self._attributes, **self._notes})

    def _write_results(self) -> None:
        chunk = {"init_time": 1, "lead_time": self._layout.chunk[0]}
        group = create_store(self._work.store("result"), self._cell, self._coords, chunk, self._attributes)
        self._fill(dict(group.arrays()))

    def _fill(self, fields: Mapping[str, Any]) -> None:
        """Place all results, a chunk of leads at a time."""
        for init in range(len(self._layout.init_times)):
            for chunk in self._layout.chunks:
                leads = slice(chunk.start, chunk.stop)
                piece = results(self._parts, self._layout, self._config, init, leads)
                for name, field in piece.data_vars.items():
                    fields[str(name)][init : init + 1, leads] = field.values

    @property
    def _notes(self) -> dict[str, Any]:
        failed = sentences(self._layout, self._work.stopped())
        return {"failed": failed, **_exactness(self._config, list(self._work.records().values()))}

    @property
    def _parts(self) -> list[Accumulators]:
        """The accumulators of all shares."""
        if self._work.path is None:
            return [self._accumulators]
        return [self._open(name, record) for name, record in self._work.records().items()]

    @property
    def _cell(self) -> xr.Dataset:
        return results(self._parts, self._layout, self._config, 0, slice(0, 1))

    @property
    def _coords(self) -> dict[str, np.ndarray]:
        return {"init_time": self._layout.init_times, "lead_time": self._layout.lead_times}

    def _open(self, name: str, counted: Counted) -> Accumulators:
        """Open the accumulators of a share."""
        return Accumulators(
            self._work.store(f"{name}.accumulators"), self._layout, self._config, counted, self.most_batches
        )


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
