"""Sums of each initial time in a folder: whole or not there, each made by one process, whoever else is at work.

`campaign.json` says what is asked, `domain.npz` on which points; in `2020-01-01T000000.nc` are the sums of one.
"""

import io
import json
import logging
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import xarray as xr

from weatherml.errors import UserError
from weatherml.grid import LatLonGrid
from weatherml.storage.files import write_bytes, write_netcdf
from weatherml.storage.locks import Lock, alone_at
from weatherml.storage.room import explaining_errors
from weatherml.verification.aggregation.judgement import Judgement
from weatherml.verification.aggregation.sums import COUNTED, StatisticSums
from weatherml.verification.campaign.asked import (
    FORECAST,
    NAME,
    another,
    asked,
    changed,
    difference,
    digest_of_forecast,
    digests_at,
    told_of,
)
from weatherml.verification.campaign.place import ASKED, DOMAIN, make_place
from weatherml.verification.campaign.promised import Promise
from weatherml.verification.campaign.seal import name_of, read_sealed, sealed
from weatherml.verification.pairing.control import CONTROL, N_MEMBERS
from weatherml.verification.pairing.domain import Domain
from weatherml.verification.pairing.matched import Matched

_logger = logging.getLogger(__name__)

Ask = Callable[[xr.Dataset, Domain | None], Judgement]
"""Returns what is asked of a part of a forecast, on the points that all of it is judged on where these are known."""

_ASKED, _DOMAIN, _SUMS = ASKED, DOMAIN, "*T*.nc"
_OF_DAMAGE = (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, BadZipFile, zlib.error)
"""What comes of a file that is empty, cut or of another kind."""
_WHOLE = "is_whole"
"""Whether nothing was missing of a forecast or its truth."""


