"""Storms of a real winter against those of Hodges' TRACK: print the season table as markdown and draw the densities.

python benchmarks/storm_season.py ../shared docs/images/storm_season.png
"""

import sys
import time
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import xarray as xr
from PIL import Image

import weatherml as wml
from weatherml import sphere
from weatherml.extremes.tracks import EXTRATROPICAL, FILTERED_LOWS, FILTERED_VORTICES, Linking, imilast, track
from weatherml.extremes.tracks.density import lasting, lifetimes, track_density
from weatherml.extremes.tracks.detection import refinement
from weatherml.extremes.tracks.filtering import Band, band_passed
from weatherml.extremes.tracks.imilast import ANOMALY
from weatherml.extremes.tracks.matching import Matching, match, match_rates
from weatherml.grid import LatLonGrid
from weatherml.sphere.great_circles import distance

DPI, N_COLOURS = 90, 160
REFERENCE = "reference/cyclones/era5_msl_2025-2026_djf_2.5x2.5_hodges_imilast.txt"
STORES = [f"reanalysis/era5_{name}_2025-2026_djf_2.5x2.5.zarr" for name in ("msl", "vo850")]
FINE = "reanalysis/era5_msl_0p25deg_20251201.nc"
CELL = 278  # km, of the coarse grid
CHOSEN_ON, HELD_OUT = ("2025-12-01", "2025-12-31"), ("2026-01-01", "2026-02-28")
PERIODS = {"December (settings chosen)": CHOSEN_ON, "January, February (held out)": HELD_OUT}

NAMED, FOUND = Band(5, 42), Band(5, 36)
RULES = Matching()


def within(tracks: xr.Dataset, period: tuple[str, str]) -> xr.Dataset:
    """Return the records of a period."""
    days = tracks["time"].values.astype("datetime64[D]")
    first, last = np.array(period, "datetime64[D]")
    return tracks.isel(record=np.flatnonzero((days >= first) & (days <= last)))


def without_pole_row(tracks: xr.Dataset) -> xr.Dataset:
    """Return the tracks that lie less than half at the very pole, where each column of the row is counted by itself."""
    _, place = np.unique(tracks["track_id"].values, return_inverse=True)
    at_pole = np.bincount(place, tracks["latitude"].values > 89.99) / np.bincount(place)
    return tracks.isel(record=np.flatnonzero(at_pole[place] < 0.5))


def compare(reference: xr.Dataset, found: xr.Dataset, rules: Matching = RULES, days: float = 2.0) -> dict[str, float]:
    """Return the rates of storms that last, of which partners may be shorter, and what pairs have in common."""
    pairs = match(reference, found, rules)
    rates = match_rates(lasting(reference, days), lasting(found, days), pairs)
    own = np.isin(pairs["first"].values, lasting(reference, days)["track_id"].values)
    lives = [lifetimes(tracks).set_index(track="track_id") for tracks in (reference, found)]
    lived = [
        life.sel(track=pairs[name].values[own]).values for life, name in zip(lives, ("first", "second"), strict=True)
    ]
    return rates | {
        "overlap": float(pairs["overlap"].values[own].mean()),
        "longer": float(np.mean(lived[1] - lived[0])),
        "same": float(np.mean(np.abs(lived[1] - lived[0]) < 0.3)),
    }


def row(*cells: object) -> None:
    print("|", " | ".join(map(str, cells)), "|")


def head(*cells: str) -> None:
    print()
    row(*cells)
    print("|" + "---|" * len(cells))


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def rates_row(name: str, period: str, rates: dict[str, float]) -> None:
    counts = f"{rates['n_first']:.0f} / {rates['n_second']:.0f}"
    shares = (percent(rates[each]) for each in ("first", "second"))
    lives = f"{24 * rates['longer']:+.1f} h, {percent(rates['same'])}"
    row(name, period, counts, *shares, f"{rates['separation']:.0f} km", percent(rates["overlap"]), lives)


def tell_reference(whole: xr.Dataset, off_pole: xr.Dataset, mended: xr.Dataset) -> None:
    head("TRACK's tracks", "all", "two days and more")
    names = ("in the file", "without the row at the pole", "and those cut in seven periods rejoined")
    for name, tracks in zip(names, (whole, off_pole, mended), strict=True):
        row(name, *(len(np.unique(own["track_id"])) for own in (tracks, lasting(tracks, 2))))


def tell_band(fields: xr.DataArray, reference: xr.Dataset) -> None:
    """Say how well the minima of bands fit TRACK's records in December."""
    head("filter", "minima a time", "TRACK's records with one within 150 km", "median distance", "difference of depth")
    december = within(reference, CHOSEN_ON)
    for last in (34, 35, 36, 37, 42):
        passed = band_passed(fields.sel(time=slice(*CHOSEN_ON)), Band(5, last)).to_dataset()
        single = track(passed, FILTERED_LOWS.detection, Linking())
        apart, deeper = nearest(december, single)
        near = apart < 150
        spread = f"{np.median(deeper[near]):+.1f} ± {deeper[near].std():.1f} Pa"
        n_each = single.sizes["record"] / passed.sizes["time"]
        row(f"T5-{last}", f"{n_each:.1f}", percent(near.mean()), f"{np.median(apart):.0f} km", spread)


