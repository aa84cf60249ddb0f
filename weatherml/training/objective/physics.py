"""What forecasts should keep beside the fields: mass, moisture, hydrostatic balance, and the energy of all scales.

Every term compares a forecast with the truth of the same time. What is compared is linear in the fields, but for the
energy: so references that normalisation subtracts, a climatology too, fall out of the difference.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Annotated, Any, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from pydantic import AfterValidator, BeforeValidator, PlainSerializer, PositiveFloat

from weatherml.axes import exchange, locally, padded, total
from weatherml.column import GRAVITY
from weatherml.data.statistics.channel_statistics import Statistics
from weatherml.errors import UserError
from weatherml.registry import Registry
from weatherml.state import StateSpec

_GAS_CONSTANT = 287.05  # J kg-1 K-1, dry air
_NO_ENERGY = 1e-4  # of the mean over all waves: what is below counts as nothing, or rounding would be compared
_TINY = 1e-20  # of a channel that has no values at all


@runtime_checkable
class Term(Protocol):
    """Tells how far a forecast is from what it should keep."""

    def __call__(self, forecast: Array, truth: Array) -> Array:
        """Return a scalar, 0 for the truth; both are normalised, `[batch, channel, lat, lon]`."""
        ...


terms: Registry[Callable[[Statistics], Term]] = Registry("physics term")


def _pairs(value: Any) -> Any:
    return tuple(value.items()) if isinstance(value, Mapping) else value


def _are_known(pairs: tuple[tuple[str, float], ...]) -> tuple[tuple[str, float], ...]:
    for name, _ in pairs:
        terms[name]
    return pairs


TermWeights = Annotated[
    tuple[tuple[str, PositiveFloat], ...],
    BeforeValidator(_pairs),
    AfterValidator(_are_known),
    PlainSerializer(lambda pairs: dict(pairs)),
]
"""A mapping from names of terms to their weights, as hashable pairs."""

_contract = partial(jnp.einsum, precision=jax.lax.Precision.HIGHEST)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class MeanTerm:
    """The squared error of area means.

    Attributes:
        weights: Of normalised channels in each mean, `[mean, channel, lat, lon]`.
    """

    weights: Array

    def __call__(self, forecast: Array, truth: Array) -> Array:
        """Return the mean over samples and means."""
        return jnp.mean(jnp.square(_contract("bcij,mcij->bm", forecast - truth, self.weights)))


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class BalanceTerm:
    """The squared error of a balance in every cell.

    Attributes:
        factors: Of normalised channels in each balance, `[balance, channel]`.
        areas: Shares of cells in each, `[balance, lat, lon]`; none of those where one of its channels has no value.
    """

    factors: Array
    areas: Array

    def __call__(self, forecast: Array, truth: Array) -> Array:
        """Return the area mean, averaged over samples and balances."""
        error = _contract("bcij,mc->bmij", forecast - truth, self.factors)
        return jnp.mean(_contract("bmij,mij->bm", jnp.square(error), self.areas))


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class EnergyTerm:
    """The squared error of the logarithm of the energy of every wave along circles of latitude.

    Attributes:
        areas: Shares of circles, `[lat]`.
    """

    areas: Array

    def __call__(self, forecast: Array, truth: Array) -> Array:
        """Return the mean over samples, channels and waves, the mean over circles left out.

        Logarithms are of the energy of each sample: so the term is a mean over samples, as every loss is, and the same
        in however many parts a batch is computed.
        """
        ours, theirs = self._energy(forecast), self._energy(truth)
        none = _NO_ENERGY * jnp.mean(theirs, axis=-1, keepdims=True) + _TINY
        return jnp.mean(jnp.square(jnp.log((ours + none) / (theirs + none))))

    def _energy(self, fields: Array) -> Array:
        """Return `[batch, channel, wave]`."""
        # Channels are cut as longitudes were, which a transform has whole.
        given, made = (("batch", None, "lat", "lon"), ("lat",)), ("batch", "lon")
        each = locally(_energy_of_samples, given, made)(fields, self.areas)
        energies: Array = each[:, : fields.shape[1]]
        return energies


def _energy_of_samples(fields: Array, areas: Array) -> Array:
    """Return `[batch, channel, wave]`, with channels of zeros until all devices have as many."""
    waves = jnp.fft.rfft(exchange(padded(fields, 1, "lon"), "lon", split=1, join=3), axis=-1)[..., 1:]
    return total(_contract("bcim,i->bcm", jnp.square(waves.real) + jnp.square(waves.imag), areas), "lat")


@terms.register("dry_mass")
def dry_mass(statistics: Statistics) -> Term:
    """Return the error of the mean pressure of dry air, in units of what pressure changes by in a step.

    Of all air instead, where the state does not tell the column's vapour, or tells pressure at mean sea level alone.

    Raises:
        UserError: The state has no pressure at a fixed height.
    """
    spec = statistics.spec
    pressure = next((name for name in ("surface_pressure", "mean_sea_level_pressure") if name in spec.names), None)
    if pressure is None:
        raise UserError(
            "loss.physics: dry_mass needs surface_pressure or mean_sea_level_pressure, which the state lacks; leave it"
            " out"
        )
    factors: dict[str, float] = {pressure: 1.0}
    if pressure == "surface_pressure":
        factors |= {name: -GRAVITY * factor for name, factor in _vapour(spec).items()}
    return _mean_term(statistics, factors, _change(statistics, pressure))


@terms.register("moisture")
def moisture(statistics: Statistics) -> Term:
    """Return the error of the mean water vapour of the column, in units of what that of one level changes by in a step.

    Raises:
        UserError: The state has neither the column's vapour nor humidity on two levels.
    """
    factors = _vapour(statistics.spec)
    if not factors:
        raise UserError(
            "loss.physics: moisture needs total_column_water_vapour, or specific_humidity on two levels; leave it out"
        )
    largest = max(factor * _change(statistics, name) for name, factor in factors.items())
    return _mean_term(statistics, factors, largest)


@terms.register("hydrostatic")
def hydrostatic(statistics: Statistics) -> Term:
    """Return the error of thickness less what temperature makes of it, in units of what its levels change by in a step.

    Raises:
        UserError: The state has no two levels with both geopotential and temperature.
    """
    spec = statistics.spec
    levels = sorted(set(_levels(spec, "geopotential")) & set(_levels(spec, "temperature")))
    if len(levels) < 2:
        raise UserError(
            "loss.physics: hydrostatic needs geopotential and temperature on the same two levels; leave it out"
        )
    rows, areas = [], []
    for upper, lower in pairwise(levels):
        depth = _GAS_CONSTANT * math.log(lower / upper) / 2  # of the mean of both temperatures
        factors = {f"geopotential_{upper}": 1.0, f"geopotential_{lower}": -1.0}
        unit = math.hypot(*(_change(statistics, name) for name in factors))
        factors |= {f"temperature_{upper}": -depth, f"temperature_{lower}": -depth}
        rows.append(_row(statistics, factors, unit))
        has_all = np.logical_and.reduce(statistics.valid[[spec.names.index(name) for name in factors]])
        areas.append(_shares(statistics, has_all))
    return BalanceTerm(*(jnp.asarray(np.stack(arrays), jnp.float32) for arrays in (rows, areas)))


@terms.register("energy")
def energy(statistics: Statistics) -> Term:
    """Return the error of the logarithm of the energy of waves, of all channels."""
    areas = statistics.spec.grid.area_weights()[:, 0]
    return EnergyTerm(jnp.asarray(areas / areas.sum(), jnp.float32))


def _levels(spec: StateSpec, variable: str) -> list[int]:
    """Return the levels of a variable, rising, hPa."""
    return sorted(channel.level for channel in spec.channels if channel.variable == variable and channel.level)


def _vapour(spec: StateSpec) -> dict[str, float]:
    """Return factors of channels in the column's water vapour, kg m-2; none where the state does not tell it."""
    if "total_column_water_vapour" in spec.names:
        return {"total_column_water_vapour": 1.0}
    levels = _levels(spec, "specific_humidity")
    if len(levels) < 2:
        return {}
    between = [(upper + lower) / 2 for upper, lower in pairwise(levels)]
    depths = np.diff([levels[0], *between, levels[-1]]) * 100 / GRAVITY  # kg m-2 of air: half layers at ends
    return {f"specific_humidity_{level}": float(depth) for level, depth in zip(levels, depths, strict=True)}


