"""One step of a forecast in SI units, with everything that it needs to know but the state and the time."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from weatherml.checkpoint import Checkpoint
from weatherml.data.statistics.forcings import FORCINGS, Forcings

OUTPUT = "next_state"
"""Name of what the file gives, `[batch, channel, lat, lon]`, SI units."""

# A forcing that is the same at these times of year and day does not change with time.
_TIMES = np.array(["2000-01-01T00", "2000-04-11T07", "2001-08-20T13", "2003-11-05T18"], "datetime64[ns]")

_MEANINGS = {
    "state": "SI units, NaN where a cell holds no data",
    "forcing": "what the model is told of the time of the state, as listed under 'forcing'",
    "calendar": (
        "harmonics of the climatology at the time of the state (row 0) and one step later (row 1): the products of"
        " [1, cos a, sin a, cos 2a, ...] ({n_annual} harmonics) and [1, cos d, sin d, ...] ({n_diurnal} harmonics), the"
        " latter varying fastest, where a is 2 pi (days since 2000-01-01 UTC) / 365.2425 and d is 2 pi (fraction of the"
        " UTC day)"
    ),
}


class PortableStep:
    """Normalises, steps, and denormalises.

    Inputs are float32 and named: `state [batch, channel, lat, lon]`; where the model is told what changes with time,
    `forcing [batch, forcing, lat, lon]` (fields that do not change are a part of the step); where its statistics
    refer to a climatology, `calendar [batch, 2, term]`.

    Args:
        checkpoint: Of a model that steps.

    Raises:
        UserError: The model is a diagnostic.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self._step = checkpoint.build_step()

    @cached_property
    def inputs(self) -> dict[str, tuple[int, ...]]:
        """The shape of each input, without the batch."""
        spec, climatology = self._checkpoint.spec, self._checkpoint.normalizer.climatology
        shapes: dict[str, tuple[int, ...]] = {"state": spec.shape}
        if self._varying.any():
            shapes["forcing"] = (int(self._varying.sum()), *spec.grid.shape)
        if climatology is not None:
            shapes["calendar"] = (2, len(climatology.coefficients))
        return shapes

    def __call__(self, **inputs: Array) -> Array:
        """Return the state one step later, `[batch, channel, lat, lon]`."""
        statistics = self._checkpoint.normalizer.statistics
        state, std = inputs["state"], statistics.std[:, None, None]
        before, after = self._references(inputs)
        normalized = self._where_valid((state - before) / std, 0)
        stepped = self._step(normalized, self._forcing(inputs, state.shape[0]))
        return self._where_valid(stepped * std + after, jnp.nan)

    def abstract_inputs(self, batch: Any) -> dict[str, jax.ShapeDtypeStruct]:
        """Return shape and type of all inputs for a batch of some size, a symbolic one perhaps."""
        return {
            name: jax.ShapeDtypeStruct((batch, *shape), jnp.float32)  # type: ignore[no-untyped-call]
            for name, shape in self.inputs.items()
        }

    def inputs_at(self, state: np.ndarray, times: np.ndarray) -> dict[str, np.ndarray]:
        """Return all inputs for a state in SI units `[batch, channel, lat, lon]` at `times [batch]`."""
        inputs, climatology = {"state": state}, self._checkpoint.normalizer.climatology
        if "forcing" in self.inputs:
            inputs["forcing"] = self._checkpoint.forcings.at(times)[:, self._varying]
        if climatology is not None:
            inputs["calendar"] = climatology.terms_at(times[:, None] + np.arange(2) * self._checkpoint.time_step)
        return inputs

    def describe(self) -> dict[str, str]:
        """Return what a person needs to use the file, JSON by key."""
        checkpoint, grid = self._checkpoint, self._checkpoint.spec.grid
        description = {
            "format": "weatherml forecast step, version 1",
            "inputs": self._describe_inputs(),
            "output": f"{OUTPUT} [batch, channel, lat, lon]: one time step later, as 'state'",
            "channels": [{"name": str(channel), "units": channel.units} for channel in checkpoint.spec.channels],
            "latitude": grid.latitude,
            "longitude": grid.longitude,
            "time_step_seconds": int(checkpoint.time_step / np.timedelta64(1, "s")),
            "forcing": self._describe_forcings(),
            "model": checkpoint.model.model_dump(mode="json"),
            "provenance": asdict(checkpoint.provenance),
            "licence": checkpoint.provenance.licence,
        }
        return {key: json.dumps(value, default=str) for key, value in description.items()}

    def _describe_inputs(self) -> dict[str, str]:
        climatology, axes = self._checkpoint.normalizer.climatology, {"calendar": "time, term"}
        harmonics = {"n_annual": 0, "n_diurnal": 0} if climatology is None else vars(climatology)
        return {
            name: f"[batch, {axes.get(name, 'channel, lat, lon')}]: {_MEANINGS[name].format(**harmonics)}"
            for name in self.inputs
        }

    def _describe_forcings(self) -> list[str]:
        """Say what each map of the input `forcing` is."""
        own, lines = self._checkpoint.forcings, []
        for name in own.names:
            n_maps = Forcings((name,), own.grid, own.time_step, own.dataset).n_maps
            lines += [f"{name}, map {k + 1} of {n_maps}: {FORCINGS[name].__doc__}" for k in range(n_maps)]
        return [line for line, varies in zip(lines, self._varying, strict=True) if varies]

    @cached_property
    def _maps(self) -> np.ndarray:
        """The forcings at some times of year and day, `[time, forcing, lat, lon]`."""
        return self._checkpoint.forcings.at(_TIMES)

    @cached_property
    def _varying(self) -> np.ndarray:
        """Whether a map changes with time, `[forcing]`."""
        changes: np.ndarray = (self._maps != self._maps[0]).any(axis=(0, 2, 3))
        return changes

    def _forcing(self, inputs: Mapping[str, Array], batch: Any) -> Array:
        """Return all maps `[batch, forcing, lat, lon]`: those that change, among those that are kept."""
        given = iter(jnp.moveaxis(inputs["forcing"], 1, 0) if "forcing" in inputs else ())
        shape = (batch, *self._maps.shape[2:])
        maps = [
            next(given) if varies else jnp.broadcast_to(kept, shape)
            for varies, kept in zip(self._varying, self._maps[0], strict=True)
        ]
        return jnp.stack(maps, axis=1) if maps else jnp.zeros((batch, 0, *shape[1:]), jnp.float32)

    def _where_valid(self, fields: Array, otherwise: float) -> Array:
        # Written into a file, a mask and what takes the place of the masked are two arrays of the size of the state.
        valid = self._checkpoint.normalizer.statistics.valid
        return fields if valid.all() else jnp.where(valid, fields, otherwise)

    def _references(self, inputs: Mapping[str, Array]) -> tuple[ArrayLike, ArrayLike]:
        """Return what normalisation subtracts before the step, and what it adds after it."""
        normalizer = self._checkpoint.normalizer
        if normalizer.climatology is None:
            return 2 * (normalizer.statistics.mean[:, None, None],)
        coefficients = normalizer.climatology.coefficients
        normal = jnp.einsum("btk,kcyx->tbcyx", inputs["calendar"], coefficients, precision=jax.lax.Precision.HIGHEST)
        return normal[0], normal[1]
