"""One forecast of a validation for people to look at: errors by channel, fields and spectra."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from flax import nnx
from jax import Array

from weatherml.data.loading.samples import Batch
from weatherml.data.statistics.normalization import Normalizer
from weatherml.models import Step
from weatherml.parallel import Layout
from weatherml.state import Channel, StateSpec, to_dataset
from weatherml.storage.files import write_netcdf
from weatherml.training.objective.losses import Loss
from weatherml.training.objective.objective import AnyLoss
from weatherml.training.update.step import NOTHING_TOLD, Draws
from weatherml.training.update.told import Told
from weatherml.training.validation.given import Given, with_given_weights
from weatherml.verification.formulas import zonal_power

FOLDER = "glimpse"
"""In the folder of a training: `forecast.nc`, `analysis.nc` and `spectra.nc`."""
_MOST_CHANNELS, _MOST_BYTES = 6, 2**25
"""That are drawn, and their bytes."""
_TOLD_FIRST = ("geopotential", "temperature", "2m_temperature", "mean_sea_level_pressure")


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Glimpse:
    """What one batch shows.

    Attributes:
        losses: What each channel adds to the loss, the mean over the steps of the rollout `[channel]`.
        forecast: Of the first sample, normalised, after the last step `[channel, lat, lon]`.
        truth: The analysis then.
    """

    losses: Array
    forecast: Array
    truth: Array


class Viewer:
    """Looks at a batch of every validation, and writes what it has seen at the best.

    Args:
        normalizer: Of the model.

    Attributes:
        losses: What each channel added to the loss of the batch that was looked at last, by its name.
    """

    def __init__(self, normalizer: Normalizer) -> None:
        self._normalizer = normalizer
        self._seen: Glimpse | None = None
        self.losses: dict[str, float] = {}

    def look(self, glimpse: Glimpse) -> None:
        """Look at what a batch shows, on the devices; every process that trains does."""
        seen: Glimpse = jax.device_get(glimpse)
        self._seen = seen
        names = self._normalizer.spec.names
        self.losses = dict(zip(names, np.asarray(seen.losses, float).tolist(), strict=True))

    def write(self, folder: Path, times: np.ndarray, step: int) -> None:
        """Write what was seen last, if anything, in the folder of the training.

        Args:
            folder: Of the training.
            times: Of the first sample of the batch, from the initial to the valid one `[step + 1]`.
            step: Completed optimiser steps.
        """
        if self._seen is not None:
            write_glimpse(folder, self._seen, self._normalizer, times, step)


def build_look(
    step: nnx.Module, loss: AnyLoss, layout: Layout, draws: Draws = NOTHING_TOLD, accumulate: int = 1
) -> Given[Glimpse] | None:
    """Build what forecasts one batch with given weights; the result is on every device, for any of them to read.

    None of what makes no forecasts, such as a diagnostic. Of a batch that is computed in parts it is the first part.

    Args:
        step: One step.
        loss: Of forecasts.
        layout: Where everything lies.
        draws: Random maps.
        accumulate: Parts of a batch that are computed one after another.
    """
    if not isinstance(step, Step) or not isinstance(loss, Loss):
        return None

    def look(model: Step, told: Told, batch: Batch) -> Glimpse:
        loss, maps = told.loss, told.maps
        assert isinstance(loss, Loss)
        states, forcings = (jnp.asarray(array)[::accumulate] for array in (batch.state, batch.forcing))
        first, n_steps = jnp.repeat(states[:, 0], loss.members, axis=0), states.shape[1] - 1
        keys = jax.random.split(jax.random.key(draws.seed), (n_steps, len(first)))

        def advance(state: Array, k: Array) -> tuple[Array, Array]:
            forcing, truth = (jax.lax.dynamic_index_in_dim(a, j, 1, False) for a, j in ((forcings, k), (states, k + 1)))
            noise = None if maps is None else maps.draw(keys[k])
            state = model(state, jnp.repeat(forcing, loss.members, axis=0), None, noise)
            return state, losses_of_channels(loss, state, truth)

        last, losses = jax.lax.scan(advance, first, jnp.arange(n_steps))
        return layout.everywhere(Glimpse(losses.mean(0), last[0], states[0, -1]))

    return with_given_weights(step, loss, layout, draws, look)


def losses_of_channels(loss: Loss, forecast: Array, truth: Array) -> Array:
    """Return what the loss would be if all channels but one were right, for each `[channel]`.

    Args:
        loss: Any.
        forecast: `[batch * member, channel, lat, lon]`.
        truth: `[batch, channel, lat, lon]`.
    """
    right = jnp.repeat(truth, loss.members, axis=0)

    def of_one(channel: Array) -> Array:
        is_other = (jnp.arange(truth.shape[1]) != channel)[:, None, None]
        return loss(jnp.where(is_other, right, forecast), truth)

    losses: Array = jax.lax.map(of_one, jnp.arange(truth.shape[1]))
    return losses


def write_glimpse(folder: Path, glimpse: Glimpse, normalizer: Normalizer, times: np.ndarray, step: int) -> None:
    """Write fields of some channels as a forecast and an analysis, and the spectra of all.

    Args:
        folder: Of the training.
        glimpse: Fetched from the device.
        normalizer: Of the model.
        times: From the initial to the valid time `[step + 1]`.
        step: Completed optimiser steps.
    """
    spec, told = normalizer.spec, {"optimiser_step": step}
    pair = np.stack([np.asarray(glimpse.forecast), np.asarray(glimpse.truth)])
    physical = normalizer.denormalize(pair, times[-1:].repeat(2))
    chosen = _drawn(spec)
    drawn = StateSpec(chosen, spec.grid)
    forecast, truth = (each[[spec.index(channel) for channel in chosen]] for each in physical)
    leading = {"init_time": times[:1], "lead_time": times[-1:] - times[0]}
    (folder / FOLDER).mkdir(exist_ok=True)
    write_netcdf(folder / FOLDER / "forecast.nc", to_dataset(forecast[None, None], drawn, leading).assign_attrs(told))
    write_netcdf(folder / FOLDER / "analysis.nc", to_dataset(truth[None], drawn, {"time": times[-1:]}))
    write_netcdf(folder / FOLDER / "spectra.nc", spectra(physical, spec).assign_attrs(told))


def _drawn(spec: StateSpec) -> tuple[Channel, ...]:
    """Return the most telling channels, as many as may be drawn."""
    return telling(spec.channels)[: max(1, min(_MOST_CHANNELS, _MOST_BYTES // (8 * int(np.prod(spec.grid.shape)))))]


def telling(channels: Sequence[Channel]) -> tuple[Channel, ...]:
    """Return a channel of each variable by which weather is commonly judged: those of `_TOLD_FIRST` before others.

    Of levels the one that is nearest to 500 hPa of geopotential, to 850 hPa of all else.
    """
    by_variable: dict[str, list[Channel]] = {}
    for channel in channels:
        by_variable.setdefault(channel.variable, []).append(channel)

    def away(channel: Channel) -> float:
        return abs((channel.level or 0) - (500 if channel.variable == "geopotential" else 850))

    first = [name for name in _TOLD_FIRST if name in by_variable]
    return tuple(min(by_variable[name], key=away) for name in dict.fromkeys([*first, *by_variable]))


def spectra(pair: np.ndarray, spec: StateSpec) -> xr.Dataset:
    """Return how much variance waves around the globe have, by the number of them on a circle of latitude.

    Args:
        pair: Forecast and truth in SI units `[2, channel, lat, lon]`; cells without a value count as the mean of all.
        spec: What the channels are.

    Returns:
        `forecast` and `truth` with dims (channel, wavenumber), area-weighted means over rows, square SI units.
    """
    filled = np.where(np.isfinite(pair), pair, np.nanmean(pair, axis=(-2, -1), keepdims=True))
    power = (zonal_power(filled) * spec.grid.area_weights()).mean(-2)
    dims = ("channel", "wavenumber")
    fields = {name: (dims, own) for name, own in zip(("forecast", "truth"), power, strict=True)}
    return xr.Dataset(fields, {"channel": list(spec.names), "wavenumber": np.arange(power.shape[-1])})
