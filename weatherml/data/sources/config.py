"""What every kind of source has in a configuration, and all kinds by name."""

from abc import abstractmethod
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, SerializeAsAny, field_validator

from weatherml.config import Config, from_registry
from weatherml.data.derived import Accumulated, DerivedSource
from weatherml.data.derived.derivations import inputs_of, need_all_levels
from weatherml.data.derived.source import canonical_names
from weatherml.data.regrid import RegridConfig, RegriddedSource
from weatherml.data.source import Source
from weatherml.data.sources.times import ChosenTimes, HoleText, SourceAtTimes
from weatherml.durations import DurationText
from weatherml.registry import Registry
from weatherml.times import PeriodText
from weatherml.variables import find


class SourceConfig(Config):
    """What to read, and from where; what every kind has is put right here, so that a kind need not know it.

    Attributes:
        name: The key in the registry.
        derive: Variables that the origin lacks, to be made from what it has, such as `total_precipitation_6hr`. Where a
            kind has `variables`, what they are made from is read, too, but told only if it is named there.
        accumulated: Since when the origin's accumulations run: `hourly` (ERA5), `since 00 UTC` (ERA5-Land), or
            `since 00 and 12 UTC` (ERA-Interim).
        regrid: The grid to bring every field to, such as `1.5deg`; that of the origin when None.
        periods: First and last time of each period to read, `[[1940, 1959], [1979, 2022]]`; all times when None.
        exclude: What is left out of them: times with all that they cover (`2010-03-05`, `2010-03`), or periods.
        every: Only whole multiples of this since 00 UTC, such as `6h`; all times when None.
    """

    name: str
    derive: tuple[str, ...] = ()
    accumulated: Accumulated = "hourly"
    regrid: RegridConfig | None = None
    periods: Annotated[tuple[PeriodText, ...], Field(min_length=1)] | None = None
    exclude: tuple[HoleText, ...] = ()
    every: DurationText | None = None

    def source(self, folder: Path) -> Source:
        """Return what the configuration describes: the origin, and around it what all kinds have in common.

        Args:
            folder: Folder of the run, where a source keeps what it would not fetch or compute twice.
        """
        source = self._with_derived(folder)
        source = source if self.regrid is None else RegriddedSource(source, self.regrid)
        chosen = ChosenTimes(self.periods, self.exclude, self.every)
        return source if chosen == ChosenTimes() else SourceAtTimes(source, chosen)

    def _with_derived(self, folder: Path) -> Source:
        if not self.derive and self.accumulated == "hourly":
            return self.open(folder)
        levels = self.chosen_levels() if need_all_levels(self.derive) else None
        chosen = self.chosen_variables()
        if chosen is None:
            origin = self if levels is None else self.on_all_levels()
            return DerivedSource(origin.open(folder), self.derive, self.accumulated, levels=levels)
        told = tuple(dict.fromkeys([*(find(name).name for name in chosen), *self.derive]))
        read = [name for name in told if name not in self.derive]
        inputs = inputs_of(self.derive, read)
        origin = self.model_copy(update={"variables": tuple(dict.fromkeys([*read, *inputs]))})
        origin = origin if levels is None else origin.on_all_levels()
        return DerivedSource(origin.open(folder), self.derive, self.accumulated, told, levels)

    def chosen_variables(self) -> tuple[str, ...] | None:
        """Return the variables that are told, in any vocabulary, for kinds that have `variables`; all when None."""
        chosen: tuple[str, ...] | None = self.model_dump().get("variables")
        return chosen

    def chosen_levels(self) -> tuple[int, ...] | None:
        """Return the pressure levels that are told, hPa, for kinds that may read others, too; all when None."""
        return None

    def on_all_levels(self) -> Self:
        """Return the configuration without a choice of levels; variables are chosen already where channels are."""
        return self.model_copy(update=dict.fromkeys({"channels", "levels"} & set(type(self).model_fields)))

    @field_validator("derive")
    @classmethod
    def _can_be_derived(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return canonical_names(names)

    def origin_json(self, unused: Collection[str] = ()) -> str:
        """Return what decides the values at the origin, without `unused` keys and those that all kinds have."""
        return self.model_dump_json(exclude={*unused, *SourceConfig.model_fields} - {"name"})

    @abstractmethod
    def open(self, folder: Path) -> Source:
        """Return the origin alone; nothing is read before it is asked for."""


registry: Registry[type[SourceConfig]] = Registry("source")
"""Kinds of sources by name, for configurations: `source: {name: files, ...}`."""

AnySource = Annotated[SerializeAsAny[SourceConfig], BeforeValidator(from_registry(registry))]
"""A configuration field that takes any registered source."""


class DataConfig(Config):
    """Data alone, of which no model is trained.

    Attributes:
        title: What people call them.
        source: What to read, and from where.
    """

    title: str = ""
    source: AnySource
