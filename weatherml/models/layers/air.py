"""Where the channels of a state lie: at the surface, or in the volume of the upper air."""

from dataclasses import dataclass
from typing import Self

import jax.numpy as jnp
import numpy as np
from jax import Array

from weatherml.errors import UserError
from weatherml.state import Channel, StateSpec


@dataclass(frozen=True)
class Air:
    """Channels of a state, apart.

    Attributes:
        surface: Places in the state of the channels of one level, in the order of the state.
        upper: Places `[variable][level]` of the others: variables as in the state, levels by falling pressure.
    """

    surface: tuple[int, ...]
    upper: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, spec: StateSpec) -> Self:
        """Sort the channels of `spec`.

        Raises:
            UserError: The state has no channel of one of the kinds, or variables have different levels.
        """
        surface = tuple(index for index, channel in enumerate(spec.channels) if channel.level is None)
        columns = {name: levels for name, levels in spec.variables.items() if levels}
        if not surface or not columns:
            kind, example = ("upper-air", "geopotential_500") if surface else ("surface", "mean_sea_level_pressure")
            raise UserError(f"the state has no {kind} channel, which this network needs; add one, such as {example!r}")
        _require_one_level_set(columns)
        return cls(
            surface,
            tuple(tuple(spec.index(Channel(name, p)) for p in levels[::-1]) for name, levels in columns.items()),
        )

    @property
    def n_levels(self) -> int:
        """Levels of the upper air."""
        return len(self.upper[0])

    def split(self, x: Array) -> tuple[Array, Array]:
        """Return surface `[batch, channel, lat, lon]` and upper air `[batch, variable, level, lat, lon]`.

        Args:
            x: `[batch, channel + forcing, lat, lon]`; forcings follow the channels of the surface.
        """
        n_channels = len(self.surface) + np.size(self.upper)
        forcings = range(n_channels, x.shape[1])
        return x[:, np.array([*self.surface, *forcings])], x[:, np.array(self.upper)]

    def join(self, surface: Array, upper: Array) -> Array:
        """Return the state `[batch, channel, lat, lon]`: the inverse of `split`, without forcings."""
        batch, _, *grid = surface.shape
        channels = jnp.concatenate([surface, upper.reshape(batch, -1, *grid)], axis=1)
        return channels[:, np.argsort([*self.surface, *np.ravel(self.upper)])]


def _require_one_level_set(columns: dict[str, tuple[int, ...]]) -> None:
    first, *others = columns
    for name in others:
        if columns[name] != columns[first]:
            raise UserError(
                f"{name} is on levels {list(columns[name])} hPa but {first} on {list(columns[first])}; "
                "this network needs one set of levels for all variables of the upper air"
            )
