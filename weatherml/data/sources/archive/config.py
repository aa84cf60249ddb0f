"""What to read of an archive, and how."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from weatherml.data.sources.archive.known import ARCHIVES, NAMES_BY_URL
from weatherml.data.sources.config import SourceConfig
from weatherml.data.sources.rows import Rows
from weatherml.errors import UserError
from weatherml.registry import nearest
from weatherml.state import parse_channels
from weatherml.storage.cloud import Access, Credentials
from weatherml.storage.cloud.access import require_template
from weatherml.storage.cloud.opening import require_plain
from weatherml.storage.locations import as_url, is_url
from weatherml.variables import ChannelNames, find

if TYPE_CHECKING:
    from weatherml.data.sources.archive.source import ArchiveSource


def _addresses(value: Any) -> Any:
    """Return the addresses that a name or one address stands for."""
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


class ArchiveConfig(SourceConfig):
    """Zarr stores to read, wherever they lie.

    Attributes:
        url: A name (`arco`, `weatherbench2`, `weatherbench2/240x121`, `weatherbench2/64x32`, `ecmwf`), an address
            (`gs://`, `s3://`, `az://`, `https://`), a path, or several, whose variables stand beside one another.
        channels: What to keep, such as `[z500, t2m]`, or the name of a set; their variables, each on all their levels.
        variables: Instead of channels, names in any vocabulary; all that weatherml knows when None.
        levels: Beside variables, pressure levels in hPa; all when None.
        latitude: First and last row to keep, degrees north; all when None.
        rename: Canonical name by the store's own.
        units: Of variables that have none in the store, by the store's own name.
        credentials: `anonymous`, or `environment`: environment variables, the home folder or the machine's role; None
            takes those of the environment where there are any.
        header: Sent with every request, the secret from an environment variable: `Authorization: Bearer ${KEY}`.
        parallel: Chunks that are fetched at once, as far as the cache has room for them.
        cache: MiB of decoded chunks that are kept because they will be asked for again; as many may be in flight.
            Where a store is made of them, at most half of the memory that one worker may hold, and a quarter in flight.
    """

    name: Literal["archive"] = "archive"
    url: Annotated[tuple[str, ...], BeforeValidator(_addresses)] = Field(min_length=1)
    channels: ChannelNames | None = None
    variables: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    levels: Annotated[tuple[int, ...], Field(min_length=1)] | None = None
    latitude: Rows | None = None
    rename: dict[str, str] = Field(default_factory=dict)
    units: dict[str, str] = Field(default_factory=dict)
    credentials: Credentials | None = None
    header: str | None = None
    parallel: int = Field(default=8, ge=1, le=256)
    cache: int = Field(default=1024, ge=1)

    @field_validator("header", mode="before")
    @classmethod
    def _keeps_no_secret(cls, header: Any) -> str | None:
        return None if header is None else require_template(header)

    @field_validator("url")
    @classmethod
    def _leads_somewhere(cls, places: tuple[str, ...]) -> tuple[str, ...]:
        for place in places:
            if is_url(place):
                require_plain(as_url(place))  # before it is kept with the run
            if (
                place not in ARCHIVES
                and not is_url(place)
                and re.fullmatch(r"[\w/]+", place)
                and not Path(place).exists()
            ):
                raise UserError(f"no archive is called {place!r} and no store lies there{nearest(place, ARCHIVES)}")
        return places

    @model_validator(mode="after")
    def _chooses_once(self) -> Self:
        if self.channels is not None and (self.variables is not None or self.levels is not None):
            raise ValueError("channels say variables and levels already; leave out the one or the other")
        for name in (*self.rename.values(), *(self.kept_variables or ())):
            find(name)
        return self

    def open(self, folder: Path) -> "ArchiveSource":
        """Return the archive as a source."""
        from weatherml.data.sources.archive.source import ArchiveSource

        return ArchiveSource(self)

    @property
    def stores(self) -> tuple[str, ...]:
        """Addresses and paths of the stores."""
        named = [ARCHIVES[place].urls if place in ARCHIVES else (place,) for place in self.url]
        return tuple(as_url(place) if is_url(place) else place for places in named for place in places)

    @property
    def kept_variables(self) -> tuple[str, ...] | None:
        """Canonical names of the variables to keep; all when None."""
        if self.variables is not None:
            return tuple(dict.fromkeys(find(name).name for name in self.variables))
        return (
            None if self.channels is None else tuple(dict.fromkeys(c.variable for c in parse_channels(self.channels)))
        )

    @property
    def kept_levels(self) -> tuple[int, ...] | None:
        """Pressure levels to keep in hPa, rising; all when None."""
        if self.levels is not None or self.channels is None:
            return None if self.levels is None else tuple(sorted(set(self.levels)))
        return tuple(sorted({c.level for c in parse_channels(self.channels) if c.level is not None})) or None

    def chosen_variables(self) -> tuple[str, ...] | None:
        """Return the variables that are told; all when None."""
        return self.kept_variables

    def chosen_levels(self) -> tuple[int, ...] | None:
        """Return the pressure levels that are told, hPa; all when None."""
        return self.kept_levels

    def access_to(self, store: str) -> Access:
        """Return how a store is read."""
        usual = ARCHIVES[NAMES_BY_URL[store]].access if store in NAMES_BY_URL else Access()
        return Access(self.credentials or usual.credentials, self.header or usual.header)

    def units_in(self, store: str) -> dict[str, str]:
        """Return the units of variables that have none in a store, by its own names."""
        usual = ARCHIVES[NAMES_BY_URL[store]].units if store in NAMES_BY_URL else {}
        return {**usual, **self.units}
