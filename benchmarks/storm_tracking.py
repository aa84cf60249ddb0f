"""Storms detected and linked: processor time beside TempestExtremes, agreement with it, ensembles, and resolutions.

    python benchmarks/storm_tracking.py fine SHARED FOLDER --tempest BIN
    python benchmarks/storm_tracking.py ensemble SHARED FOLDER
    python benchmarks/storm_tracking.py member SHARED FOLDER --members 50 --workers 2
    python benchmarks/storm_tracking.py resolutions SHARED FOLDER
    python benchmarks/storm_tracking.py tropics SHARED FOLDER

SHARED holds the folder `reanalysis`; FOLDER takes what is made; BIN holds DetectNodes and StitchNodes of
TempestExtremes (github.com/ClimateGlobalChange/tempestextremes, built with `cmake -DCMAKE_BUILD_TYPE=Release`; it needs
netCDF).

`fine`: the real pressure and 850 hPa vorticity of 0.25 degrees at one time, which the globe turns under by a degree in
six hours, at 40 times; both programs read the same file, on one core. `ensemble`: the field averaged to 1 degree, 50
members that are turned and disturbed, 40 leads, in a zarr store, in processes of their own with 5, 20 and 50 members.
`member`: one row of that table, of the store that `ensemble` has made.
`resolutions`: the storms of one real time at 0.25 and at 2.5 degrees. `tropics`: what of that time the contour of
pressure of tropical cyclones lets through.
"""

import argparse
import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import xarray as xr
from scipy.ndimage import gaussian_filter

from weatherml.data.regrid import regrid
from weatherml.extremes.tracks import (
    TROPICAL_CYCLONE,
    ClosedContour,
    Condition,
    Detection,
    Linking,
    Nearby,
    make,
    track,
)
from weatherml.extremes.tracks.detection import detect
from weatherml.extremes.tracks.detection.surroundings import Surroundings
from weatherml.extremes.tracks.filtering import band_passed
from weatherml.extremes.tracks.matching import Matching, match
from weatherml.grid import LatLonGrid
from weatherml.process.workers import Dask
from weatherml.sphere.great_circles import distance

PRESSURE, VORTICITY = "mean_sea_level_pressure", "vorticity_850"
DETECTION = Detection(
    contours=(ClosedContour(PRESSURE, 200.0, 5.5),), nearby=(Nearby("maximum_vorticity", VORTICITY, "maximum", 2.0),)
)
LINKING = Linking(
    41.2, maximum_gap=24, least_duration=54, conditions=(Condition("maximum_vorticity", least=1e-4, hours=54),)
)
N_TIMES = 40


def real(shared: Path, spacing: str = "0p25deg") -> xr.Dataset:
    """Open pressure and vorticity of 1 December 2025, 00 UTC, dims (latitude, longitude)."""
    found = {}
    for name, own in ((PRESSURE, "msl"), (VORTICITY, "vo850")):
        folder = shared / "reanalysis"
        if spacing == "0p25deg":
            raw = xr.open_dataset(folder / f"era5_{own}_0p25deg_20251201.nc")
        else:
            raw = xr.open_zarr(folder / f"era5_{own}_2025-2026_djf_2.5x2.5.zarr").isel(valid_time=0)
        (field,) = raw.squeeze(drop=True).data_vars.values()
        found[name] = field.astype(np.float32).reset_coords(drop=True)
    return xr.Dataset(found).load()


def turning(fields: xr.Dataset, n_times: int, columns: int) -> xr.Dataset:
    """Return the fields at times six hours apart, turned eastward by columns from one to the next."""
    times = np.datetime64("2025-12-01", "ns") + np.arange(n_times) * np.timedelta64(6, "h")
    own = [fields.roll(longitude=columns * place) for place in range(n_times)]
    return xr.concat(own, xr.DataArray(times, dims="time", name="time")).transpose("time", ...)


def seconds(function: Callable[[], object]) -> tuple[float, object]:
    """Return the processor time of a call, children included, and what it returns."""
    before = _used()
    result = function()
    return _used() - before, result


def _used() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(own.ru_utime + own.ru_stime for own in usages)


