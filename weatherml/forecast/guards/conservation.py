"""Area means that a forecast keeps: after every step one uniform shift of a field brings them back."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from weatherml.column import GRAVITY
from weatherml.errors import UserError
from weatherml.forecast.guards.units import Units
from weatherml.registry import Registry
from weatherml.state import StateSpec, channels_named

Budget = Mapping[str, float]
"""Channels and their factors in a sum whose area mean is kept; the first, whose factor is 1, is shifted."""

budgets: Registry[Callable[[StateSpec], Budget]] = Registry("conserved quantity")


@budgets.register("dry_air")
def _dry_air(spec: StateSpec) -> Budget:
    """Return surface pressure less the weight of water vapour (Trenberth and Smith 2005), as far as the state has it.

    Raises:
        UserError: The state has no pressure at a fixed height.
    """
    pressure = next((name for name in ("surface_pressure", "mean_sea_level_pressure") if name in spec.names), None)
    if pressure is None:
        raise UserError(
            "conserve 'dry_air' needs surface_pressure or mean_sea_level_pressure, which the state lacks; leave it out"
        )
    has_vapour = pressure == "surface_pressure" and "total_column_water_vapour" in spec.names
    return {pressure: 1.0} | ({"total_column_water_vapour": -GRAVITY} if has_vapour else {})


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Conserved:
    """One area mean that is kept, exactly in physical units although the reference has a mean of its own.

    Attributes:
        channels: Positions; the first is shifted.
        weights: Of normalised values in the mean, SI units `[channel, lat, lon]`; 0 where not valid.
        reference: What each term of the reference adds to the mean, `[term]`.
        scale: What one unit of the shifted channel is.
        valid: Where it has values, bool `[lat, lon]`.
    """

    channels: tuple[int, ...] = field(metadata={"static": True})
    weights: Array
    reference: Array
    scale: Array
    valid: Array

    @classmethod
    def build(cls, budget: Budget, spec: StateSpec, units: Units) -> Self:
        """Build from the factors of channels and the units of the state."""
        channels = [spec.index(name) for name in budget]
        own: Units = jax.tree.map(np.asarray, units.select(channels))
        areas = own.valid * spec.grid.area_weights().astype(np.float64)
        shares = np.array(list(budget.values()))[:, None, None] * areas / areas.sum(axis=(1, 2), keepdims=True)
        weights = shares * own.scale[:, None, None]
        reference = (own.coefficients * shares).sum(axis=(1, 2, 3))
        arrays = (weights.astype(np.float32), reference.astype(np.float32), own.scale[0], own.valid[0])
        return cls(tuple(channels), *map(jnp.asarray, arrays))

    def mean(self, states: Array, terms: ArrayLike) -> Array:
        """Return the area mean of states `[batch, channel, lat, lon]` at terms `[batch, term]`, SI units `[batch]`."""
        summands = zip(self.channels, self.weights, strict=True)
        of_states = [_contract("byx,yx->b", states[:, channel], weights) for channel, weights in summands]
        return sum(of_states, start=_contract("bt,t->b", terms, self.reference))

    def remember(self, states: Array, terms: ArrayLike) -> Array:
        """Remember the area mean of the initial states, SI units `[batch]`."""
        mean: Array = _mean(self, states, terms)
        return mean

    def __call__(self, remembered: Array, before: Array, following: Array, step: Any) -> Array:
        """Return the states with the area mean that is remembered; one that is not finite changes nothing."""
        shift = (remembered - self.mean(following, step.terms)) / self.scale
        shift = jnp.where(jnp.isfinite(shift), shift, 0)[:, None, None] * self.valid
        return following.at[:, self.channels[0]].add(shift)


@jax.jit
def _mean(conserved: Conserved, states: Array, terms: ArrayLike) -> Array:
    return conserved.mean(states, terms)


_contract = partial(jnp.einsum, precision=jax.lax.Precision.HIGHEST)


def build_conserved(names: Sequence[str], spec: StateSpec, units: Units) -> tuple[Conserved, ...]:
    """Return what keeps named quantities, channels and variables; those of one channel come first.

    Raises:
        UserError: A name is unknown, or two shift the same channel.
    """
    found = [budget for name in names for budget in _budgets(name, spec)]
    shifted = [next(iter(budget)) for budget in found]
    for channel in shifted:
        if shifted.count(channel) > 1:
            raise UserError(f"conserve {list(names)} would shift {channel} twice; leave one out")
    return tuple(Conserved.build(budget, spec, units) for budget in sorted(found, key=len))


def _budgets(name: str, spec: StateSpec) -> list[Budget]:
    if name in budgets:
        return [budgets[name](spec)]
    return [{spec.names[channel]: 1.0} for channel in channels_named("conserve", name, spec, budgets)]
