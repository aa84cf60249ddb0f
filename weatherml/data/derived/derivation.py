"""What it takes to make a variable from others."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from weatherml.data.derived.accumulation import Accumulated
from weatherml.grid import LatLonGrid


@dataclass(frozen=True)
class Request:
    """What is asked of a derivation.

    Attributes:
        times: Valid times, `datetime64[ns]` `[time]`.
        grid: Where.
        accumulated: What accumulations of the source stand for.
    """

    times: np.ndarray
    grid: LatLonGrid
    accumulated: Accumulated


class Derivation(ABC):
    """One way to make a variable.

    Attributes:
        inputs: Canonical names of the variables it follows from.
        how: What is done, a few words for the attributes of the field.
    """

    inputs: tuple[str, ...]
    how: str

    def times_needed(self, times: np.ndarray, accumulated: Accumulated) -> np.ndarray:
        """Return the times `[needed]` at which the inputs must be known, rising."""
        del accumulated
        return times

    def require(self, levels: Sequence[int]) -> None:
        """Refuse the levels of a source, hPa, rising, of which it cannot be made.

        Raises:
            UserError: They do not suffice.
        """
        del levels

    def attributes(self, inputs: xr.Dataset) -> dict[str, str]:
        """Return what the field that is made of `inputs` says of itself."""
        del inputs
        return {"derivation": self.how} | ({"derived_from": " ".join(self.inputs)} if self.inputs else {})

    @abstractmethod
    def derive(self, inputs: xr.Dataset, request: Request) -> xr.DataArray:
        """Return the variable at the times of the request, lazy where the inputs, known at `times_needed`, are."""


@dataclass(frozen=True)
class Pointwise(Derivation):
    """A function of other variables at the same time.

    Attributes:
        inputs: Names.
        how: What is done.
        function: Takes the inputs as fields, returns the variable in SI units.
    """

    inputs: tuple[str, ...]
    how: str
    function: Callable[..., xr.DataArray]

    def derive(self, inputs: xr.Dataset, request: Request) -> xr.DataArray:
        """Apply the function to the inputs."""
        return self.function(*(inputs[name] for name in self.inputs))
