"""What is to be trained: an experiment, and the state that its data give, known without reading any."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

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
from weatherml.experiment.config import ExperimentConfig
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
    """

    config: ExperimentConfig
    spec: StateSpec
    static: tuple[str, ...]
    time_step: np.timedelta64
    known_from: str

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
        normalizer = Normalizer(unit_statistics(self.spec, self.time_step))
        none = Provenance({}, "none")
        return Checkpoint.outline(self.config.model, forcings, normalizer, none, self.config.prediction)

    @property
    def batch_sizes(self) -> tuple[int, ...]:
        """Samples of an optimiser step in every stage."""
        training = self.config.training
        return tuple(training.batch_size_of(stage) for stage in training.stages)

    @property
    def heaviest_stage(self) -> int:
        """Position of the stage that takes most memory: of a long rollout the activations of one step are kept."""
        rollouts = (stage.rollout for stage in self.config.training.stages)
        kept = [rollout if rollout <= N_KEPT else 1 + rollout / 20 for rollout in rollouts]
        weights = [size * steps for size, steps in zip(self.batch_sizes, kept, strict=True)]
        return weights.index(max(weights))

    def require_devices(self, n_devices: int) -> Layout:
        """Require of devices, which need not be here, all that a training requires of them; return what lies where.

        Raises:
            UserError: The mesh does not divide them, batches, members, the grid or the network.
        """
        config = self.config
        layout = config.training.lay_out(config.model, self.spec.grid.shape, n_devices)
        layout.require_split(self.outline.weights)
        return layout

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
        )


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
