"""Every registered network, and the one that docs/add_a_model.md shows, small enough to run many times."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from docs_page import run_python
from flax import nnx

from weatherml.checkpoint import Checkpoint, Provenance
from weatherml.data.statistics.channel_statistics import Statistics
from weatherml.data.statistics.forcings import Forcings
from weatherml.data.statistics.normalization import Normalizer
from weatherml.grid import LatLonGrid
from weatherml.models import FourCastNetConfig, NetworkConfig, PanguConfig, SFNOConfig, registry
from weatherml.state import StateSpec, parse_channels

TIME_STEP = np.timedelta64(6, "h")


@dataclass(frozen=True)
class Small:
    """A network that is small enough for every law, and a state that suits it."""

    config: NetworkConfig
    grid: LatLonGrid
    channels: tuple[str, ...] = ("z500", "z850", "t500", "t850", "msl")
    forcings: tuple[str, ...] = ("latitude",)

    @property
    def spec(self):
        return StateSpec(parse_channels(self.channels), self.grid)

    @property
    def told(self):
        return Forcings(self.forcings, self.grid, TIME_STEP)

    def initialize(self):
        zero, one = (np.full(len(self.channels), value, np.float32) for value in (0, 1))
        valid = np.ones(self.spec.shape, bool)
        statistics = Statistics(self.spec, zero, one, one, valid, TIME_STEP, ("2001-01-01", "2001-12-31"), 1)
        return Checkpoint.initialize(self.config, self.told, Normalizer(statistics), Provenance({}, "none"), seed=0)

    def abstract(self, **changes):
        """Return the network without weights, with changes of its configuration."""
        config = self.config.model_copy(update=changes)
        return nnx.eval_shape(lambda: config.build(self.spec, self.told.n_maps + config.n_noise, nnx.Rngs(0)))

    def fields(self, batch):
        """Return an input and a target, `[batch, channel, lat, lon]`."""
        rng, (n_channels, *shape) = np.random.default_rng(1), self.spec.shape
        sizes = (n_channels + self.told.n_maps, n_channels)
        return tuple(jnp.asarray(rng.normal(size=(batch, n, *shape)), jnp.float32) for n in sizes)


SMALL = {
    "fourcastnet": Small(
        FourCastNetConfig(patch=2, width=24, depth=2, n_blocks=2, drop_path=0.5), LatLonGrid.regular(8, 12, poles=False)
    ),
    "pangu": Small(
        PanguConfig(
            patch=(1, 2, 2), width=48, depths=(2, 1, 1, 1), heads=(3, 2, 4, 1), window=(2, 2, 3), drop_path=0.5
        ),
        LatLonGrid.regular(9, 12),
    ),
    "sfno": Small(SFNOConfig(scale_factor=1.5, width=24, depth=2, drop_path=0.5), LatLonGrid.gaussian(8, 12)),
    "convnet": Small(
        run_python("add_a_model.md", registry)["ConvNetConfig"](width=12, depth=2, drop_path=0.5),
        LatLonGrid.regular(7, 10),
    ),
}
