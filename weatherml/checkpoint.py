"""A model as one self-contained directory: its weights, and everything needed to step with them."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, Self, TypeVar, cast

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from flax import nnx
from jax import Array

from weatherml.checkpoint_folder import DESCRIPTION, FORMAT, read_description, sizes
from weatherml.config import from_mapping
from weatherml.data.statistics.channel_statistics import Statistics
from weatherml.data.statistics.climatology import Climatology
from weatherml.data.statistics.forcings import Forcings
from weatherml.data.statistics.normalization import Normalizer
from weatherml.errors import UserError
from weatherml.models import DiagnosticConfig, NetworkConfig, NoiseMaps, Step, diagnostics
from weatherml.models import registry as models
from weatherml.models.weights import Weights, weights_of, with_weights
from weatherml.parallel import require_devices
from weatherml.state import Channel, StateSpec, parse_channels
from weatherml.storage.files import write_netcdf
from weatherml.storage.folders import read_folder, replacing_folder
from weatherml.storage.locations import local_folder, local_path

Prediction = Literal["tendency", "state"]
"""Whether a network gives the change over a time step in units of its standard deviation, or the next state itself."""

Meaning = Prediction | Literal["diagnostic"]
"""What a model gives: a step of the state, in one of two ways, or other fields that follow from a state."""

_PACKAGES = ("weatherml", "jax", "flax", "optax", "orbax-checkpoint", "grain", "numpy")


def package_versions() -> dict[str, str]:
    """Return the installed versions of the packages that results depend on."""
    return {name: version(name) for name in _PACKAGES}


@dataclass(frozen=True)
class Provenance:
    """Where weights come from.

    Attributes:
        config: The resolved configuration of the experiment, plain values.
        data: Digest of the data it was trained on; of imported weights, name and digest of their file.
        packages: Versions by package name.
        step: Optimiser steps taken.
        validation_loss: With these weights; None before the first validation.
        licence: Terms of use of imported weights; empty for weights of one's own.
    """

    config: Mapping[str, Any]
    data: str
    packages: Mapping[str, str] = field(default_factory=package_versions)
    step: int = 0
    validation_loss: float | None = None
    licence: str = ""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A model, trained or about to be.

    Attributes:
        model: Sizes of the network; of a class in the registry of models, or in that of diagnostics.
        forcings: What the network is told beside the state; diagnostics are told nothing.
        normalizer: Statistics, and the climatology where values are anomalies.
        weights: The step's; after training, the running average that forecasts use. Drawn or loaded ones are in memory
            of the host, and take none of a device until a step is built.
        provenance: Where the weights come from.
        prediction: What the network's output means.
    """

    model: NetworkConfig | DiagnosticConfig
    forcings: Forcings
    normalizer: Normalizer
    weights: Weights
    provenance: Provenance
    prediction: Meaning = "tendency"

    @classmethod
    def initialize(
        cls,
        model: NetworkConfig | DiagnosticConfig,
        forcings: Forcings,
        normalizer: Normalizer,
        provenance: Provenance,
        seed: int,
        prediction: Meaning = "tendency",
    ) -> Self:
        """Return a model with random weights.

        Raises:
            UserError: There is no device to compute on.
        """
        require_devices()
        outline = cls.outline(model, forcings, normalizer, provenance, prediction)
        # Compiled as a whole: drawing array by array compiles a program for each.
        return replace(outline, weights=jax.device_get(jax.jit(lambda: outline._draw_weights(seed))()))

    @classmethod
    def outline(
        cls,
        model: NetworkConfig | DiagnosticConfig,
        forcings: Forcings,
        normalizer: Normalizer,
        provenance: Provenance,
        prediction: Meaning = "tendency",
    ) -> Self:
        """Return a model whose weights are shapes and types alone; its step can be lowered, not run."""
        bare = cls(model, forcings, normalizer, {}, provenance, prediction)
        return replace(bare, weights=jax.eval_shape(lambda: bare._draw_weights(0)))

    def __post_init__(self) -> None:
        if isinstance(self.model, DiagnosticConfig) != (self.prediction == "diagnostic"):
            raise ValueError(f"prediction 'diagnostic' is for diagnostics alone, got {self.prediction!r}: {self.model}")

    @property
    def spec(self) -> StateSpec:
        """What the channels are."""
        return self.normalizer.spec

    @property
    def outputs(self) -> tuple[Channel, ...]:
        """The channels that the model gives: those of the state, or a diagnostic's own."""
        return parse_channels(self.model.outputs) if isinstance(self.model, DiagnosticConfig) else self.spec.channels

    @property
    def time_step(self) -> np.timedelta64:
        """Time from one state to the next, `timedelta64[ns]`."""
        return self.normalizer.statistics.time_step

    def build_step(self) -> Step:
        """Build one normalised step with these weights.

        Raises:
            UserError: The model is a diagnostic, or the weights are not those of this model and state.
        """
        if self.prediction == "diagnostic":
            gives = ", ".join(map(str, self.outputs))
            raise UserError(
                f"{self.model.name} is a diagnostic, which gives {gives} but no next state; use it beside a model that"
                " steps: weatherml forecast MODEL --diagnostic DIAGNOSTIC"
            )
        return cast(Step, self._build())

    def build_diagnostic(self) -> nnx.Module:
        """Build a module from normalised states `[batch, channel, lat, lon]` to SI units `[batch, output, lat, lon]`.

        Raises:
            UserError: The model is a step, or the weights are not those of this model and state.
        """
        if self.prediction != "diagnostic":
            raise UserError(f"{self.model.name} gives the next state and is no diagnostic; forecast with it directly")
        return self._build()

    def build_noise(self) -> NoiseMaps | None:
        """Build what draws the random maps that the step is told; None where it is told none."""
        if isinstance(self.model, DiagnosticConfig) or self.model.noise is None:
            return None
        return self.model.noise.build(self.spec.grid)

    def save(self, path: str | Path) -> None:
        """Write the directory `path`, whole or not at all; an older checkpoint there is replaced.

        Raises:
            UserError: `path` holds something else, cannot be written, or another process has been writing it for long.
        """
        path = local_folder(path, "a checkpoint, which is a folder,")
        with replacing_folder(path, "checkpoint") as folder:
            _require_replaceable(path)
            self.normalizer.statistics.save(folder / "statistics.nc")
            if self.normalizer.climatology is not None:
                self.normalizer.climatology.save(folder / "climatology.nc")
            if self.forcings.dataset is not None:
                write_netcdf(folder / "static.nc", self.forcings.dataset)
            _write_weights(folder / "weights.npz", self.weights)
            description = self._describe() | {"files": sizes(folder)}
            (folder / DESCRIPTION).write_text(json.dumps(description, indent=1))

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `save` wrote.

        Raises:
            UserError: `path` is not a checkpoint, is incomplete, or was written by a later version; or there is no
                device to compute on.
        """
        path = local_path(path)
        require_devices()
        return read_folder(path, cls._read)

    @classmethod
    def _read(cls, path: Path) -> Self:
        description = read_description(path)
        statistics = Statistics.load(path / "statistics.nc")
        climatology = _load_if_present(path / "climatology.nc", Climatology.load)
        static = _load_if_present(path / "static.nc", partial(xr.load_dataset, engine="netcdf4"))
        names = tuple(description["forcings"])
        return cls(
            _build_model_config(description, str(path)),
            Forcings(names, statistics.spec.grid, statistics.time_step, static),
            Normalizer(statistics, climatology),
            _read_weights(path / "weights.npz"),
            Provenance(**description["provenance"]),
            description["prediction"],
        )

    def _describe(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "model": self.model.model_dump(mode="json"),
            "forcings": self.forcings.names,
            "prediction": self.prediction,
            "outputs": [str(channel) for channel in self.outputs],
            "provenance": asdict(self.provenance),
        }

    def _build(self) -> nnx.Module:
        module = self._wrap(nnx.eval_shape(lambda: self._build_network(0)))
        _require_fitting(self.weights, weights_of(module))
        return with_weights(module, {name: _on_device(array) for name, array in self.weights.items()})

    def _draw_weights(self, seed: int) -> dict[str, Array]:
        return weights_of(self._wrap(self._build_network(seed)))

    def _build_network(self, seed: int) -> nnx.Module:
        if isinstance(self.model, DiagnosticConfig):
            return self.model.build(self.spec, nnx.Rngs(seed))
        return self.model.build(self.spec, self.forcings.n_maps + self.model.n_noise, nnx.Rngs(seed))

    def _wrap(self, network: nnx.Module) -> nnx.Module:
        """Put a step around a network; a diagnostic needs nothing around it."""
        if isinstance(self.model, DiagnosticConfig):
            return network
        statistics = self.normalizer.statistics
        scale = statistics.tendency_scale() if self.prediction == "tendency" else None
        return Step(network, scale, statistics.valid, self.model.n_noise)


T = TypeVar("T")


def _on_device(array: Any) -> Any:
    return jnp.asarray(array) if isinstance(array, np.ndarray) else array  # abstract ones are neither here nor there


def _build_model_config(description: Mapping[str, Any], origin: str) -> NetworkConfig | DiagnosticConfig:
    content = description["model"]
    if description["prediction"] == "diagnostic":
        return from_mapping(diagnostics[content["name"]], content, origin)
    return from_mapping(models[content["name"]], content, origin)


def _require_fitting(weights: Weights, expected: Weights) -> None:
    if missing := sorted(set(expected) - set(weights)):
        raise UserError(f"weights lack {missing[0]!r}, which the model has; load a checkpoint of the same model")
    if unknown := sorted(set(weights) - set(expected)):
        raise UserError(f"weights have {unknown[0]!r}, which the model lacks; load a checkpoint of the same model")
    for name, array in expected.items():
        if np.shape(weights[name]) != array.shape:
            raise UserError(
                f"weights {name!r} have shape {np.shape(weights[name])} where model, channels, forcings and grid need"
                f" {array.shape}; load a checkpoint of the same state"
            )


def _require_replaceable(path: Path) -> None:
    """Require that nothing but a checkpoint is at a path."""
    if path.exists() and not (path / DESCRIPTION).exists():
        raise UserError(f"{path} exists and is not a checkpoint; choose another path")


def _load_if_present(path: Path, load: Callable[[Path], T]) -> T | None:
    return load(path) if path.exists() else None


def _write_weights(path: Path, weights: Weights) -> None:
    np.savez(path, **{name: np.asarray(array) for name, array in weights.items()})  # type: ignore[arg-type]


def _read_weights(path: Path) -> dict[str, Any]:
    with np.load(path) as arrays:
        return {name: arrays[name] for name in arrays}
