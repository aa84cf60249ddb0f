"""Variables that are sums over pressure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import xarray as xr

from weatherml.column import Layer
from weatherml.data.derived.derivation import Derivation, Request


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