@dataclass(frozen=True)
class KeptSums:
    """A folder that keeps sums of initial times.

    Attributes:
        folder: It is made where it is missing.
    """

    folder: Path

    def begin(self, judgement: Judgement, lead_times: np.ndarray, name: str = "") -> Judgement:
        """Return what is asked, on the points that the folder was begun with; begin it where it is new.

        Args:
            judgement: Of some initial times and leads.
            lead_times: All leads, `timedelta64` [lead].
            name: Of the system, where it is judged as it is made.

        Raises:
            UserError: The folder was begun for something else, with another truth or reference, or by no campaign.
        """
        make_place(self.folder)
        wanted = asked(judgement, lead_times, name)
        with alone_at(self.folder / _ASKED):
            if not (self.folder / _ASKED).exists():
                self._begin(judgement, wanted)
        self.require_name(name)
        if text := difference(self._asked(), wanted):
            raise UserError(f"{self.folder} keeps sums of another campaign: {text}; choose another folder")
        domain, known = self._domain()
        own = replace(judgement.matched, within=domain)
        self._require_unchanged(own, known)
        return replace(judgement, matched=own)

    def require_asked(self, promise: Promise, ask: Ask) -> None:
        """Require that what will be made is what the folder was begun for, whether or not something is to be made.

        Args:
            promise: What it will be.
            ask: Says what is asked of it.

        Raises:
            UserError: It is not, or the truth or a reference is another or lacks a time.
        """
        if not (self.folder / _ASKED).exists():
            return
        known, (domain, _) = self._asked(), self._domain()
        of_members = known["ensemble"]
        like = promise.forecast(known["variables"], self._grid(), CONTROL in of_members)
        judgement = ask(like, domain)
        own = {name: value for name, value in judgement.attributes.items() if name in (N_MEMBERS, CONTROL)}
        self.begin(replace(judgement, attributes=of_members | own), promise.lead_times, promise.name)
        judgement.matched.require_truth()

    def require_name(self, name: str) -> None:
        """Require that the folder is of a system that is judged as it is made, if that is what `name` names.

        Raises:
            UserError: It is of another.
        """
        if not name or not (self.folder / _ASKED).exists():
            return
        if (known := self._asked().get(NAME)) != name:
            owner = f"of {known!r}" if known else "of a stored forecast"
            raise UserError(f"{self.folder} keeps sums {owner}, not of {name!r}; choose another folder for each system")

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

    def keep(self, init_time: np.datetime64, make: Callable[[], tuple[StatisticSums, Mapping[str, str]]]) -> bool:
        """Have the sums of an initial time in the folder; return whether they are, or another process makes them.

        Those that lack something are made again.

        Args:
            init_time: Whose.
            make: Returns them, and what `told_of` tells of what was judged.
        """
        path = self.path(init_time)
        lock = Lock(path.with_name(f".{path.stem}.lock"))
        try:
            lock.acquire("")
        except UserError:
            return False
        try:
            if not _is_whole(path):
                sums, told = make()
                counted = sums.dataset[COUNTED].assign_attrs(told).assign_attrs({_WHOLE: int(sums.is_whole)})
                write_netcdf(path, sealed(sums.dataset.assign({COUNTED: counted})))
        finally:
            lock.release(remove=True)
        return True

    def keep_one(self, judgement: Judgement) -> bool:
        """As `keep`, of the one initial time that is judged."""
        matched = judgement.matched
        time = matched.forecast["init_time"].values[0]
        return self.keep(time, lambda: (judgement.sums(), told_of(matched.forecast, matched)))

    def require_same(self, judgement: Judgement) -> None:
        """Require that sums which are there already are of these forecasts, by a field of each.

        Raises:
            UserError: They are of others.
        """
        forecast, levels = judgement.matched.forecast, judgement.matched.levels
        for place, init_time in enumerate(forecast["init_time"].values):
            path, own = self.path(init_time), forecast.isel(init_time=slice(place, place + 1))
            if path.exists() and _told(path).get(FORECAST) != digest_of_forecast(own, levels):
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
        known = digests_at(judgement.matched, domain.since)
        write_bytes(self.folder / _DOMAIN, _packed(domain, judgement.matched.grid, known))
        write_bytes(self.folder / _ASKED, json.dumps(wanted, indent=1).encode())  # last: then all is there

    def _asked(self) -> dict[str, Any]:
        """Return what the folder was begun for."""
        try:
            known = json.loads((self.folder / _ASKED).read_bytes())
        except (OSError, ValueError):
            known = None
        if not isinstance(known, dict):
            raise self._damaged(_ASKED)
        return known

    def _require_unchanged(self, matched: Matched, known: dict[str, str]) -> None:
        """Require that truth and references are those that the folder was begun with.

        They are looked at where it was begun, and at the first, the middle and the last initial time that is there: a
        truth is replaced from some time on, or as a whole.
        """
        paths = sorted(self.folder.glob(_SUMS))
        looked = [paths[place] for place in sorted({0, len(paths) // 2, len(paths) - 1})] if paths else []
        found = another(known, matched, matched.domain.since)
        for path in looked:
            found = found or changed(_told_if_whole(path), matched)
        if found:
            raise UserError(f"{found} is another than the sums in {self.folder} were made with; choose another folder")

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

    def _grid(self) -> LatLonGrid:
        """Return on which grid is judged."""
        try:
            with np.load(self.folder / _DOMAIN) as file:
                return LatLonGrid.from_coordinates(file["latitude"], file["longitude"])
        except _OF_DAMAGE:
            raise self._damaged(_DOMAIN) from None

    def _damaged(self, name: str) -> UserError:
        return UserError(f"{self.folder / name} is damaged; delete the folder {self.folder} and run again")


def _total(paths: Sequence[Path]) -> StatisticSums:
    return StatisticSums.total(map(read_sealed, paths))


def _packed(domain: Domain, grid: LatLonGrid, known: dict[str, str]) -> bytes:
    told = {"levels": domain.levels, "since": str(domain.since), "known": known}
    file = io.BytesIO()
    arrays: dict[str, Any] = {f"mask {name}": own for name, own in domain.masks.items()}
    arrays |= {"latitude": np.asarray(grid.latitude), "longitude": np.asarray(grid.longitude)}
    np.savez_compressed(file, told=np.array(json.dumps(told)), **arrays)
    return file.getvalue()


def _is_whole(path: Path) -> bool:
    """Return whether sums are there that nothing can be added to."""
    return path.exists() and bool(_told(path).get(_WHOLE, 1))


def _told_if_whole(path: Path) -> dict[str, Any]:
    """Return what a file tells; nothing where it is damaged, and made again when it is asked for."""
    try:
        return dict(read_sealed(path).dataset[COUNTED].attrs)
    except UserError:
        return {}


def _told(path: Path) -> dict[str, Any]:
    with xr.open_dataset(path) as opened:
        return dict(opened[COUNTED].attrs)