def _change(statistics: Statistics, name: str) -> float:
    """Return the standard deviation of what a channel changes by in a step, SI units."""
    index = statistics.spec.names.index(name)
    return float((statistics.tendency_scale() * statistics.std)[index])


def _row(statistics: Statistics, factors: Mapping[str, float], unit: float) -> np.ndarray:
    """Return factors of normalised channels `[channel]` from those of physical ones."""
    row = np.zeros(statistics.spec.n_channels)
    for name, factor in factors.items():
        index = statistics.spec.names.index(name)
        row[index] = factor * statistics.std[index] / unit
    return row


def _mean_term(statistics: Statistics, factors: Mapping[str, float], unit: float) -> MeanTerm:
    valid = np.logical_or.reduce(statistics.valid[_row(statistics, factors, unit) != 0])
    # Where a level has no value there is no air: shares are of all places where something has one.
    shares = statistics.valid * _shares(statistics, valid)
    weights = _row(statistics, factors, unit)[:, None, None] * shares
    return MeanTerm(jnp.asarray(weights[None], jnp.float32))


def _shares(statistics: Statistics, chosen: np.ndarray) -> np.ndarray:
    """Return the shares of cells in the area of those that are chosen, `[lat, lon]`."""
    areas = chosen * statistics.spec.grid.area_weights()
    shares: np.ndarray = areas / max(areas.sum(), _TINY)
    return shares
