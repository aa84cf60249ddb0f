"""Storms of known places planted into real fields, and what the tracker makes of them.

    python benchmarks/planted_vortices.py SHARED > benchmarks/planted_vortices.md

SHARED holds the folder `reanalysis`. A storm is a Gaussian dent of pressure, or a Gaussian hill of cyclonic vorticity,
that goes along a great circle. It is planted into the fields of the winter 2025-26 at 2.5 degrees, which change from
time to time, and into one field of 0.25 degrees, also regridded to other grids, which stays; and into the mean field of
the winter, which has no storms at all. A case counts where a track has a record within one cell of the planted storm at
every time.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr

from weatherml.data.reading.opening import open_files
from weatherml.data.regrid import regrid
from weatherml.extremes.tracks import ClosedContour, Detection, Linking, each, track
from weatherml.extremes.tracks.detection import detect
from weatherml.extremes.tracks.detection.surroundings import Surroundings
from weatherml.grid import LatLonGrid
from weatherml.sphere.great_circles import destination, distance

PRESSURE, VORTICITY = "mean_sea_level_pressure", "vorticity_850"
LINKING = Linking(maximum_speed=41.2, maximum_gap=12, least_duration=24)
N_TIMES, HOURS = 9, 6
DEGREE = 111.19  # km
KINDS = (
    "date line",
    "Greenwich",
    "near a pole",
    "mid-latitudes",
    "land (Asia)",
    "land (Africa)",
    "tropics",
    "tropics, weak",
)
GRIDS = ("0.25deg", "0.5deg", "1deg", "2.5deg", "5deg", "gaussian 64x128", "gaussian 160x320", "90x180")


class Setup(NamedTuple):
    """What storms are planted into, and how they are sought.

    Attributes:
        label: What it is called.
        fields: Of pressure or vorticity, a few times.
        strength: Of a storm, in units of the field.
        radius: Where it has an e-th of its strength, km.
    """

    label: str
    fields: xr.Dataset
    strength: float
    radius: float

    @property
    def cell(self) -> float:
        """Side of a cell, km."""
        return LatLonGrid.from_dataset(self.fields).resolution * DEGREE

    @property
    def detection(self) -> Detection:
        """Contours of 2 hPa as TempestExtremes has them; of vorticity parts of what the strong ones have."""
        if PRESSURE in self.fields:
            return Detection(contours=(ClosedContour(PRESSURE, 200.0, 5.5),))
        contour = ClosedContour(VORTICITY, -0.1 * self.strength, 5.5)
        return Detection(VORTICITY, "cyclonic", intensity=0.2 * self.strength, contours=(contour,))

    def tracked(self, fields: xr.Dataset, linking: Linking = LINKING) -> xr.Dataset:
        """Return the tracks of fields such as those of the setup."""
        return track(fields, self.detection, linking).assign_attrs(times=fields["time"].values)


class Storm(NamedTuple):
    """A planted storm.

    Attributes:
        kind: What is hard about it.
        latitude: Of its way, degrees `[time]`.
        longitude: Degrees `[time]`.
        depth: How strong it is beside the kind's usual strength.
    """

    kind: str
    latitude: np.ndarray
    longitude: np.ndarray
    depth: float = 1.0


class Case(NamedTuple):
    """What became of a storm.

    Attributes:
        off: How far its records are from where it is, cells `[time]`; infinite where there is none.
        deeper: At how many times a stronger extremum of the real field is within the merging distance.
        new: Tracks that are neither planted nor in the real field.
    """

    off: np.ndarray
    deeper: int
    new: int


def along(kind: str, latitude: float, longitude: float, direction: float, speed: float, depth: float = 1.0) -> Storm:
    """Return a storm along a great circle, m s-1."""
    return Storm(kind, *destination(latitude, longitude, direction, speed * 3.6 * HOURS * np.arange(N_TIMES)), depth)


def storms(rng: np.random.Generator, is_pressure: bool) -> Iterator[Storm]:
    """Give a storm of each kind, at random places; of vorticity none at the equator, where there is no cyclonic one."""
    least, weak = (0, 0.2) if is_pressure else (12, 0.5)
    turn, side = rng.uniform(0, 360), rng.choice([-1, 1])
    speed = rng.uniform(4, 18)
    yield along("date line", side * rng.uniform(least, 60), rng.uniform(177, 180), rng.uniform(70, 110), speed)
    yield along("Greenwich", side * rng.uniform(least, 60), rng.uniform(0, 3), rng.uniform(250, 290), speed)
    yield along("near a pole", side * rng.uniform(84, 90), rng.uniform(0, 360), turn, speed)
    yield along("mid-latitudes", side * rng.uniform(30, 65), rng.uniform(0, 360), turn, speed)
    yield along("land (Asia)", rng.uniform(50, 65), rng.uniform(70, 100), turn, speed / 2)
    yield along("land (Africa)", side * rng.uniform(least, 20), rng.uniform(15, 30), turn, speed / 3)
    yield along("tropics", side * rng.uniform(least, 20), rng.uniform(0, 360), turn, speed / 3)
    yield along("tropics, weak", side * rng.uniform(least, 20), rng.uniform(0, 360), turn, speed / 3, depth=weak)


def dent(grid: LatLonGrid, latitude: float, longitude: float, radius: float) -> np.ndarray:
    """Return a Gaussian `[lat, lon]` of height 1."""
    away = distance(latitude, longitude, np.asarray(grid.latitude)[:, None], np.asarray(grid.longitude))
    return np.exp(-((away / radius) ** 2))


def with_storms(setup: Setup, own: list[Storm]) -> xr.Dataset:
    """Return fields in which storms are planted."""
    ((name, field),) = setup.fields.data_vars.items()
    grid, values = LatLonGrid.from_dataset(setup.fields), field.values.astype(np.float32).copy()
    for storm in own:
        for place, (north, east) in enumerate(zip(storm.latitude, storm.longitude, strict=True)):
            sign = -1 if name == PRESSURE or north < 0 else 1
            values[place] += sign * storm.depth * setup.strength * dent(grid, north, east, setup.radius)
    return setup.fields.copy(data={name: values})


def followed(storm: Storm, tracks: xr.Dataset, cell: float) -> np.ndarray:
    """Return how far the best track is from a storm at each time, cells `[time]`; infinite where it has no record."""
    best = np.full(N_TIMES, np.inf)
    times = np.unique(tracks.attrs["times"])
    for _, own in each(tracks):
        places = np.searchsorted(times, own["time"].values)
        off = np.full(N_TIMES, np.inf)
        north, east = storm.latitude[places], storm.longitude[places]
        off[places] = distance(own["latitude"].values, own["longitude"].values, north, east) / cell
        if (off <= 1).sum() > (best <= 1).sum():
            best = off
    return best


def alone(tracks: xr.Dataset, real: xr.Dataset, own: list[Storm]) -> int:
    """Return how many tracks are none of the real field's and at most times far from all planted storms."""
    n_new = 0
    for _, one in each(tracks):
        places = np.searchsorted(tracks.attrs["times"], one["time"].values)
        near = np.zeros(len(places), bool)
        for storm in own:
            far = distance(
                one["latitude"].values, one["longitude"].values, storm.latitude[places], storm.longitude[places]
            )
            near |= far < 10 * DEGREE
        for record in np.flatnonzero(~near):
            at = real.isel(record=real["time"].values == one["time"].values[record])
            place = one["latitude"].values[record], one["longitude"].values[record]
            near[record] = bool((distance(*place, at["latitude"].values, at["longitude"].values) < DEGREE).any())
        n_new += near.mean() < 0.5
    return n_new