def fine(shared: Path, folder: Path, tempest: Path | None) -> None:
    """Print processor times on the same file, and whether both find the same."""
    path = folder / "turning.nc"
    if not path.exists():
        encoding = {"time": {"units": "hours since 2025-12-01", "dtype": "float64"}}
        turning(real(shared), N_TIMES, 4).to_netcdf(path, format="NETCDF3_64BIT", encoding=encoding)
    both = xr.open_dataset(path).chunk(time=1)
    track(both.isel(time=slice(1)), DETECTION, Linking())
    lines = []
    for n_times in (1, N_TIMES):
        own, tracks = seconds(lambda n=n_times: track(both.isel(time=slice(n)), DETECTION, LINKING))
        lines.append(f"| weatherml, {n_times} times | {own:.2f} | {own / n_times:.3f} |")
    if tempest:
        for n_times in (1, N_TIMES):
            other, _ = seconds(lambda n=n_times: tempest_tracks(path, folder, tempest, n))
            lines.append(f"| TempestExtremes, {n_times} times | {other:.2f} | {other / n_times:.3f} |")
        lines.append(f"\n{N_TIMES} times: {other / own:.1f} times the processor time\n")
        lines += agreement(folder, tracks, both)
    print("| program | processor time, s | a time |\n|---|---|---|")
    print("\n".join(lines))


def tempest_tracks(path: Path, folder: Path, tempest: Path, n_times: int) -> None:
    """Detect and stitch with the same criteria."""
    own = path
    if n_times < N_TIMES:
        own = folder / f"turning_{n_times}.nc"
        if not own.exists():
            xr.open_dataset(path).isel(time=slice(n_times)).to_netcdf(own, format="NETCDF3_64BIT")
    criteria = ["--closedcontourcmd", f"{PRESSURE},200.0,5.5,0", "--mergedist", "6.0"]
    names = ["--latname", "latitude", "--lonname", "longitude"]
    told = ["--outputcmd", f"{PRESSURE},min,0;{VORTICITY},max,2"]
    run(
        [tempest / "DetectNodes", "--in_data", own, "--out", folder / "nodes.txt", "--searchbymin", PRESSURE],
        criteria,
        names,
        told,
    )
    if n_times == N_TIMES:
        rules = ["--range", "8.0", "--mintime", "54h", "--maxgap", "24h", "--threshold", "vo,>=,0.0001,10"]
        run(
            [tempest / "StitchNodes", "--in", folder / "nodes.txt", "--out", folder / "tracks.txt"],
            ["--in_fmt", "lon,lat,slp,vo"],
            rules,
        )


def run(*parts: list[object]) -> None:
    """Run a program."""
    subprocess.run([str(own) for part in parts for own in part], check=True, stdout=subprocess.DEVNULL)


def agreement(folder: Path, tracks: xr.Dataset, both: xr.Dataset) -> list[str]:
    """Say how many candidates and tracks of TempestExtremes are found, and the other way round."""
    nodes = candidates(folder / "nodes.txt")
    around = Surroundings(LatLonGrid.from_dataset(both))
    found = other_only = own_only = doubles = 0
    for place, there in enumerate(nodes):
        fields = {name: both[name].values[place] for name in DETECTION.told}
        own = detect(fields, DETECTION, around)
        away = distance(there[:, :1], there[:, 1:2], own["latitude"], own["longitude"])
        doubles += len(there) - len(np.unique(away.argmin(axis=1)))
        found += int((away.min(axis=1) < 50).sum())
        other_only += int((away.min(axis=1) >= 50).sum())
        own_only += int((away.min(axis=0) >= 50).sum())
    lines = [
        f"All times: {found} of TempestExtremes' {sum(map(len, nodes))} are within 50 km of one of ours"
        f" ({doubles} of them are a second point of equal pressure beside one); only TempestExtremes finds"
        f" {other_only}, only we {own_only}."
    ]
    theirs = stitched(folder / "tracks.txt")
    pairs = match(theirs, tracks, Matching(separation=50.0, overlap=0.9, share_of="longer"))
    n_theirs, n_ours = (len(np.unique(own["track_id"].values)) for own in (theirs, tracks))
    lines.append(
        f"Tracks: {n_theirs} of TempestExtremes, {n_ours} of ours; {pairs.sizes['pair']} are the same within 50 km on"
        " average over nine tenths of their records or more."
    )
    return lines


