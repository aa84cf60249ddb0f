"""What is to be trained: an experiment, and the state that its data give, known without reading any."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import xarray as xr

from weatherml.checkpoint import Checkpoint, Provenance
from weatherml.config import from_mapping
from weatherml.data.reading.canonical import STATIC
from weatherml.data.statistics.forcings import Forcings
from weatherml.data.statistics.normalization import Normalizer
from weatherml.data.store.opening import open_store
from weatherml.durations import parse_duration
from weatherml.errors import UserError
from weatherml.errors.wording import listed
from weatherml.experiment.config import ExperimentConfig
from weatherml.experiment.diagnosis import load_stepper
from weatherml.experiment.feasibility import Holdings, unit_statistics
from weatherml.grid import LatLonGrid
from weatherml.parallel import Layout
from weatherml.state import StateSpec, levels_in, parse_channels
from weatherml.training.objective.rollout import N_KEPT

_SIX_HOURS = np.timedelta64(6, "h")
_NO_TIMES = np.array([], "datetime64[ns]")


@dataclass(frozen=True, eq=False)
class Problem:
    """A training, as far as its size follows from it.

    Attributes:
        config: The experiment.
        spec: Channels and grid.
        static: Names of fields without time that forcings may read.
        time_step: Of the model, `timedelta64`.
        known_from: What told the grid: `store`, `source` or `--grid`.
        n_validated: Model steps of validations, where they are of stages, too, that are not looked at.
    """

    config: ExperimentConfig
    spec: StateSpec
    static: tuple[str, ...]
    time_step: np.timedelta64
    known_from: str
    n_validated: int = 1

    @classmethod
    def of(cls, config: ExperimentConfig, folder: Path, grid: LatLonGrid | None = None) -> Self:
        """Ask a grid that is named, the store of a run, or the source, whichever is there first.

        Raises:
            UserError: None of them tells, or the data lack a channel.
        """
        if grid is not None:
            return cls._on(config, Holdings(_NO_TIMES, (), tuple(STATIC), grid), "--grid")
        if (folder / "data.zarr").exists():
            return cls._on(config, Holdings.of_store(open_store(folder / "data.zarr")), "store")
        try:
            return cls._on(config, Holdings.of_source(config.source.source(folder)), "source")
        except (UserError, OSError) as error:
            raise UserError(
                f"the grid is not known without data: {error}; or name it: weatherml plan CONFIG --grid 721x1440"
            ) from None

    @classmethod
    def _on(cls, config: ExperimentConfig, holdings: Holdings, known_from: str) -> Self:
        spec = StateSpec(parse_channels(config.channels, levels_in(holdings.channels)), holdings.grid)
        times = holdings.times
        if len(times) > 1:
            step = config.step_of(times)
        else:
            step = _SIX_HOURS if config.time_step is None else parse_duration(config.time_step)
        return cls(config, spec, holdings.static, step, known_from)

    @cached_property
    def outline(self) -> Checkpoint:
        """The model, without values of its weights."""
        zeros = np.broadcast_to(np.float32(0), self.spec.grid.shape)
        fields = xr.Dataset({name: (("latitude", "longitude"), zeros) for name in self.static})
        forcings = Forcings(self.config.forcings, self.spec.grid, self.time_step, fields)
        own = unit_statistics(self.spec, self.time_step)
        normalizer = Normalizer(own) if self.stepper is None else self.stepper.normalizer
        none = Provenance({}, "none")
        return Checkpoint.outline(self.config.model, forcings, normalizer, none, self.config.prediction)

    @property
    def sampled(self) -> StateSpec:
        """Channels of a batch: of the state, and after them what a diagnostic learns to give."""
        return StateSpec((*self.spec.channels, *self.config.outputs), self.spec.grid)

    @cached_property
    def stepper(self) -> Checkpoint | None:
        """The model of whose forecasts a diagnostic is trained; None of analyses, and of what steps itself."""
        path = self.config.stepper
        return None if path is None else load_stepper(self.config, path, self.spec, self.time_step)

    @property
    def forcings(self) -> Forcings:
        """What a batch holds beside the states."""
        return self.outline.forcings if self.stepper is None else self.stepper.forcings

    @property
    def batch_sizes(self) -> tuple[int, ...]:
        """Samples of an optimiser step in every stage."""
        training = self.config.training
        return tuple(training.batch_size_of(stage) for stage in training.stages)

    @property
    def longest_rollout(self) -> int:
        """Model steps of validations."""
        return max(self.n_validated, self.config.training.longest_rollout)

    def by_mesh(self, n_devices: int) -> "list[Part]":
        """Return the stages of each mesh as a problem of their own, in the order in which they begin.

        Raises:
            UserError: A stage does not suit the devices, which need not be here.
        """
        layouts, stages = self.require_devices(n_devices), self.config.training.stages
        if len(set(layouts)) == 1:
            return [Part(tuple(range(len(stages))), self)]
        of_mesh: dict[Layout, list[int]] = {}
        for position, layout in enumerate(layouts):
            of_mesh.setdefault(layout, []).append(position)
        return [Part(tuple(positions), self.of_stages(positions)) for positions in of_mesh.values()]

    def of_stages(self, positions: Sequence[int]) -> Self:
        """Return some stages, which share a mesh, alone; their validations are those of all."""
        told, training = self.config.model_dump(mode="json"), self.config.training
        mesh = training.shares[positions[0]].mesh.model_dump(mode="json")
        stages = [told["training"]["stages"][position] | {"mesh": None} for position in positions]
        told["training"] |= {"stages": stages, "mesh": mesh, "profile_steps": None}
        return replace(self, config=from_mapping(ExperimentConfig, told, "plan"), n_validated=self.longest_rollout)

    @property
    def heaviest_stage(self) -> int:
        """Position of the stage that takes most memory: of a long rollout the activations of one step are kept."""
        rollouts = (stage.rollout for stage in self.config.training.stages)
        kept = [rollout if rollout <= N_KEPT else 1 + rollout / 20 for rollout in rollouts]
        weights = [size * steps for size, steps in zip(self.batch_sizes, kept, strict=True)]
        return weights.index(max(weights))

    def require_devices(self, n_devices: int) -> tuple[Layout, ...]:
        """Require of devices, which need not be here, all that a training requires; return what lies where by stage.

        Raises:
            UserError: A mesh does not divide them, batches, members, the grid or the network.
        """
        training = self.config.training
        layouts = training.lay_out(self.config.model, self.spec.grid.shape, n_devices)
        for layout, share in zip(layouts, training.shares, strict=True):
            share.require_split(layout, self.outline.weights)
        return layouts

    def with_config(self, config: ExperimentConfig) -> Self:
        """Return the same data for another experiment."""
        return replace(self, config=config)

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` reads, plain values."""
        return {
            "config": self.config.model_dump(mode="json"),
            "spec": self.spec.to_json(),
            "static": self.static,
            "hours": self.time_step / np.timedelta64(1, "h"),
            "known_from": self.known_from,
            "n_validated": self.n_validated,
        }

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> Self:
        """Read what `to_json` gave."""
        minutes = np.timedelta64(round(60 * told["hours"]), "m")
        return cls(
            from_mapping(ExperimentConfig, told["config"], "plan"),
            StateSpec.from_json(told["spec"]),
            tuple(told["static"]),
            minutes.astype("timedelta64[ns]"),
            told["known_from"],
            told["n_validated"],
        )


class Part(NamedTuple):
    """Some stages of a training, which share a mesh.

    Attributes:
        positions: Of these, counted from 0.
        problem: What is trained in them.
    """

    positions: tuple[int, ...]
    problem: Problem

    @property
    def name(self) -> str:
        """What people call them."""
        return f"stage{'s' * (len(self.positions) > 1)} {listed(position + 1 for position in self.positions)}"


def parse_grid(text: str) -> LatLonGrid:
    """Read `721x1440`: rows and columns of an equally spaced grid; an odd number of rows has the poles.

    Raises:
        UserError: It is no grid.
    """
    rows, sign, columns = text.lower().replace(" ", "").partition("x")
    if not (sign and rows.isdigit() and columns.isdigit()):
        raise UserError(f"--grid {text!r} must be rows x columns, such as 721x1440")
    n_lat, n_lon = int(rows), int(columns)
    if not (2 <= n_lat <= 20_000 and 2 <= n_lon <= 40_000):
        raise UserError(f"--grid {text} has sizes that no global grid has; write it as 721x1440")
    return LatLonGrid.regular(n_lat, n_lon, poles=n_lat % 2 == 1)
