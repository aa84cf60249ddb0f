"""What training minimises: distances between a normalised forecast, or an ensemble of them, and the truth."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Self

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from pydantic import PositiveInt, model_validator

from weatherml.config import Config
from weatherml.data.statistics.channel_statistics import Statistics
from weatherml.errors import UserError
from weatherml.registry import Registry
from weatherml.training.objective.channel_weights import pangu_weights
from weatherml.training.objective.physics import Term, TermWeights, terms
from weatherml.verification.formulas import crps_almost_fair

LossFunction = Callable[[Array, Array, Array], Array]
"""`(forecast, truth, weights)` to scalar: `[batch, channel, lat, lon]` twice, `[channel, lat, lon]`."""

registry: Registry[LossFunction] = Registry("loss")

FAIRNESS = 0.95
"""Share of the fair CRPS in the loss, as published."""


@dataclass(frozen=True)
class EnsembleLoss:
    """A loss of several forecasts of each sample.

    Attributes:
        function: As `LossFunction`, but its forecast is `[member, batch, channel, lat, lon]`.
    """

    function: LossFunction

    def __call__(self, forecast: Array, truth: Array, weights: Array) -> Array:
        """Return the loss."""
        return self.function(forecast, truth, weights)


@registry.register("mse")
def mean_squared_error(forecast: Array, truth: Array, weights: Array) -> Array:
    """Return the weighted mean of squared errors."""
    return _weighted_mean(jnp.square(forecast - truth), weights)


@registry.register("mae")
def mean_absolute_error(forecast: Array, truth: Array, weights: Array) -> Array:
    """Return the weighted mean of absolute errors."""
    return _weighted_mean(jnp.abs(forecast - truth), weights)


@registry.register("huber")
def huber(forecast: Array, truth: Array, weights: Array) -> Array:
    """Return the weighted mean of errors that count squared (halved) below one unit and linearly above."""
    return _weighted_mean(optax.losses.huber_loss(forecast, truth), weights)


@registry.register("relative_l2")
def relative_l2(forecast: Array, truth: Array, weights: Array) -> Array:
    """Return FourCastNet's loss: the norm of the error over the norm of the truth, sample by sample (arXiv 2202.11214).

    Every cell and channel counts alike: `weights` are passed over. As published it takes states in units of
    their standard deviation, which is `channel_weight: uniform`. Cells without a value are zero in both
    fields and add nothing.
    """
    del weights
    return jnp.mean(_norm(forecast - truth) / _norm(truth))


@registry.register("crps")
@EnsembleLoss
def almost_fair_crps(forecast: Array, truth: Array, weights: Array) -> Array:
    """Return the weighted mean of the almost fair CRPS (Lang et al. 2024, arXiv 2412.15832)."""
    return _weighted_mean(crps_almost_fair(forecast, truth, FAIRNESS), weights)


def _norm(x: Array) -> Array:
    """Return the norm of each sample of `[batch, channel, lat, lon]`; not of one row each, as fields may be cut."""
    return jnp.sqrt(jnp.square(x).sum(axis=(1, 2, 3)))


def _weighted_mean(error: Array, weights: Array) -> Array:
    return jnp.einsum("bcij,cij->", error, weights) / len(error)


class LossConfig(Config):
    """Which loss, and in which units its errors are.

    Attributes:
        name: Key in the registry of losses.
        channel_weight: `tendency` divides errors by the standard deviation of one-step differences, so that the error
            of persistence is about one in every channel, whether it changes fast or slowly; `uniform` leaves them in
            units of the standard deviation itself; `pangu` does, too, and weighs variables as Pangu-Weather does, and
            every cell alike, however small (with `mae` that is its published loss).
        members: Forecasts of each sample, each with random maps of its own, that are judged together. 2 when None for a
            loss of ensembles (`crps`), which takes that many at least; 1 for all others. Activations, the most of the
            memory that training takes, grow in proportion.
        physics: What is added to the loss, terms and their weights: `dry_mass`, `moisture`, `hydrostatic`, `energy`.
    """

    name: str = "mse"
    channel_weight: Literal["uniform", "tendency", "pangu"] = "tendency"
    members: PositiveInt | None = None
    physics: TermWeights = ()

    @model_validator(mode="after")
    def _members_suit_the_loss(self) -> Self:
        if self.members == 1 and self.is_of_ensembles:
            raise ValueError(f"{self.name} judges 2 members or more, got 1; leave them out to have 2")
        if self.n_members > 1 and not self.is_of_ensembles:
            raise ValueError(
                f"{self.name} judges one forecast, got {self.members} members; leave them out or take crps"
            )
        return self

    @property
    def is_of_ensembles(self) -> bool:
        """Whether several forecasts of each sample are judged together."""
        return isinstance(registry[self.name], EnsembleLoss)

    @property
    def n_members(self) -> int:
        """Forecasts of each sample."""
        return self.members or (2 if self.is_of_ensembles else 1)

    def require_noise(self, n_noise: int) -> None:
        """Require that members of a sample can differ.

        Args:
            n_noise: Number of random maps that the model is told.

        Raises:
            UserError: They cannot.
        """
        if self.is_of_ensembles and not n_noise:
            raise UserError(
                f"loss {self.name} compares members, which are all alike where the model is told no random maps;"
                " give it some: model.noise={lengths: [1000]}"
            )

    def build(self, statistics: Statistics) -> "Loss":
        """Build the loss of states with these statistics.

        Raises:
            UserError: The size of tendencies is not known, or a term of physics needs channels that are not there.
        """
        weights = self._weights(statistics)
        scale = np.ones_like(statistics.std)
        if self.channel_weight == "tendency":
            scale = statistics.tendency_scale()
        unit = jnp.asarray(scale[:, None, None], jnp.float32)
        physics = tuple((terms[name](statistics), jnp.float32(weight)) for name, weight in self.physics)
        return Loss(jnp.asarray(weights), unit, registry[self.name], self.n_members, physics)

    def _weights(self, statistics: Statistics) -> np.ndarray:
        """Return the weight of each cell, float32 `[channel, lat, lon]`."""
        spec = statistics.spec
        if self.channel_weight != "pangu":
            return cell_weights(spec.grid.area_weights(), statistics.valid)
        share = spec.n_channels * cell_weights(np.ones((spec.grid.n_lat, 1)), statistics.valid)
        return np.asarray(share * pangu_weights(spec)[:, None, None], np.float32)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Loss:
    """A loss of normalised fields.

    Attributes:
        weights: `[channel, lat, lon]`; those of a channel sum to what it counts.
        scale: `[channel, 1, 1]`, the unit of errors in normalised units.
        function: Of fields in that unit.
        members: Forecasts of each sample.
        physics: Terms that are added, and their weights.
    """

    weights: Array
    scale: Array
    function: LossFunction = field(metadata={"static": True})
    members: int = field(default=1, metadata={"static": True})
    physics: tuple[tuple[Term, Array], ...] = ()

    @property
    def grid(self) -> tuple[int, ...]:
        """Rows and columns of the fields."""
        return self.weights.shape[-2:]

    def __call__(self, forecast: Array, truth: Array) -> Array:
        """Return the loss, averaged over the batch.

        Args:
            forecast: `[batch * member, channel, lat, lon]`, the members of a sample side by side.
            truth: `[batch, channel, lat, lon]`.
        """
        return self._of_fields(forecast, truth) + self._of_physics(forecast, truth)

    def _of_physics(self, forecast: Array, truth: Array) -> Array:
        """Return the weighted sum of all terms, of every member against the truth."""
        truth = jnp.repeat(truth, self.members, axis=0) if self.physics else truth
        return sum((weight * term(forecast, truth) for term, weight in self.physics), start=jnp.float32(0))

    def _of_fields(self, forecast: Array, truth: Array) -> Array:
        forecast, truth = forecast / self.scale, truth / self.scale
        if isinstance(self.function, EnsembleLoss):
            forecast = forecast.reshape(truth.shape[0], self.members, *truth.shape[1:]).swapaxes(0, 1)
        return self.function(forecast, truth, self.weights)


def cell_weights(area: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Return the share of every cell in a mean over valid cells within each channel, then over channels.

    A channel with few valid cells (sea surface temperature) counts as much as any other; one with none counts nothing.

    Args:
        area: Relative cell areas, `[lat, 1]`.
        valid: Where the data have values, `[channel, lat, lon]`.

    Returns:
        float32 `[channel, lat, lon]`, sums to one.
    """
    weights = np.where(valid, area, 0).astype(np.float64)
    total = weights.sum(axis=(1, 2), keepdims=True)
    shares = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
    return np.asarray(shares / np.count_nonzero(total), np.float32)
