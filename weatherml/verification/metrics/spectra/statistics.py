"""Power spectra of forecast, truth and error."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Literal, get_args

import numpy as np

from weatherml.sphere import power_by_degree
from weatherml.verification.formulas.spectra import zonal_power
from weatherml.verification.pairing.pair import Pair
from weatherml.verification.statistics.base import Statistic, weighted_sums

Field = Literal["forecast", "truth", "error"]
"""Of the forecast the mean over spectra of members, of the error that of the ensemble mean, which is smoother."""

_AT_ONCE = 2**26  # bytes of fields that are transformed together, unless the members of one lead are more

_Transform = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class _Spectrum(Statistic):
    """Of one of the fields of a pair.

    Attributes:
        of: Which.

    Raises:
        ValueError: There is no such field.
    """

    of: Field = "forecast"

    of_members: ClassVar[bool] = True
    needs_circles: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.of not in get_args(Field):
            raise ValueError(f"there is no spectrum of {self.of!r}, but of forecast, truth and error")

    def power(self, pair: Pair, transform: _Transform) -> np.ndarray:
        """Return the transform of each lead's field, of members their mean: `[lead, ...]`."""
        fields = {"forecast": pair.members, "truth": pair.truth[None], "error": pair.error[None]}[self.of]
        n_each = max(1, _AT_ONCE // fields[:, 0].nbytes)
        parts = [fields[:, lead : lead + n_each] for lead in range(0, fields.shape[1], n_each)]
        return np.concatenate([transform(part).mean(axis=0) for part in parts])


@dataclass(frozen=True)
class ZonalPower(_Spectrum):
    """Power by the number of waves around each circle of latitude.

    It is that of circles that count as a whole: NaN in a region that holds parts of some, or where values are missing.
    """

    axes: ClassVar[tuple[str, ...]] = ("zonal_wavenumber",)

    def sums(self, pair: Pair, weights: np.ndarray, **_: Any) -> np.ndarray:
        """Return `[lead, region, zonal_wavenumber]`."""
        power = self.power(pair, lambda field: zonal_power(field.astype(np.float64)))
        is_whole = ((weights > 0).all(axis=-1) | (weights == 0).all(axis=-1)).all(axis=-1)
        sums = weighted_sums(np.moveaxis(power, -1, 0), weights.sum(axis=-1))
        return np.where(is_whole.T[..., None], sums, np.nan)


@dataclass(frozen=True)
class SphericalPower(_Spectrum):
    """Power by the degree of spherical harmonics: the total wavenumber.

    NaN in a region that is not the globe, or where values are missing.
    """

    axes: ClassVar[tuple[str, ...]] = ("wavenumber",)

    def sums(self, pair: Pair, weights: np.ndarray, **_: Any) -> np.ndarray:
        """Return `[lead, region, wavenumber]`."""
        assert pair.grid is not None
        power = self.power(pair, partial(power_by_degree, grid=pair.grid))
        area = np.where((weights > 0).all(axis=(-2, -1)), weights.sum(axis=(-2, -1)), np.nan)
        return np.asarray(power[:, None] * area.T[..., None])
