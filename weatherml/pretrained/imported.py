"""What every import shares: a checkpoint from published parts, where they come from, and what to say about it."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from flax import nnx

from weatherml.checkpoint import Checkpoint, Provenance
from weatherml.config import Config
from weatherml.data.statistics.channel_statistics import Statistics
from weatherml.data.statistics.forcings import Forcings
from weatherml.data.statistics.normalization import Normalizer
from weatherml.models import DiagnosticConfig, NetworkConfig, Step
from weatherml.models.weights import weights_of
from weatherml.state import StateSpec


@dataclass(frozen=True, eq=False)
class Imported:
    """Published weights as a checkpoint.

    Attributes:
        checkpoint: Ready to forecast with.
        notes: What was found in the files and how, by subject.
    """

    checkpoint: Checkpoint
    notes: Mapping[str, str]

    @property
    def report(self) -> dict[str, str]:
        """What to tell the person who imports, by subject."""
        checkpoint, grid = self.checkpoint, self.checkpoint.spec.grid
        n_parameters = sum(int(np.size(array)) for array in checkpoint.weights.values())
        n_hours = checkpoint.time_step / np.timedelta64(1, "h")
        return {
            "model": f"{checkpoint.model.name}, {checkpoint.spec.n_channels} channels, {grid.n_lat} x {grid.n_lon}",
            "parameters": f"{n_parameters:,}",
            "step": f"{n_hours:g}h",
            **self.notes,
            "source": checkpoint.provenance.data,
            "licence": checkpoint.provenance.licence,
        }


def fill(
    model: NetworkConfig | DiagnosticConfig,
    normalizer: Normalizer,
    provenance: Provenance,
    load: Callable[[nnx.Module], None],
) -> Checkpoint:
    """Return a checkpoint of a network that gives the next state, or of a diagnostic, and is told nothing beside it.

    Args:
        model: Sizes of the network.
        normalizer: Says what the state is.
        provenance: Where the weights come from.
        load: Sets every parameter of a network.
    """
    spec, statistics = normalizer.spec, normalizer.statistics
    forcings = Forcings((), spec.grid, statistics.time_step)
    if isinstance(model, DiagnosticConfig):
        network = nnx.eval_shape(lambda: model.build(spec, nnx.Rngs(0)))
        load(network)
        return Checkpoint(model, forcings, normalizer, weights_of(network), provenance, "diagnostic")
    network = nnx.eval_shape(lambda: model.build(spec, 0, nnx.Rngs(0)))
    load(network)
    weights = weights_of(Step(network, None, statistics.valid))
    return Checkpoint(model, forcings, normalizer, weights, provenance, "state")


def provenance_of(model: Config, licence: str, **files: str | Path | None) -> Provenance:
    """Return where weights come from: names and fingerprints of the files, among them `weights`."""
    paths = {kind: Path(path) for kind, path in files.items() if path is not None}
    content = {kind: f"{path.name}, sha256 {fingerprint(path)}" for kind, path in paths.items()}
    return Provenance(
        {"model": model.model_dump(mode="json"), "imported": content}, content["weights"], licence=licence
    )


def fingerprint(path: Path) -> str:
    """Return the SHA-256 digest of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def normalizer_of(
    spec: StateSpec, mean: np.ndarray, std: np.ndarray, time_step: np.timedelta64, period: tuple[str, str]
) -> Normalizer:
    """Return a normaliser from published statistics, `mean` and `std` float32 `[channel]` in SI units.

    What is not published is marked as not known: one-step changes are NaN, and the number of times is zero.
    """
    unknown = np.full_like(std, np.nan)
    return Normalizer(Statistics(spec, mean, std, unknown, np.ones(spec.shape, bool), time_step, period, n_times=0))