def stronger(storm: Storm, planted: xr.Dataset, real: xr.Dataset) -> int:
    """Return at how many times the real field has a point within the merging distance that is stronger."""
    (name,) = planted.data_vars
    grid, n = LatLonGrid.from_dataset(planted), 0
    for place, (north, east) in enumerate(zip(storm.latitude, storm.longitude, strict=True)):
        away = distance(north, east, np.asarray(grid.latitude)[:, None], np.asarray(grid.longitude)) / DEGREE
        sign = -1 if name == PRESSURE or north < 0 else 1
        both, own = (sign * fields[name].values[place] for fields in (planted, real))
        n += own[away <= 7].max() > both[away <= 1.5 * grid.resolution].max()
    return n


def outcomes(setup: Setup, kinds: list[Storm]) -> Iterator[tuple[str, Case]]:
    """Plant storms one by one; give what becomes of each."""
    real = setup.tracked(setup.fields, Linking(41.2, maximum_gap=12))
    for storm in kinds:
        planted = with_storms(setup, [storm])
        tracks = setup.tracked(planted)
        case = Case(
            followed(storm, tracks, setup.cell), stronger(storm, planted, setup.fields), alone(tracks, real, [storm])
        )
        yield storm.kind, case


def why(setup: Setup, storm: Storm, case: Case) -> str:
    """Return a row on a storm that is lost: at how many times there is an extremum, one that counts, a record."""
    fields = with_storms(setup, [storm])
    around, (name,) = Surroundings(LatLonGrid.from_dataset(fields)), fields.data_vars
    told = []
    for own in (Detection(setup.detection.field, setup.detection.extremum, merge_distance=0.0), setup.detection):
        n = 0
        for place, (north, east) in enumerate(zip(storm.latitude, storm.longitude, strict=True)):
            found = detect({name: fields[name].values[place]}, own, around)
            n += bool((distance(found["latitude"], found["longitude"], north, east) <= setup.cell).any())
        told.append(n)
    start = f"{storm.latitude[0]:.0f} {storm.longitude[0]:.0f}"
    return f"| {setup.label} | {storm.kind} | {start} | {told[0]} | {told[1]} | {(case.off <= 1).sum()} |"


