"""Sums of each initial time in a folder: whole or not there, each made by one process, whoever else is at work.

`campaign.json` says what is asked, `domain.npz` on which points; in `2020-01-01T000000.nc` are the sums of one.
"""

import io
import json
import logging
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import xarray as xr

from weatherml.errors import UserError
from weatherml.storage.files import write_bytes, write_netcdf
from weatherml.storage.locks import Lock, alone_at
from weatherml.storage.room import explaining_errors
from weatherml.verification.aggregation.judgement import Judgement
from weatherml.verification.aggregation.sums import COUNTED, StatisticSums
from weatherml.verification.campaign.asked import asked, difference, digest_of_forecast, digests_at
from weatherml.verification.campaign.place import ASKED, DOMAIN, make_place
from weatherml.verification.campaign.seal import name_of, read_sealed, sealed
from weatherml.verification.pairing.domain import Domain

_logger = logging.getLogger(__name__)

_ASKED, _DOMAIN, _SUMS = ASKED, DOMAIN, "*T*.nc"
_OF_DAMAGE = (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, BadZipFile, zlib.error)
"""What comes of a file that is empty, cut or of another kind."""
_FORECAST, _WHOLE = "forecast_digest", "is_whole"
"""What a file tells of its forecast, and whether nothing was missing of it or its truth."""


