"""Training that goes on from the weights of a checkpoint: one's own, or published ones."""

import json
from dataclasses import replace
from itertools import zip_longest
from typing import Any

import numpy as np

from weatherml.checkpoint import Checkpoint, Provenance
from weatherml.data.period import overlap
from weatherml.data.statistics.channel_statistics import Statistics
from weatherml.data.statistics.normalization import Normalizer
from weatherml.durations import format_duration
from weatherml.errors import UserError
from weatherml.errors.wording import counted
from weatherml.experiment.config import ExperimentConfig
from weatherml.grid import LatLonGrid
from weatherml.state import StateSpec
from weatherml.times import each_period, show_periods, write_periods

_OF_THE_TRAINING = {"dtype", "drop_path"}
"""Settings of a network that leave the meaning of its weights as it is."""


def load_start(config: ExperimentConfig, path: str, spec: StateSpec, step: np.timedelta64) -> Checkpoint:
    """Load the checkpoint that an experiment begins with, and require that it fits.

    Args:
        config: Of the experiment.
        path: Of the checkpoint.
        spec: The channels of the configuration on the grid of the data.
        step: Of the model that is wanted.

    Raises:
        UserError: It is no model that steps, or differs from the configuration or the data: the message says in what.
    """
    start = Checkpoint.load(path)
    if start.prediction == "diagnostic" and not config.outputs:
        raise UserError(f"start: {path} is a diagnostic, which gives no next state; pass a checkpoint of a model")
    if config.outputs and start.prediction != "diagnostic":
        raise UserError(f"start: {path} gives the next state and is no diagnostic; pass one, or set model as it has it")
    for key, theirs, ours in _settings(start, config):
        if theirs != ours:
            raise UserError(f"start: {path} has {key}={_written(theirs)}, not {_written(ours)}; set {key} as it has it")
    require_state("start", path, start.spec, spec)
    if config.time_step is None and step != start.time_step:
        raise UserError(
            f"start: {path} steps {format_duration(start.time_step)}, the data {format_duration(step)}; say which is"
            f" wanted: time_step={format_duration(start.time_step)}, or another to learn that from these weights"
        )
    require_unseen("start", path, start, config)
    return start


def fine_tuned(start: Checkpoint, config: ExperimentConfig, own: Statistics, provenance: Provenance) -> Checkpoint:
    """Return a model that is about to go on from the weights of another.

    Its states stay normalised as its weights have learned them, and it is told the same forcings. The size of one-step
    changes, which losses need and published files do not tell, is that of the data where the model did not know it.

    Args:
        start: Where it begins.
        config: Of the experiment, whose settings of the network hold.
        own: Statistics of the data.
        provenance: Of the experiment.

    Raises:
        UserError: The data have no values where the model needs some.
    """
    known = start.normalizer.statistics
    _require_cells(known, own)
    is_known = start.time_step == own.time_step and bool(np.isfinite(known.difference_std).all())
    statistics = replace(
        known,
        difference_std=known.difference_std if is_known else own.difference_std,
        time_step=own.time_step,
        period=write_periods((*each_period(known.period), *each_period(own.period))),
        n_times=0,
        values=own.values,
        store=own.store,
    )
    began = {"began_with": {"data": start.provenance.data, "step": start.provenance.step}}
    return replace(
        start,
        model=config.model,
        forcings=replace(start.forcings, time_step=own.time_step),
        normalizer=Normalizer(statistics, start.normalizer.climatology),
        provenance=replace(provenance, config={**provenance.config, **began}, licence=start.provenance.licence),
    )


def _settings(start: Checkpoint, config: ExperimentConfig) -> list[tuple[str, Any, Any]]:
    """Return what a checkpoint and a configuration must agree on, by key."""
    reference = "mean" if start.normalizer.climatology is None else "climatology"
    theirs, ours = (model.model_dump(mode="json", exclude=_OF_THE_TRAINING) for model in (start.model, config.model))
    return [
        *((f"model.{key}", theirs.get(key), ours.get(key)) for key in dict.fromkeys([*theirs, *ours])),
        ("prediction", start.prediction, config.prediction),
        ("forcings", list(start.forcings.names), list(config.forcings)),
        ("reference", reference, config.reference),
    ]


def _written(value: Any) -> str:
    """Return a value as it can be set."""
    return value if isinstance(value, str) else json.dumps(value).replace('"', "")


def require_unseen(key: str, path: str, model: Checkpoint, config: ExperimentConfig) -> None:
    """Require that a checkpoint, named by a key, has learned nothing from the test period.

    Raises:
        UserError: It has.
    """
    learned, test = model.normalizer.statistics.period, config.periods.test
    if overlap(learned, test):
        raise UserError(
            f"{key}: {path} has learned from {show_periods(learned)}, which overlaps the test period"
            f" {show_periods(test)}; what is learned from must not be judged on: choose another periods.test"
        )


def require_state(key: str, path: str, theirs: StateSpec, ours: StateSpec) -> None:
    """Require the channels, in their order, and the grid of a checkpoint that is named by a key.

    Raises:
        UserError: The configuration or the data have others.
    """
    if theirs.channels != ours.channels:
        places = zip_longest(theirs.names, ours.names, fillvalue="no more")
        place, (wanted, found) = next((i, pair) for i, pair in enumerate(places, 1) if pair[0] != pair[1])
        raise UserError(
            f"{key}: channel {place} of {path} is {wanted}, of the configuration {found}; set"
            f" channels=[{', '.join(theirs.names)}]"
        )
    if not theirs.grid.is_same(ours.grid):
        raise UserError(
            f"{key}: {path} has {_told(theirs.grid)}, the data {_told(ours.grid)}; ingest them on its grid:"
            " source.regrid=NAME, or source.latitude=[NORTH, SOUTH] to leave a row out"
        )


def _told(grid: LatLonGrid) -> str:
    return f"{grid.n_lat} x {grid.n_lon} points from {grid.latitude[0]:g} to {grid.latitude[-1]:g} degrees north"


def _require_cells(known: Statistics, own: Statistics) -> None:
    """Require values wherever a model takes some."""
    for name, theirs, ours in zip(known.spec.names, known.valid, own.valid, strict=True):
        n_missing = int((theirs & ~ours).sum())
        if n_missing:
            raise UserError(
                f"start: the model takes {name} in {counted(n_missing, 'cell')} where the data have no values; fill"
                " them before they are ingested, or begin with random weights"
            )