def nearest(reference: xr.Dataset, found: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Return of each record how far the nearest one found is, km, and how much lower."""
    apart, deeper = np.empty(reference.sizes["record"]), np.empty(reference.sizes["record"])
    for moment in np.unique(reference["time"].values):
        own = np.flatnonzero(reference["time"].values == moment)
        others = found.isel(record=found["time"].values == moment)
        places = [reference[name].values[own, None] for name in ("latitude", "longitude")]
        km = distance(*places, others["latitude"].values, others["longitude"].values)
        apart[own] = km.min(axis=1)
        deeper[own] = others[ANOMALY].values[km.argmin(axis=1)] - reference[ANOMALY].values[own]
    return apart, deeper


def tell_centres(fields: xr.DataArray) -> None:
    """Say how far centres between points of the coarse grid are from those of the same waves on a fine one."""
    grid, fine = LatLonGrid.from_dataset(fields), LatLonGrid.regular(721, 1440)
    head("centres of T5-36 minima at 2.5 degrees", "median off", "90th percentile")
    weights = FOUND.weights()
    passed, true = [], []
    for moment in np.array(["2025-12-03", "2025-12-13", "2025-12-23"], "datetime64[ns]"):
        coefficients = sphere.analyse(fields.sel(time=moment).values, grid, FOUND.last) * weights
        for own, found in ((grid, passed), (fine, true)):
            values = sphere.synthesise(coefficients, own)[None].astype(np.float32)
            coords = {"time": [moment], "latitude": list(own.latitude), "longitude": list(own.longitude)}
            found.append(xr.DataArray(values, coords, ("time", "latitude", "longitude"), ANOMALY))
    known = track(xr.concat(true, "time").to_dataset(), FILTERED_LOWS.detection, Linking())
    deep = known.isel(record=(known[ANOMALY].values < -300) & (np.abs(known["latitude"].values) < 85))
    kept = refinement._WEIGHTS
    ways = {"the point itself": None, "a surface through all nine points alike": np.ones(9), "as they are found": kept}
    for name, own in ways.items():
        refinement._WEIGHTS = np.ones(9) if own is None else own
        refinement._MOST = 0.0 if own is None else 1.0
        apart, _ = nearest(deep, track(xr.concat(passed, "time").to_dataset(), FILTERED_LOWS.detection, Linking()))
        row(name, f"{np.median(apart):.0f} km", f"{np.percentile(apart, 90):.0f} km")
    refinement._WEIGHTS, refinement._MOST = kept, 1.0


def tell_resolutions(shared: Path, coarse: xr.DataArray) -> None:
    """Say which storms of one time are found at both resolutions."""
    moment = coarse["time"].values[:1]
    with xr.open_dataset(shared / FINE) as file:
        fine = file["msl"].squeeze(drop=True).load().rename("mean_sea_level_pressure").expand_dims(time=moment)
    head("2025-12-01 00 UTC", "at 0.25 degrees", "at 2.5", "at 0.25 of those at 2.5", "the other way", "median apart")
    kinds = {"T5-36 minima below -5 hPa": FOUND, "pressure itself, 2 hPa within 6 degrees": None}
    for name, band in kinds.items():
        found = []
        for field in (fine, coarse.sel(time=moment)):
            own = (band_passed(field, band) if band else field).to_dataset()
            detection = replace(FILTERED_LOWS.detection, intensity=-500.0) if band else EXTRATROPICAL.detection
            found.append(track(own, detection, Linking()))
        apart = [distances(*pair) for pair in (found[::-1], found)]
        shares = (percent((own < CELL).mean()) for own in apart)
        row(name, *(own.sizes["record"] for own in found), *shares, f"{np.median(apart[0]):.0f} km")


def distances(reference: xr.Dataset, found: xr.Dataset) -> np.ndarray:
    """Return how far the nearest storm is from each of another set, of one time, km."""
    places = [reference[name].values[:, None] for name in ("latitude", "longitude")]
    return distance(*places, found["latitude"].values, found["longitude"].values).min(axis=1)


def tell_season(references: dict[str, xr.Dataset], sets: dict[str, xr.Dataset]) -> None:
    columns = ("TRACK's two-day tracks matched", "ours matched", "separation", "overlap", "ours live longer, alike")
    head("what", "period", "two-day tracks, TRACK / ours", *columns)
    for name, found in sets.items():
        for period, dates in PERIODS.items():
            rates_row(name, period, compare(within(references["mended"], dates), within(found, dates)))
    found = next(iter(sets.values()))
    for name in ("without the row at the pole", "in the file"):
        for period, dates in PERIODS.items():
            rates = compare(within(references[name], dates), within(found, dates))
            rates_row(f"{next(iter(sets))}; TRACK {name}", period, rates)


def tell_rules(reference: xr.Dataset, found: xr.Dataset) -> None:
    head("separation below", "overlap", "of", "TRACK's matched", "ours matched", "separation")
    for km, overlap, share_of in (
        (444.8, 0.5, "mean"),
        (278, 0.5, "mean"),
        (278, 0.75, "mean"),
        (278, 0.75, "longer"),
        (222, 0.6, "mean"),
    ):
        rates = compare(reference, found, Matching(km, overlap, share_of))
        shares = (percent(rates[each]) for each in ("first", "second"))
        row(f"{km:g} km", percent(overlap), share_of, *shares, f"{rates['separation']:.0f} km")


def tell_places(reference: xr.Dataset, found: xr.Dataset) -> None:
    """Say where and of which storms tracks have no partner."""
    pairs = match(reference, found, RULES)
    head("two-day tracks, by their mean latitude", "TRACK's", "of them matched", "ours", "of them matched")
    bands = {
        "90 to 60 S": (-90, -60),
        "60 to 30 S": (-60, -30),
        "30 S to 30 N": (-30, 30),
        "30 to 60 N": (30, 60),
        "60 to 90 N": (60, 90),
    }
    for name, (south, north) in bands.items():
        cells: list[object] = []
        for tracks, side in ((reference, "first"), (found, "second")):
            long = lasting(tracks, 2)
            latitude = long["latitude"].groupby(long["track_id"]).mean()
            ids = latitude["track_id"].values[(latitude >= south) & (latitude < north)]
            cells += [len(ids), percent(np.isin(ids, pairs[side].values).mean())]
        row(name, *cells)


def tell_lives(reference: xr.Dataset, found: xr.Dataset) -> None:
    head(
        "days tracked, of storms of two days and more",
        "number",
        "median",
        "90th percentile",
        "longest",
        "over 4 days",
        "over 7 days",
    )
    for name, tracks in (("TRACK", reference), ("ours", found)):
        lives = lifetimes(lasting(tracks, 2)).values
        shares = (percent((lives >= days).mean()) for days in (4, 7))
        row(
            name,
            len(lives),
            f"{np.median(lives):.2f}",
            f"{np.percentile(lives, 90):.2f}",
            f"{lives.max():.2f}",
            *shares,
        )


def draw(reference: xr.Dataset, found: xr.Dataset, output: Path) -> None:
    """Write the densities of both as a small picture, and print how alike they are."""
    grid = LatLonGrid.regular(73, 144)
    ours, theirs = (track_density(lasting(tracks, 2), grid, n_days=90) for tracks in (found, reference))
    weights = np.broadcast_to(grid.area_weights(), grid.shape).ravel()
    covariance = np.cov(ours.values.ravel(), theirs.values.ravel(), aweights=weights)
    means = [float(np.average(own.values.ravel(), weights=weights)) for own in (ours, theirs)]
    correlation = covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1])
    print(f"\nDensities: correlation by area {correlation:.3f}; mean {means[0]:.2f} (ours), {means[1]:.2f} (TRACK).")
    figure = wml.plot.track_density(ours, theirs, names=("weatherml", "TRACK"))
    drawn = BytesIO()
    figure.savefig(drawn, dpi=DPI)
    Image.open(drawn).convert("RGB").quantize(N_COLOURS, dither=Image.Dither.NONE).save(output, optimize=True)


def main() -> None:
    shared, output = map(Path, sys.argv[1:3])
    fields = wml.open_files([str(shared / name) for name in STORES]).load()
    pressure, vorticity = fields["mean_sea_level_pressure"], fields["vorticity"].sel(level=850)
    whole = imilast.read(shared / REFERENCE)
    off_pole = without_pole_row(whole)
    references = {"mended": imilast.rejoined(off_pole), "without the row at the pole": off_pole, "in the file": whole}
    tell_reference(whole, off_pole, references["mended"])
    tell_band(pressure, without_pole_row(whole))
    tell_centres(pressure)
    tell_resolutions(shared, pressure)
    began = time.process_time()
    sets = {
        f"{name} minima": track(band_passed(pressure, band).to_dataset(), *FILTERED_LOWS)
        for name, band in (("T5-36", FOUND), ("T5-42", NAMED))
    }
    sets["T5-42 vorticity at 850 hPa"] = track(band_passed(vorticity, NAMED).to_dataset(), *FILTERED_VORTICES)
    print(f"\n{time.process_time() - began:.1f} s of processor time for three seasons of 360 times.")
    tell_season(references, sets)
    found = sets["T5-36 minima"]
    tell_rules(within(references["mended"], HELD_OUT), within(found, HELD_OUT))
    tell_places(references["mended"], found)
    tell_lives(references["mended"], found)
    draw(references["mended"], found, output)


if __name__ == "__main__":
    main()
