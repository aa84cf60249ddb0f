"""Systems that a verb is to judge: where they are, what they are called, and what they must beat."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from weatherml.cli.paths import climatology_at, located
from weatherml.data.reading.opening import open_files
from weatherml.data.reading.selection import NotThereError
from weatherml.errors import UserError
from weatherml.errors.wording import counted, listed
from weatherml.grid import LatLonGrid
from weatherml.products import read_forecast, without_stopped
from weatherml.products.alignment import Alignment, RegriddedReference, align_systems
from weatherml.products.convert import select
from weatherml.references import Reference, as_slice
from weatherml.storage.locations import is_url, path_or_url
from weatherml.times import Period, is_within
from weatherml.verification.aggregation.sums import StatisticSums
from weatherml.verification.baselines.named import baseline, baselines
from weatherml.verification.systems import common_init_times


@dataclass(frozen=True)
class Reading:
    """What is read of forecasts and truth.

    Attributes:
        channels: Of the forecasts; all when None.
        drop_stopped: Whether members that stopped are left out.
        rename: Canonical names by what files call them, of forecasts and truth; one of them has each.
        told: What files of forecasts do not say, as `read_forecast` takes it.
        alignment: How forecasts and truth are made comparable, as `align` takes it.
        init_times: First and last time, both included; all when None.
    """

    channels: Sequence[str] | None = None
    drop_stopped: bool = False
    rename: Mapping[str, str] = field(default_factory=dict)
    told: Mapping[str, Any] = field(default_factory=dict)
    alignment: Alignment = field(default_factory=Alignment)
    init_times: Period | None = None

    def open(self, forecasts: Sequence[str], truth: str) -> tuple[list[xr.Dataset], xr.Dataset]:
        """Open forecasts and their truth.

        Raises:
            UserError: None of them has a name that is told; or something cannot be read.
        """
        absent: list[set[str]] = []
        opened = [self._open(partial(self.forecast, path), absent) for path in forecasts]
        analyses = self._open(partial(self.truth, truth), absent)
        nowhere = set.intersection(*absent)
        if nowhere:
            raise UserError(
                f"rename says what {min(nowhere)!r} is, but no file has such a variable; weatherml info names them"
            )
        return opened, analyses

    def _open(self, open_one: Callable[[Mapping[str, str]], xr.Dataset], absent: list[set[str]]) -> xr.Dataset:
        """Open files under the names that they have, and note which they have not."""
        rename, lacks = dict(self.rename), set[str]()
        while True:
            try:
                opened = open_one(rename)
            except NotThereError as error:
                lacks.add(error.name)
                del rename[error.name]
            else:
                absent.append(lacks)
                return opened

    def forecast(self, path: str, rename: Mapping[str, str]) -> xr.Dataset:
        """Open a forecast."""
        opened = read_forecast(path, rename=rename, **self.told)
        opened = opened if self.channels is None else select(opened, self.channels)
        opened = opened if self.init_times is None else _started_within(opened, self.init_times, path)
        return without_stopped(opened) if self.drop_stopped else opened

    def truth(self, path: str, rename: Mapping[str, str]) -> xr.Dataset:
        """Open analyses: at a path or a URL, or of an archive that has a name."""
        return open_files(located([path]), rename=rename)


@dataclass(frozen=True)
class Systems:
    """What is to be judged.

    Attributes:
        forecasts: By the name of the system, those of others and baselines that must be beaten among them.
        truth: Analyses.
        climatology: For anomalies.
        against: Names of the systems that must be beaten.
        made: Those of them that are made of the truth, and so may have more channels than any forecast.
        given: Names of the forecasts that are judged whatever must be beaten.
    """

    forecasts: Mapping[str, xr.Dataset]
    truth: xr.Dataset
    climatology: Reference | None
    against: Sequence[str]
    made: Sequence[str] = ()
    given: Sequence[str] = ()

    def require_rivals(self) -> None:
        """Require that there is something to compare with.

        Raises:
            UserError: There is not.
        """
        if not self.against:
            raise UserError("--scorecard compares; name a baseline or another forecast with --against")
        if len(self.forecasts) < 2:
            raise UserError(f"{self.against[0]} cannot be compared with itself; name another forecast with --against")

    def require_none_alone(self) -> None:
        """Require that only baselines are named as what must be beaten where nothing is compared.

        Raises:
            UserError: A forecast is, which would be judged without that.
        """
        for name in (name for name in self.against if name in self.given):
            raise UserError(
                f"--against {name} names a forecast that is judged anyway; add --scorecard to compare the others with"
                " it, or leave it out"
            )

    @property
    def left_out(self) -> str:
        """What is not judged, because not all have it, in words."""
        shared = len(common_init_times(self.forecasts))
        own = {name: forecast.sizes["init_time"] - shared for name, forecast in self.forecasts.items()}
        return ", ".join(f"{counted(n, 'initial time')} of {name} that not all have" for name, n in own.items() if n)

    def only_channels_of_forecasts(self, sums: Mapping[str, StatisticSums]) -> dict[str, StatisticSums]:
        """Return sums of baselines for no more channels than forecasts have."""
        forecast = {str(name) for own in sums if own not in self.made for name in sums[own].dataset["channel"].values}
        kept = {name: [str(c) in forecast for c in sums[name].dataset["channel"].values] for name in self.made}
        return {**sums, **{name: StatisticSums(sums[name].dataset.isel(channel=own)) for name, own in kept.items()}}


def open_systems(
    paths: Sequence[str], against: Sequence[str], names: Sequence[str], reading: Reading, climatology: Path | None
) -> Systems:
    """Open forecasts, truth and what forecasts must beat.

    Args:
        paths: Of forecasts and, last, of the truth.
        against: Baselines by name, paths of other forecasts, or names of those that are given.
        names: Of the forecasts in their order; by their paths when empty.
        reading: What is read.
        climatology: Where it is.

    Raises:
        UserError: There is no forecast or no truth, two systems have one name, or something cannot be read.
    """
    if len(paths) < 2:
        raise UserError(
            f"evaluate needs forecasts and, after them, their truth, got {listed(paths)} alone; weatherml evaluate"
            " --help shows an example"
        )
    for path in (*paths, *against):
        path_or_url(path)  # says so where it is empty
    *given, truth_path = paths
    own = named(given, names[: len(given)])
    made = [name for name in against if name in baselines]
    others = [path for path in against if path not in made and path not in own and path not in given]
    _require_there(others, own)
    called = named([*given, *others], names)
    for name in (name for name in made if name in called):
        raise UserError(f"a forecast would be called {name!r}, as the baseline of --against is; name each with --name")
    read, truth = reading.open([*given, *others], truth_path)
    opened, truth = align_systems(dict(zip(called, read, strict=True)), truth, **reading.alignment)
    normal = None if climatology is None else climatology_at(climatology)
    if normal is not None and reading.alignment.get("grid") is not None:
        normal = RegriddedReference(normal, LatLonGrid.from_dataset(truth))
    first = next(iter(opened.values()))
    shared = common_init_times(opened) if made else None
    forecasts = opened | {name: baseline(name, truth, normal, first, shared) for name in made}
    by_path = dict(zip([*given, *others], called, strict=True)) | dict(zip(own, called, strict=False))
    beaten = [by_path.get(name, name) for name in dict.fromkeys(against)]
    return Systems(forecasts, truth, normal, list(dict.fromkeys(beaten)), made, own)


def _started_within(forecast: xr.Dataset, period: Period, path: str) -> xr.Dataset:
    """Keep the initial times of a period.

    Raises:
        UserError: There are none.
    """
    times = forecast["init_time"].values
    chosen = np.flatnonzero(is_within(times, period))
    if not chosen.size:
        first, last = (str(own)[:16] for own in (times.min(), times.max()))
        raise UserError(
            f"{path} has no init time from {period[0]} to {period[1]}, its own are {first} to {last}; name some of"
            " these with --init-times"
        )
    return forecast.isel(init_time=as_slice(chosen))


def named(paths: Sequence[str], names: Sequence[str]) -> list[str]:
    """Return names of systems: those that are given, or else the last parts of their paths that differ.

    Raises:
        UserError: There are more names than forecasts, or fewer; two are the same, or one is no name of a folder.
    """
    for name in (name for name in names if not name or "/" in name or name.startswith(".")):
        raise UserError(f"--name {name!r} cannot be the name of a folder, as of sums; leave out '/' and a first '.'")
    if names and len(names) != len(paths):
        have = f"{counted(len(paths), 'forecast')} {'has' if len(paths) == 1 else 'have'}"
        raise UserError(f"{have} {counted(len(names), 'name')}; name each with --name")
    parts = [Path(path.partition("://")[2] or path).absolute().parts for path in paths]
    longest = max(map(len, parts))
    found = [[_stem(own[-min(n, len(own))]) for own in parts] for n in range(1, longest + 1)]
    called = list(names) or next((own for own in found if len(set(own)) == len(own)), found[0])
    twice = next((name for name in called if called.count(name) > 1 or "/" in name or not name), None)
    if twice is not None:
        wrong = "two systems would be" if called.count(twice) > 1 else "a folder of sums cannot be"
        raise UserError(f"{wrong} called {twice!r}; name each with --name")
    return called


def _stem(part: str) -> str:
    return Path(part).stem if Path(part).suffix in (".zarr", ".nc", ".grib", ".grib2", ".grb") else part


def _require_there(paths: Sequence[str], names: Sequence[str]) -> None:
    for path in (path for path in paths if not is_url(path) and not Path(path).exists()):
        raise UserError(
            f"nothing is at {path}, nor is it a forecast ({listed(names)}) or baseline ({listed(baselines)}); pass"
            " one of these to --against"
        )