def candidates(path: Path) -> list[np.ndarray]:
    """Read latitudes and longitudes `[storm, 2]` of each time of DetectNodes."""
    times: list[list[tuple[float, float]]] = []
    for line in path.read_text().splitlines():
        if re.match(r"\s", line):
            times[-1].append((float(line.split()[3]), float(line.split()[2])))
        else:
            times.append([])
    return [np.asarray(own).reshape(-1, 2) for own in times]


def stitched(path: Path) -> xr.Dataset:
    """Read the tracks of StitchNodes."""
    rows: list[tuple[int, np.datetime64, float, float]] = []
    track_id = -1
    for line in path.read_text().splitlines():
        if line.startswith("start"):
            track_id += 1
            continue
        parts = line.split()
        year, month, day, hour = (int(own) for own in parts[-4:])
        moment = np.datetime64(f"{year:04}-{month:02}-{day:02}T{hour:02}", "ns")
        rows.append((track_id, moment, float(parts[3]), float(parts[2])))
    return make(dict(zip(("track_id", "time", "latitude", "longitude"), zip(*rows, strict=True), strict=True)))


def ensemble(shared: Path, folder: Path) -> None:
    """Print time and memory of ensembles."""
    path = folder / "ensemble.zarr"
    if not path.exists():
        make_ensemble(shared, path, n_members=50, n_leads=N_TIMES)
    print("| members | workers | processor time, s | by the clock, s | peak memory of this process, MB | tracks |")
    print("|---|---|---|---|---|---|")
    for n_members, workers in ((5, 1), (20, 1), (50, 1), (50, 2)):
        command = [
            sys.executable,
            __file__,
            "member",
            str(shared),
            str(folder),
            f"--members={n_members}",
            f"--workers={workers}",
        ]
        print(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip())


def make_ensemble(shared: Path, path: Path, n_members: int, n_leads: int) -> None:
    """Write a forecast: fields turned by a member's own number of columns, and disturbed by smooth noise."""
    coarse = regrid(real(shared)[[PRESSURE]], "1deg").load()
    rng = np.random.default_rng(0)
    for number in range(n_members):
        moved = turning(coarse.roll(longitude=7 * number), n_leads, 1)
        noise = gaussian_filter(rng.standard_normal((n_leads, *coarse[PRESSURE].shape)), (0, 3, 3), mode="wrap")
        waves = 30 * (noise / noise.std()).cumsum(axis=0)  # Pa
        own = (moved + np.asarray(waves, np.float32)).rename(time="lead_time").expand_dims(["init_time", "number"])
        leads = np.arange(n_leads) * np.timedelta64(6, "h").astype("timedelta64[ns]")
        start = np.asarray(["2025-12-01"], "datetime64[ns]")
        own = own.assign_coords(lead_time=leads, number=[number], init_time=start).transpose(
            "init_time", "lead_time", "number", ...
        )
        chunks = {PRESSURE: {"chunks": (1, 1, 1, *coarse[PRESSURE].shape)}} if number == 0 else {}
        own.to_zarr(
            path, mode="w" if number == 0 else "a", append_dim="number" if number else None, encoding=chunks or None
        )


def member(folder: Path, n_members: int, workers: int) -> None:
    """Track an ensemble, and print a row."""
    fields = xr.open_zarr(folder / "ensemble.zarr", chunks=None).isel(number=slice(n_members))
    detection, linking = Detection(contours=DETECTION.contours), Linking(41.2, maximum_gap=24, least_duration=54)
    began = time.monotonic()
    given = {} if workers == 1 else {"workers": Dask(workers)}
    own, tracks = seconds(lambda: track(fields, detection, linking, **given))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    n_tracks = len(np.unique(tracks["track_id"].values))
    print(f"| {n_members} | {workers} | {own:.1f} | {time.monotonic() - began:.0f} | {peak:.0f} | {n_tracks} |")


