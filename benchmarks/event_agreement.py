"""Objects, heat waves and SAL against other libraries, on the same arrays.

python3.11 -m venv PEERS
PEERS/bin/pip install xclim==0.62 scikit-image pysteps netCDF4
python benchmarks/event_agreement.py SHARED --peers PEERS/bin/python > benchmarks/event_agreement.md

SHARED/reanalysis has erainterim_t2m_dailymax_2p5deg_{2012,2015}.nc. The others know neither the sphere nor areas, so
objects and rain lie in a region at the equator whose cells are as good as equal.
"""

import argparse
import platform
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import xarray as xr
from scipy.ndimage import gaussian_filter

import weatherml
from weatherml.extremes import objects
from weatherml.extremes.hazards import heat

HERE = Path(__file__).resolve().parent
GRID = weatherml.LatLonGrid(tuple(np.arange(3, -3.05, -0.1).round(1)), tuple(np.arange(100, 110.05, 0.1).round(1)))
_POINTS = "; cells there are points, whose own extent is taken off"
CELL = 6371.0 * np.radians(0.1)


def made(shared):
    """Return what all are given."""
    rng = np.random.default_rng(0)
    noise = gaussian_filter(rng.normal(size=(6, *GRID.shape)), (0.7, 2, 2))
    rain = np.stack([showers(rng) for _ in range(12)])
    given = {"mask": noise > np.quantile(noise, 0.8), "rain_forecast": rain[:6], "rain_truth": rain[6:]}
    for year in (2012, 2015):
        own = weatherml.open_files([shared / "reanalysis" / f"erainterim_t2m_dailymax_2p5deg_{year}.nc"])
        given[f"maxima_{year}"] = own["2m_temperature"].values
    return given


def showers(rng):
    """Return two round showers that are apart, mm: large ones with a single maximum, as pysteps takes objects."""
    row, column = np.indices(GRID.shape)
    field = np.zeros(GRID.shape)
    for west in (22, 76):
        middle, width, most = (rng.integers(24, 37), west + rng.integers(-8, 9)), rng.uniform(4, 7), rng.uniform(2, 9)
        field += most * np.exp(-((row - middle[0]) ** 2 + (column - middle[1]) ** 2) / (2 * width**2))
    return np.where(field > 0.05, field, 0.0)


def ours(given):
    """Return what we say, by the names of the peers."""
    flat = objects.label(given["mask"][0], GRID)
    table = objects.properties(flat, GRID)
    found = {
        "labels": flat,
        "labels_in_time": objects.label(given["mask"], GRID, connect_time=True),
        "labels_by_sides": objects.label(given["mask"][0], GRID, 4),
        "objects_area": table["area"].values / CELL**2,
        "objects_axis_major_length": table["length"].values / CELL,
        "objects_axis_minor_length": table["width"].values / CELL,
    }
    rows = zip(given["rain_forecast"], given["rain_truth"], strict=True)
    scores = [objects.sal(own, truth, GRID, objects.Threshold(wet=0.0)) for own, truth in rows]
    return found | {"sal": np.array([(own.structure, own.amplitude, own.location) for own in scores])} | spells(given)


def spells(given):
    """Return days in heat waves of 2015, against a percentile of 2012 and against 30 degrees Celsius."""
    past, year = fields(given["maxima_2012"], 2011), fields(given["maxima_2015"], 2015)  # none of them a leap year
    definition = heat.HeatWave()
    quantiles = heat.threshold(past, definition, ("2011", "2011"))
    hot = heat.event(year, definition, xr.full_like(year.isel(time=0, drop=True), 303.15)).values == 1
    begins = hot & ~np.concatenate([np.zeros((1, *hot.shape[1:]), bool), hot[:-1]])
    return {
        "percentile": quantiles.dataset["2m_temperature"].values[0],
        "dayofyear": quantiles.dataset["dayofyear"].values,
        "percentile_days": (heat.event(year, definition, quantiles).values == 1).sum(axis=0),
        "hot_days": hot.sum(axis=0),
        "waves": begins.sum(axis=0),
    }