def winter(shared: Path, name: str) -> xr.Dataset:
    """Open a field of the winter; vorticity by its name with its level."""
    fields = open_files(shared / "reanalysis" / f"era5_{name}_2025-2026_djf_2.5x2.5.zarr").load()
    return fields.isel(level=0, drop=True).rename(vorticity=VORTICITY) if "level" in fields.dims else fields


def fine(shared: Path, name: str) -> xr.Dataset:
    """Open the field of 0.25 degrees, the same at all times."""
    raw = xr.open_dataset(shared / "reanalysis" / f"era5_{name}_0p25deg_20251201.nc").squeeze(drop=True)
    (field,) = raw.data_vars.values()
    times = np.datetime64("2025-12-01", "ns") + np.arange(N_TIMES) * np.timedelta64(HOURS, "h")
    named = field.rename(PRESSURE if name == "msl" else VORTICITY).astype(np.float32)
    return named.to_dataset().expand_dims(time=times).transpose("time", "latitude", "longitude")


def row(label: str, cases: list[tuple[str, Case]]) -> str:
    """Return a row of the table: by kind how many were followed, and of all how far off they are."""
    told = []
    for kind in KINDS:
        clear = [case for other, case in cases if other == kind and not case.deeper]
        told.append(f"{sum(bool((case.off <= 1).all()) for case in clear)} of {len(clear)}")
    clear, beside = ([case for _, case in cases if bool(case.deeper) == is_near] for is_near in (False, True))
    offs = np.concatenate([case.off for case in clear])
    within = sum(bool((case.off <= 1).all()) for case in beside)
    far = f"{np.median(offs):.2f}, {offs.max():.2f}"
    return (
        f"| {label} | {' | '.join(told)} | {far} | {within} of {len(beside)} | {sum(case.new for _, case in cases)} |"
    )


def meetings(setup: Setup, rng: np.random.Generator, n: int) -> Iterator[str]:
    """Give rows on pairs of storms: that merge, and that split."""
    linking = Linking(41.2, least_duration=12, merging_distance=8)
    for kind, column, order in (
        ("merging", "merged_into", slice(None)),
        ("splitting", "split_from", slice(None, None, -1)),
    ):
        told = kept = 0
        for _ in range(n):
            one, other = _pair(rng, kind, order)
            tracks = setup.tracked(with_storms(setup, [one, other]), linking)
            kept += bool((followed(one, tracks, setup.cell) <= 1.5).all())
            told += any(
                own[column].values[0] >= 0 and _is_near(other, own, tracks.attrs["times"], 1.5 * setup.cell)
                for _, own in each(tracks)
            )
        yield f"| {kind} | {kept} of {n} | {told} of {n} |"


