"""Every network with a training loss, small, on a grid that devices can cut in two bands of four parts."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from weatherml.data.loading.samples import Batch
from weatherml.grid import LatLonGrid
from weatherml.models import FourCastNetConfig, NetworkConfig, NoiseMapsConfig, PanguConfig, SFNOConfig, Step
from weatherml.models.weights import split_weights, weights_of
from weatherml.state import StateSpec, parse_channels
from weatherml.training.objective.losses import Loss, registry
from weatherml.training.objective.rollout import Noise, rollout_loss

CHANNELS = ("z500", "z850", "t500", "t850", "msl")
SAMPLES = 2


@dataclass(frozen=True)
class Problem:
    """A network on a grid, and what it is trained for."""

    config: NetworkConfig
    grid: LatLonGrid
    loss: str
    n_steps: int = 1

    @property
    def maps(self):
        """What draws the random maps that the network is told, if it is told any."""
        return self.config.noise.build(self.grid) if self.config.noise else None

    def parts(self, samples=SAMPLES):
        """Return the step without weights, these, the loss, and a batch."""
        spec, rng = StateSpec(parse_channels(CHANNELS), self.grid), np.random.default_rng(4)
        n_noise, shape = self.config.n_noise, (len(CHANNELS), *self.grid.shape)
        network = nnx.eval_shape(lambda: self.config.build(spec, 1 + n_noise, nnx.Rngs(0)))
        step = Step(network, rng.uniform(0.5, 1, len(CHANNELS)), rng.uniform(size=shape) < 0.9, n_noise)
        weights = {name: normal(rng, a.shape, 0.2) for name, a in weights_of(step).items()}
        members = 2 if n_noise else 1
        loss = Loss(jnp.abs(normal(rng, shape)), jnp.ones((len(CHANNELS), 1, 1)), registry[self.loss], members)
        sizes = (samples, self.n_steps + 1, shape[0]), (samples, self.n_steps + 1, 1)
        return step, weights, loss, Batch(*(normal(rng, (*size, *self.grid.shape)) for size in sizes))

    def objective(self):
        """Return the loss of `(weights, batch, constants)`, and these."""
        step, weights, loss, batch = self.parts()
        rebuild, constants = split_weights(step)
        maps = self.maps

        def objective(weights, batch, constants, loss):
            own, of_maps = (jax.random.split(jax.random.key(seed), SAMPLES) for seed in (2, 1))
            noise = None if maps is None else Noise(maps, of_maps)
            return rollout_loss(rebuild(weights, constants), loss, batch, own, noise)

        return objective, (weights, batch, constants, loss)


def normal(rng, shape, scale=1.0):
    return jnp.asarray(rng.normal(0, scale, shape), jnp.float32)


PROBLEMS = {
    "fourcastnet": Problem(
        FourCastNetConfig(patch=2, width=24, depth=1, n_blocks=4, drop_path=0.5, noise=NoiseMapsConfig(lengths=(5e3,))),
        LatLonGrid.regular(16, 32, poles=False),
        "crps",
        n_steps=2,
    ),
    "pangu": Problem(
        PanguConfig(patch=(2, 1, 2), width=8, depths=(2, 1, 1, 1), heads=(2, 2, 4, 1), window=(2, 2, 2), mlp_ratio=2),
        LatLonGrid.regular(8, 32, poles=False),
        "mae",
    ),
    "sfno": Problem(
        SFNOConfig(scale_factor=2, width=22, depth=1, diffusion_order=2, position=True),
        LatLonGrid.gaussian(16, 32),
        "relative_l2",
    ),
}
