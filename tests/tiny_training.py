"""A training that takes seconds: random walks on a 6 x 10 grid, and a network of 3 x 3 convolutions."""

from functools import cache
from typing import Literal

import jax
import numpy as np
from fake_data import analyses
from flax import nnx
from numpy_weights import drawn_checkpoint

from weatherml.checkpoint import Provenance
from weatherml.data.loading.samples import Samples
from weatherml.data.statistics.channel_statistics import compute_statistics
from weatherml.data.statistics.forcings import Forcings
from weatherml.data.statistics.normalization import Normalizer
from weatherml.grid import LatLonGrid
from weatherml.models import NetworkConfig, NoiseMapsConfig, registry
from weatherml.state import spec_of
from weatherml.training import Stage, TrainingConfig

TIMINGS = {
    *("samples_per_second", "seconds_per_step", "device_wait", "flops_per_second"),
    *("loader_share", "loader_gigabytes_per_second", "limited_by"),
}
"""Of the metrics, what is another each time."""

TRAINING, VALIDATION = ("2001-01-01", "2001-01-08"), ("2001-01-09", "2001-01-12")


class TinyConfig(NetworkConfig):
    name: Literal["tiny"] = "tiny"
    width: int = 5

    def build(self, spec, n_forcings, rngs):
        return Tiny(self.width, spec.n_channels + n_forcings, spec.n_channels, rngs)


class Tiny(nnx.Module):
    def __init__(self, width, n_in, n_out, rngs):
        self.embed = nnx.Linear(n_in, width, rngs=rngs)
        self.mix = nnx.Conv(width, width, (3, 3), padding="CIRCULAR", rngs=rngs)
        self.head = nnx.Linear(width, n_out, rngs=rngs)

    def __call__(self, x, key=None):
        tokens = jax.nn.gelu(self.embed(x.transpose(0, 2, 3, 1)))
        return self.head(self.mix(tokens)).transpose(0, 3, 1, 2)


if "tiny" not in registry:
    registry.register("tiny")(TinyConfig)


def dataset(n_times=48):
    noise = analyses(times=n_times, grid=LatLonGrid.regular(6, 10, poles=False), seed=3)
    walk = noise.cumsum("time") * 0.3 + noise.isel(time=0, drop=True)
    return walk.assign_coords(time=noise["time"])


@cache
def start():
    """The model before training; the same object every time, for it is never changed."""
    return initialize(dataset())


@cache
def noisy_start():
    """The same model, told random maps."""
    return initialize(dataset(), noise=NoiseMapsConfig(lengths=(3000, 9000)))


def initialize(data, width=5, seed=0, noise=None):
    statistics = compute_statistics(data, spec_of(data), TRAINING)
    forcings = Forcings(("season", "latitude"), statistics.spec.grid, statistics.time_step)
    model, provenance = TinyConfig(width=width, noise=noise), Provenance({"experiment": "tiny"}, "d1")
    return drawn_checkpoint(model, forcings, Normalizer(statistics), provenance, seed, deviation=0.3)


def samples(checkpoint, period, rows=None):
    return Samples(dataset(), checkpoint.normalizer, checkpoint.forcings, 1, period, rows=rows)


def config(**changes):
    defaults = dict(
        stages=(Stage(n_steps=14, learning_rate=3e-3), Stage(rollout=2, n_steps=9, learning_rate=1e-3, batch_size=2)),
        batch_size=4,
        log_every=3,
        validate_every=6,
        snapshot_every=5,
        average_decay=0.9,
        n_validation_batches=2,
    )
    return TrainingConfig(**(defaults | changes))


def arguments(checkpoint=None, **changes):
    checkpoint = checkpoint or start()
    return config(**changes), checkpoint, samples(checkpoint, TRAINING), samples(checkpoint, VALIDATION)


WRONG = "2001-01-01T00:00"  # the first: the windows that begin then hold it, and no others


def spoilt(n_wrong=1, **changes):
    """Return the arguments of a training one or more times of whose data are beyond all bounds."""
    settings, checkpoint, _, validation = arguments(**changes)
    data = dataset().copy(deep=True)
    first = int(np.flatnonzero(data["time"].values == np.datetime64(WRONG))[0])
    for name in data:
        values = data[name].values.copy()
        values[first : first + n_wrong] = 1e30
        data[name] = data[name].dims, values, data[name].attrs
    return settings, checkpoint, Samples(data, checkpoint.normalizer, checkpoint.forcings, 1, TRAINING), validation


def assert_same_weights(a, b):
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)