def fields(values, year):
    """Return daily maxima as we take them."""
    times = np.datetime64(f"{year}-03-03", "ns") + np.arange(len(values)) * np.timedelta64(1, "D")
    grid = weatherml.LatLonGrid.regular(*values.shape[1:])
    coords = {"time": times, "latitude": list(grid.latitude), "longitude": list(grid.longitude)}
    return xr.Dataset({"2m_temperature": (tuple(coords), values)}, coords)


def same_objects(own, other):
    """Return how many objects there are, and how many of either are not one of the other's."""
    pairs = np.unique(np.stack([own, other])[:, (own > 0) | (other > 0)], axis=1)
    n_apart = sum(len(np.unique(side)) != pairs.shape[1] for side in pairs)
    return own.max(), abs(int(own.max()) - int(other.max())) + n_apart


def rows(own, peers):
    """Give name, library, ours, difference and a remark."""
    for name, words in (
        ("labels", "8 neighbours"),
        ("labels_by_sides", "4 neighbours"),
        ("labels_in_time", "and time"),
    ):
        n_objects, n_wrong = same_objects(own[name], peers[name])
        yield f"objects, {words}", "scikit-image", f"{n_objects}", f"{n_wrong} objects", ""
    large = peers["objects_area"] >= 10
    for name, words in (("area", "area"), ("axis_major_length", "length"), ("axis_minor_length", "width")):
        mine, theirs = (side[f"objects_{name}"][large] for side in (own, peers))
        mine = mine if name == "area" else np.sqrt(mine**2 - 16 / 12)
        worst, note = np.abs(mine / theirs - 1).max(), "cells are not quite equal" + _POINTS * (name != "area")
        yield f"{words} of objects", "scikit-image", f"{mine.max():.1f} cells at most", f"{worst:.1e}", note
    shared, first, second = np.intersect1d(own["dayofyear"], peers["dayofyear"], return_indices=True)
    whole = (shared >= shared[0] + 15) & (shared <= shared[-1] - 15)
    apart = np.abs(own["percentile"][first][whole] - peers["percentile"][second][whole]).max()
    yield "90th percentile, 31 days", "xclim", f"{own['percentile'].max():.2f} K at most", f"{apart:.1e} K", ""
    counts = {
        "percentile_days": "warm_spell_duration_index",
        "hot_days": "heat_wave_index",
        "waves": "heat_wave_frequency",
    }
    for name, function in counts.items():
        apart = np.abs(own[name] - peers[name])
        words = f"{(apart > 0).sum()} of {apart.size} places, {apart.max():g} at most"
        note = "equal to a percentile that is float32 here" if apart.any() else ""
        yield name.replace("_", " "), f"xclim `{function}`", f"{own[name].max()} at most", words, note
    for number, part in enumerate(("structure", "amplitude", "location")):
        mine, theirs = own["sal"][:, number], peers["sal"][:, number]
        note = ""
        if part == "location":
            theirs, note = (
                theirs * np.hypot(*GRID.shape) / np.hypot(*np.subtract(GRID.shape, 1)),
                "region from cell to cell",
            )
        yield part, "pysteps `sal`", f"{mine[0]:.4f}", f"{np.abs(mine - theirs).max():.1e}", note


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("shared", type=Path)
    parser.add_argument("--peers", type=Path, required=True)
    arguments = parser.parse_args()
    given = made(arguments.shared)
    with tempfile.TemporaryDirectory() as folder:
        asked, said = Path(folder, "asked.npz"), Path(folder, "said.npz")
        np.savez(asked, **given)
        command = [arguments.peers, HERE / "event_agreement_peers.py", asked, said]
        subprocess.run([*map(str, command)], check=True, stdout=subprocess.DEVNULL)
        peers = dict(np.load(said))
    print("# Agreement of objects, heat waves and SAL with other libraries\n")
    versions = ", ".join(f"{name} {version}" for name, version in peers["versions"])
    print("The command is at the head of [event_agreement.py](event_agreement.py). Python", end=" ")
    print(f"{platform.python_version()}, numpy {np.__version__}; {versions}.\n")
    print("| what | library | ours | largest difference | |\n|---|---|---|---|---|")
    for row in rows(ours(given), peers):
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()
