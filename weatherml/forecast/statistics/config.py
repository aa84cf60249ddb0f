"""What is kept of an ensemble instead of its members: which statistics, how they accumulate, and their dataset."""

from typing import Self

import numpy as np
from pydantic import Field, field_validator, model_validator

from weatherml.config import Config
from weatherml.state import Channel, StateSpec
from weatherml.streaming.sketch import values_entered

_MOMENT_BYTES = 28


class StatisticsConfig(Config):
    """Statistics of the members of every cell, lead and initial time.

    How many members are counted is kept too: those that failed are not.

    Attributes:
        mean: Keep the mean.
        spread: Keep the standard deviation (root of the unbiased variance).
        minimum: Keep the least value.
        maximum: Keep the greatest value.
        quantiles: Probabilities of the quantiles to keep, rising.
        thresholds: In SI units by channel; the share of members above each is kept.
        sketch_size: Quantiles are exact for so many members; beyond, ranks are off by about
            log2(members / size) / (2 size) of the members at most, and a dataset says by how many. Even; memory grows
            with it.
    """

    mean: bool = True
    spread: bool = True
    minimum: bool = False
    maximum: bool = False
    quantiles: tuple[float, ...] = ()
    thresholds: dict[str, tuple[float, ...]] = Field(default_factory=dict)
    sketch_size: int = Field(default=64, ge=2, multiple_of=2)

    @field_validator("quantiles")
    @classmethod
    def _rising_within_one(cls, quantiles: tuple[float, ...]) -> tuple[float, ...]:
        if any(not 0 <= q <= 1 for q in quantiles) or any(np.diff(quantiles) <= 0):
            raise ValueError(f"quantiles must rise within 0 .. 1, got {list(quantiles)}")
        return quantiles

    @field_validator("thresholds")
    @classmethod
    def _canonical(cls, thresholds: dict[str, tuple[float, ...]]) -> dict[str, tuple[float, ...]]:
        for name, values in thresholds.items():
            if not values or any(np.diff(values) <= 0):
                raise ValueError(f"thresholds of {name} must rise, got {list(values)}")
        return {str(Channel.parse(name)): values for name, values in thresholds.items()}

    @model_validator(mode="after")
    def _not_nothing(self) -> Self:
        if not (self.fields or self.quantiles or self.thresholds):
            raise ValueError("no statistic is asked for; keep the mean, or leave the statistics out to keep members")
        return self

    @property
    def fields(self) -> tuple[str, ...]:
        """The statistics asked for that are one field."""
        return tuple(name for name in ("mean", "spread", "minimum", "maximum") if getattr(self, name))

    def thresholds_of(self, channel: Channel) -> tuple[float, ...]:
        """Return the thresholds of a channel, SI units."""
        return self.thresholds.get(str(channel), ())

    def require_channels(self, spec: StateSpec) -> None:
        """Require that the channels with thresholds are there.

        Raises:
            UserError: One is not.
        """
        for name in self.thresholds:
            spec.index(name)

    def bytes_per_cell(self, n_members: int, channel: Channel) -> int:
        """Return the memory of the accumulator of one cell after `n_members`."""
        sketch = 4 * self.sketch_size * len(values_entered(self.sketch_size, n_members)) if self.quantiles else 0
        return _MOMENT_BYTES + 4 * len(self.thresholds_of(channel)) + sketch

    def result_bytes(self, spec: StateSpec) -> int:
        """Return the size of the statistics of one initial time and lead."""
        own = len(self.fields) + len(self.quantiles) + 1  # and the count
        n_fields = sum(own + len(self.thresholds_of(channel)) for channel in spec.channels)
        return 4 * n_fields * spec.grid.n_lat * spec.grid.n_lon
