"""Sums over pressure: which levels they need, and how much air each of those stands for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr

from weatherml.data.derived.derivation import Derivation, Request
from weatherml.errors import UserError
from weatherml.wording import listed

_GRAVITY = 9.80665  # m s-2, standard
_SLACK = 50  # hPa that may lack at either end


@dataclass(frozen=True)
class Layer:
    """Air between two pressures.

    Attributes:
        top: hPa.
        bottom: hPa.
    """

    top: float
    bottom: float

    def mass(self, levels: Sequence[float]) -> npt.NDArray[np.float32]:
        """Return the air that each level stands for, kg m-2 `[level]`, where values are linear in pressure between two.

        Args:
            levels: hPa, rising. Those outside count as far as values within depend on them.

        Raises:
            UserError: They do not reach from the top to the bottom, or nearly so.
        """
        self.require(levels)
        own = np.asarray(levels, np.float64)
        first, last = max(self.top, own[0]), min(self.bottom, own[-1])
        nodes = np.union1d([first, last], own[(own > first) & (own < last)])
        gaps = np.diff(nodes)
        thickness = (np.append(gaps, 0) + np.append(0, gaps)) / 2
        shares = [thickness @ np.interp(nodes, own, peak) for peak in np.eye(len(own))]
        return np.asarray(100 * np.array(shares) / _GRAVITY, np.float32)

    def levels_of(self, levels: Sequence[float]) -> list[float]:
        """Return those of the levels, hPa, rising, that stand for any air of the layer."""
        return [level for level, mass in zip(levels, self.mass(levels), strict=True) if mass > 0]

    def require(self, levels: Sequence[float]) -> None:
        """Refuse levels, hPa, rising, that do not reach from the top to the bottom, or nearly so."""
        if len(levels) < 2 or levels[0] > self.top + _SLACK or levels[-1] < self.bottom - _SLACK:
            raise UserError(
                f"vapour is summed from {self.top:g} to {self.bottom:g} hPa, which the levels there are"
                f" ({listed(levels) or 'none'}) do not span; read humidity and wind from {self.top:g} hPa or above to"
                f" {self.bottom:g} hPa (where channels are named, name them on all those levels), or leave vapour"
                " transport out of derive"
            )


@dataclass(frozen=True)
class OverColumn(Derivation):
    """A sum over pressure of other variables at the same time; it needs all levels that there are.

    Attributes:
        inputs: Names.
        how: What is done.
        function: Takes the inputs as fields with `level`, returns the variable in SI units.
        layer: The air that is meant.
    """

    inputs: tuple[str, ...]
    how: str
    function: Callable[..., xr.DataArray]
    layer: Layer

    def require(self, levels: Sequence[int]) -> None:
        """Refuse levels that do not span the layer."""
        self.layer.require(levels)

    def derive(self, inputs: xr.Dataset, request: Request) -> xr.DataArray:
        """Apply the function to the inputs."""
        return self.function(*(inputs[name] for name in self.inputs))

    def attributes(self, inputs: xr.Dataset) -> dict[str, str]:
        """Return what the field says of itself, the levels that it was made of among it."""
        used = " ".join(f"{level:g}" for level in self.layer.levels_of(inputs["level"].values.tolist()))
        return super().attributes(inputs) | {"derivation": f"{self.how}, on the levels {used} hPa"}