def resolutions(shared: Path) -> None:
    """Print which storms of one resolution the other has."""
    one, points = real(shared), real(shared, "2.5")
    means = regrid(one, "2.5deg").load()
    print(
        "| criterion | storms at | are at | within a cell of 2.5° | median off, km | not there: latitude, longitude |"
    )
    print("|---|---|---|---|---|---|")
    for name, strong, easy, filtered in criteria():
        kept = {
            label: band_passed(own[strong.field]) if filtered else own[strong.field]
            for label, own in (("0.25°", one), ("2.5°, points", points), ("2.5°, means", means))
        }
        for first, second in (
            ("0.25°", "2.5°, points"),
            ("2.5°, points", "0.25°"),
            ("0.25°", "2.5°, means"),
            ("2.5°, means", "0.25°"),
        ):
            print(compared(name, (first, kept[first], strong), (second, kept[second], easy)))


def tropics(shared: Path) -> None:
    """Print the lows within 30 degrees of the equator that have the closed contour of the tropical preset."""
    fields = real(shared)
    nearby = tuple(Nearby(name, VORTICITY, name, 2.0) for name in ("maximum", "minimum"))
    own = Detection(contours=TROPICAL_CYCLONE.detection.contours[:1], nearby=nearby)
    found = detect({name: fields[name].values for name in own.told}, own, Surroundings(LatLonGrid.from_dataset(fields)))
    print("| latitude, longitude | pressure, hPa | cyclonic vorticity at 850 hPa, 1e-4 s-1 |\n|---|---|---|")
    for at in np.flatnonzero(np.abs(found["latitude"]) <= 30):
        north, east = found["latitude"][at], found["longitude"][at]
        turning = found["maximum"][at] if north > 0 else -found["minimum"][at]
        print(f"| {north:.1f} {east:.1f} | {found[PRESSURE][at] / 100:.1f} | {1e4 * turning:.1f} |")


def criteria() -> list[tuple[str, Detection, Detection, bool]]:
    """Give what storms are compared: the strong ones of one resolution with all of the other."""

    def closed(least: float) -> Detection:
        return Detection(contours=(ClosedContour(PRESSURE, least, 5.5),))

    def waves(least: float) -> Detection:
        return Detection(PRESSURE, "minimum", intensity=-least, merge_distance=3.0)

    def turns(least: float) -> Detection:
        return Detection(VORTICITY, "cyclonic", intensity=least, merge_distance=1.5)

    return [
        ("pressure, contour of 6 hPa, there of 2", closed(600.0), closed(200.0), False),
        ("pressure, contour of 4 hPa, there of 2", closed(400.0), closed(200.0), False),
        ("pressure, contour of 2 hPa, there of 0.5", closed(200.0), closed(50.0), False),
        ("pressure T5-42, below -10 hPa, there -1", waves(1000.0), waves(100.0), True),
        ("vorticity T5-42, above 8e-5 s-1, there 3e-5", turns(8e-5), turns(3e-5), True),
    ]


def compared(name: str, first: tuple[str, xr.DataArray, Detection], second: tuple[str, xr.DataArray, Detection]) -> str:
    """Return a row: which storms of the first are among the second's."""
    (label, field, strong), (other, others, easy) = first, second
    one, two = (
        detect({own.field: values.values}, own, Surroundings(LatLonGrid.from_dataset(values)))
        for own, values in ((strong, field), (easy, others))
    )
    away = distance(one["latitude"][:, None], one["longitude"][:, None], two["latitude"], two["longitude"]).min(axis=1)
    cell = 2.5 * 111.19
    lost = [f"{one['latitude'][at]:.0f} {one['longitude'][at]:.0f}" for at in np.flatnonzero(away > cell)]
    told = f"{(away <= cell).sum()} of {len(away)} | {np.median(away):.0f} | {', '.join(lost) or 'none'}"
    return f"| {name} | {label} | {other} | {told} |"


def main() -> None:
    """Do what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["fine", "ensemble", "member", "resolutions", "tropics"])
    parser.add_argument("shared", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tempest", type=Path)
    parser.add_argument("--members", type=int, default=50)
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    given.folder.mkdir(parents=True, exist_ok=True)
    if given.what == "fine":
        fine(given.shared, given.folder, given.tempest)
    elif given.what == "ensemble":
        ensemble(given.shared, given.folder)
    elif given.what == "member":
        member(given.folder, given.members, given.workers)
    elif given.what == "tropics":
        tropics(given.shared)
    else:
        resolutions(given.shared)


if __name__ == "__main__":
    main()