@dataclass(frozen=True)
class KeptSums:
    """A folder that keeps sums of initial times.

    Attributes:
        folder: It is made where it is missing.
    """

    folder: Path

    def begin(self, judgement: Judgement, lead_times: np.ndarray) -> Judgement:
        """Return what is asked, on the points that the folder was begun with; begin it where it is new.

        Args:
            judgement: Of some initial times and leads.
            lead_times: All leads, `timedelta64` [lead].

        Raises:
            UserError: The folder was begun for something else, with another truth or reference, or by no campaign.
        """
        make_place(self.folder)
        wanted = asked(judgement, lead_times)
        with alone_at(self.folder / _ASKED):
            if not (self.folder / _ASKED).exists():
                self._begin(judgement, wanted)
        self._require(wanted)
        domain, known = self._domain()
        own = replace(judgement.matched, within=domain)
        for owner, digest in digests_at(own, domain.since).items():
            if known.get(owner, digest) != digest:
                raise UserError(
                    f"{owner} at {domain.since.astype('datetime64[m]')} is another than {self.folder} was begun with;"
                    " choose another folder"
                )
        return replace(judgement, matched=own)

    def path(self, init_time: np.datetime64) -> Path:
        """Return where the sums of an initial time are."""
        return self.folder / name_of(init_time)

    def drop_damaged(self, init_times: np.ndarray) -> None:
        """Delete those sums of initial times that are not as they were written, so that they are made again."""
        for path in (path for path in map(self.path, init_times) if path.exists()):
            try:
                read_sealed(path)
            except UserError:
                _logger.warning("%s is damaged, or of another time than its name; it is made again", path)
                with explaining_errors(path):
                    path.unlink(missing_ok=True)

    def missing(self, init_times: np.ndarray) -> np.ndarray:
        """Return those of initial times whose sums are not there."""
        return init_times[[not self.path(own).exists() for own in init_times]]

    def to_judge(self, init_times: np.ndarray) -> np.ndarray:
        """Return those of initial times whose sums are not there, or lack what may have come since."""
        return init_times[[not _is_whole(self.path(own)) for own in init_times]]

    def keep(self, init_time: np.datetime64, make: Callable[[], tuple[StatisticSums, str]]) -> bool:
        """Have the sums of an initial time in the folder; return whether they are, or another process makes them.

        Those that lack something are made again.

        Args:
            init_time: Whose.
            make: Returns them, and the digest of the forecast.
        """
        path = self.path(init_time)
        lock = Lock(path.with_name(f".{path.stem}.lock"))
        try:
            lock.acquire("")
        except UserError:
            return False
        try:
            if not _is_whole(path):
                sums, digest = make()
                told = {_FORECAST: digest, _WHOLE: int(sums.is_whole)}
                counted = sums.dataset[COUNTED].assign_attrs(told)
                write_netcdf(path, sealed(sums.dataset.assign({COUNTED: counted})))
        finally:
            lock.release(remove=True)
        return True

    def keep_one(self, judgement: Judgement) -> bool:
        """As `keep`, of the one initial time that is judged."""
        forecast = judgement.matched.forecast
        levels = judgement.matched.levels
        return self.keep(
            forecast["init_time"].values[0], lambda: (judgement.sums(), digest_of_forecast(forecast, levels))
        )

    def require_same(self, judgement: Judgement) -> None:
        """Require that sums which are there already are of these forecasts, by a field of each.

        Raises:
            UserError: They are of others.
        """
        forecast, levels = judgement.matched.forecast, judgement.matched.levels
        for place, init_time in enumerate(forecast["init_time"].values):
            path, own = self.path(init_time), forecast.isel(init_time=slice(place, place + 1))
            if path.exists() and _told(path).get(_FORECAST) != digest_of_forecast(own, levels):
                raise UserError(
                    f"the forecast from {np.datetime_as_string(init_time, 'm')} is another than the one whose sums"
                    f" {self.folder} keeps; choose another folder for each system"
                )

    def total(self, init_times: Sequence[np.datetime64] | np.ndarray) -> StatisticSums:
        """Add up the sums of initial times.

        Raises:
            UserError: Those of one are not there.
        """
        return _total([self.path(own) for own in init_times])

    @classmethod
    def load(cls, folder: str | Path) -> StatisticSums:
        """Add up all that is in a folder.

        Raises:
            UserError: It holds none.
        """
        paths = sorted(Path(folder).glob(_SUMS))
        if not paths:
            raise UserError(f"{folder} holds no sums of statistics; make them with weatherml evaluate")
        return _total(paths)

    def _begin(self, judgement: Judgement, wanted: dict[str, Any]) -> None:
        domain = judgement.matched.domain
        write_bytes(self.folder / _DOMAIN, _packed(domain, digests_at(judgement.matched, domain.since)))
        write_bytes(self.folder / _ASKED, json.dumps(wanted, indent=1).encode())  # last: then all is there

    def _require(self, wanted: dict[str, Any]) -> None:
        try:
            known = json.loads((self.folder / _ASKED).read_bytes())
        except (OSError, ValueError):
            known = None
        if not isinstance(known, dict):
            raise self._damaged(_ASKED)
        if text := difference(known, wanted):
            raise UserError(f"{self.folder} keeps sums of another campaign: {text}; choose another folder")

    def _domain(self) -> tuple[Domain, dict[str, str]]:
        """Return on which points is judged, and digests of truth and references."""
        try:
            with np.load(self.folder / _DOMAIN) as file:
                told = json.loads(str(file["told"]))
                levels = {name: tuple(own) for name, own in told["levels"].items()}
                masks = {name: file[f"mask {name}"] for name in levels}
            return Domain(levels, masks, np.datetime64(told["since"], "ns")), dict(told["known"])
        except _OF_DAMAGE:
            raise self._damaged(_DOMAIN) from None

    def _damaged(self, name: str) -> UserError:
        return UserError(f"{self.folder / name} is damaged; delete the folder {self.folder} and run again")


def _total(paths: Sequence[Path]) -> StatisticSums:
    return StatisticSums.total(map(read_sealed, paths))


def _packed(domain: Domain, known: dict[str, str]) -> bytes:
    told = {"levels": domain.levels, "since": str(domain.since), "known": known}
    file = io.BytesIO()
    masks: dict[str, Any] = {f"mask {name}": own for name, own in domain.masks.items()}
    np.savez_compressed(file, told=np.array(json.dumps(told)), **masks)
    return file.getvalue()


def _is_whole(path: Path) -> bool:
    """Return whether sums are there that nothing can be added to."""
    return path.exists() and bool(_told(path).get(_WHOLE, 1))


def _told(path: Path) -> dict[str, Any]:
    with xr.open_dataset(path) as opened:
        return dict(opened[COUNTED].attrs)
