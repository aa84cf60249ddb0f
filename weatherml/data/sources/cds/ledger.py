"""What was asked for and what has come, kept beside the files so that another process, another day, goes on."""

import json
from collections.abc import Iterable
from pathlib import Path

from weatherml.config import Config, from_mapping
from weatherml.data.sources.cds.config import CdsConfig
from weatherml.data.sources.cds.units import Unit, plan
from weatherml.errors import UserError
from weatherml.storage.files import write_bytes
from weatherml.storage.room import explaining_errors

_ENDING = ".request.json"


class Record(Config):
    """What is known of one unit.

    Attributes:
        unit: The request.
        job: The service's name of it, once it was submitted; None where it is to be submitted (again).
        version: The web server's mark of the file that is coming (its ETag), so that no two are mixed.
        files: Names of the files that were verified; empty until then.
        n_bytes: Their size together.
        md5: Of what came, in hexadecimal.
        is_confirmed: Whether a checksum that the service tells is the md5; None where it tells none.
        preliminary: Times of which the values are preliminary (ERA5T), ISO 8601.
        is_renewing: Whether `job` is to replace the files.
        order: Rises from one unit of the folder to the next as they come, before that as they are asked for.
    """

    unit: Unit
    job: str | None = None
    version: str | None = None
    files: tuple[str, ...] = ()
    n_bytes: int = 0
    md5: str = ""
    is_confirmed: bool | None = None
    preliminary: tuple[str, ...] = ()
    is_renewing: bool = False
    order: int = 0


class Ledger:
    """The records of a folder, one file each.

    Args:
        folder: Where the files lie, too.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.records = {record.unit.name: record for record in map(_read, sorted(folder.glob(f"*{_ENDING}")))}

    @property
    def units(self) -> list[Unit]:
        """Units that are there, the first that came first, then those that were only asked for."""
        return [*self.there, *self.asked]

    @property
    def there(self) -> list[Unit]:
        """Units whose files are there, the first that came first, so that later ones displace none."""
        return [unit for unit in self._in_order if self.is_there(unit)]

    @property
    def asked(self) -> list[Unit]:
        """Units that somebody has asked for and that are not there, the first first."""
        return [unit for unit in self._in_order if not self.is_there(unit)]

    @property
    def _in_order(self) -> list[Unit]:
        known = (record for record in self.records.values() if record.job or record.files)
        return [record.unit for record in sorted(known, key=lambda record: (record.order, record.unit.name))]

    def plan(self, config: CdsConfig) -> list[Unit]:
        """Return the units that hold all that a configuration asks for: what is there before what is to come.

        Raises:
            UserError: The service has not all of it.
        """
        return plan(config, self.there, self.asked)

    def of(self, unit: Unit) -> Record:
        """Return what is known of a unit."""
        return self.records.get(unit.name) or Record(unit=unit)

    def is_there(self, unit: Unit) -> bool:
        """Return whether the files of a unit were verified and have their size still."""
        record = self.of(unit)
        paths = [self.folder / name for name in record.files]
        return bool(paths) and sum(p.stat().st_size if p.exists() else -1 for p in paths) == record.n_bytes

    def paths(self, units: Iterable[Unit]) -> list[Path]:
        """Return the files of units."""
        return [self.folder / name for unit in units for name in self.of(unit).files]

    def partial(self, unit: Unit) -> Path:
        """Return where the file of a unit is while it comes."""
        return self.folder / f".{unit.name}.partial"

    def note(self, unit: Unit, **changes: object) -> Record:
        """Change what is known of a unit, and have the disk hold it.

        Raises:
            UserError: The disk refuses.
        """
        before = self.of(unit)
        record = before.model_copy(update=changes)
        if unit.name not in self.records or (record.files and not before.files):
            last = max((record.order for record in self.records.values()), default=0)
            record = record.model_copy(update={"order": last + 1})
        path = self.folder / f"{unit.name}{_ENDING}"
        with explaining_errors(path):
            write_bytes(path, record.model_dump_json(indent=1).encode())
        self.records[unit.name] = record
        return record

    def tidy(self, unit: Unit) -> None:
        """Delete files of a unit of which its record does not tell: those that others have replaced, and parts."""
        kept = {*self.of(unit).files, f"{unit.name}{_ENDING}"}
        for path in [*self.folder.glob(f"{unit.name}.*"), *self.folder.glob(f".{unit.name}.*")]:
            if path.name not in kept:
                path.unlink()


def _read(path: Path) -> Record:
    try:
        return from_mapping(Record, json.loads(path.read_bytes()), str(path))
    except ValueError as error:
        raise UserError(f"{path} is no record of a download ({error}); delete it, and its files come again") from None