def _pair(rng: np.random.Generator, kind: str, order: slice) -> tuple[Storm, Storm]:
    """Return a strong storm and one that closes in on it from 16 degrees away, in the order of times or backwards."""
    north, east = rng.uniform(-40, 40), rng.uniform(0, 360)
    one = along(kind, north, east, 90, 8.0, depth=1.4)
    gap = np.linspace(16, 0, N_TIMES) / np.cos(np.radians(north))
    other = Storm(kind, one.latitude, (one.longitude + gap) % 360)
    first, second = (Storm(kind, own.latitude[order], own.longitude[order], own.depth) for own in (one, other))
    return first, second


def _is_near(storm: Storm, own: xr.Dataset, times: np.ndarray, km: float) -> bool:
    places = np.searchsorted(times, own["time"].values)
    far = distance(own["latitude"].values, own["longitude"].values, storm.latitude[places], storm.longitude[places])
    return bool(np.median(far) <= km)


def setups(shared: Path, rng: np.random.Generator, n: int) -> Iterator[tuple[str, list[Setup]]]:
    """Give what storms are planted into by its label; a setup for each storm of a kind."""
    width = 1.1  # cells
    for name, strength in (("msl", 5000.0), ("vo850", 6e-4)):
        fields, what = winter(shared, name), "pressure" if name == "msl" else "vorticity"
        starts = rng.integers(0, fields.sizes["time"] - N_TIMES, n)
        parts = [fields.isel(time=slice(first, first + N_TIMES)) for first in starts]
        label = f"winter, 2.5°, {what}"
        yield label, [Setup(label, part, strength, width * 2.5 * DEGREE) for part in parts]
        if name == "msl":
            yield "mean of the winter, 2.5°, pressure", [calm(fields, strength, width * 2.5 * DEGREE)] * n
    pressure = fine(shared, "msl")
    for grid in GRIDS:
        own = pressure if grid == GRIDS[0] else regrid(pressure, grid).load()
        label = f"1 December 2025, {grid}, pressure"
        spacing = LatLonGrid.from_dataset(own).resolution * DEGREE
        yield label, [Setup(label, own, 5000.0, max(width * spacing, 120.0))] * (2 if spacing < 60 else n)
    label = "1 December 2025, 0.25deg, vorticity"
    yield label, [Setup(label, fine(shared, "vo850"), 2e-3, 120.0)] * 2


def calm(fields: xr.Dataset, strength: float, radius: float) -> Setup:
    """Return the mean of all times, which has no storms, at a few times."""
    own = (fields.isel(time=slice(N_TIMES)) * 0 + fields.mean("time")).astype(np.float32).transpose("time", ...)
    return Setup("mean of the winter", own, strength, radius)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shared", type=Path)
    parser.add_argument("--n", type=int, default=10, help="storms of each kind")
    # Rules were last changed with the places of 20251201 in sight.
    parser.add_argument("--misses", action="store_true", help="say of each storm that is lost where")
    parser.add_argument("--seed", type=int, default=1, help="of places")
    given = parser.parse_args()
    rng = np.random.default_rng(given.seed)
    print(f"| field | {' | '.join(KINDS)} | off: median, most (cells) | beside a stronger | elsewhere |")
    print("|" + "---|" * (len(KINDS) + 4))
    lost = []
    for label, own in setups(given.shared, rng, given.n):
        cases = []
        for setup in own:
            planted = list(storms(rng, PRESSURE in setup.fields))
            new = list(outcomes(setup, planted))
            cases += new
            pairs = zip(planted, new, strict=True) if given.misses else ()
            lost += [why(setup, storm, case) for storm, (_, case) in pairs if (case.off > 1).any() and not case.deeper]
        print(row(label, cases))
        sys.stdout.flush()
    print("\n| two storms | the stronger is one track | the other is told to merge or split |\n|---|---|---|")
    for told in meetings(calm(winter(given.shared, "msl"), 5000.0, 1.1 * 2.5 * DEGREE), rng, 2 * given.n):
        print(told)
    if given.misses:
        print(
            "\n| field | kind | from | extremum within a cell | fulfils the criteria | on one track |\n|" + "---|" * 6
        )
        print("\n".join(lost))


if __name__ == "__main__":
    main()
