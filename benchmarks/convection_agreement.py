"""Energy of rising air and shear, of whole grids here and column by column by MetPy.

python3.11 -m venv PEERS && PEERS/bin/pip install "metpy==1.7.*"
python benchmarks/convection_agreement.py --peers PEERS/bin/python --levels FOLDER > benchmarks/convection_agreement.md

FOLDER holds ERA-Interim's temperature and wind of 23 January 2005, 37 levels (erainterim_{t,u,v}_37levels_...nc).
Humidity is prescribed, as no file has it: so many per cent of saturation over water at each level. Heights are
hydrostatic. Columns are of 45 S to 45 N at random, levels from 1000 hPa up, the lowest of which is the ground.
"""

import argparse
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import xarray as xr
from earthkit.meteo.thermo.array import virtual_temperature

from weatherml.extremes.hazards.convection import Definition, bulk_shear, convection
from weatherml.extremes.hazards.convection.parcels import saturation_humidity

HEAD = """# Convection: whole grids here, column by column by MetPy

The command is at the head of [convection_agreement.py](convection_agreement.py). Energies in J kg-1, shear in m s-1.
Temperatures and wind are real, humidity is prescribed. Differences here less MetPy.

Parcels agree within 0.2 K in the columns looked at. What differs is of definition, column by column:

- MetPy saturates by Ambaum (2020), here earthkit-meteo does as the IFS over water, and air condenses by Bolton (1980)
  here, by Romps (2017) there: parcels are up to 0.2 K warmer here, worth some tens of J kg-1 where they rise high.
- Of a parcel that is warmer from condensation on, MetPy takes for the level of free convection where it condensed,
  computed from its virtual temperature as if that were its temperature: too high by 60 hPa in the column with the
  largest difference of 12 levels (mixed layer, some 10 800), which loses 560 of its energy.
- Where there are several warm layers MetPy begins at the first one whose lower end is a crossing, and leaves out the
  one that air condenses in; here energy counts from the lowest warm layer to the highest, less the cold between.
- Without such a crossing MetPy's energies may be below zero; here none is.
- The layer that is mixed is no part of MetPy's profile; here it counts for inhibition.
- Of air that never rises freely inhibition is NaN here, zero there and in this table.

A parcel's path is bent between levels. Here it takes steps of a tenth of the logarithm of pressure at most; with those
of 12 levels alone, as MetPy has them, energies are smaller by 14 in the mean, and by 28 to 47 at most."""
KINDS = ("surface", "mixed_layer", "most_unstable")
NAMES = {"cape": "convective_available_potential_energy", "cin": "convective_inhibition"}
COLUMNS = 200
MOISTURE = {1000: 0.8, 850: 0.75, 700: 0.5, 500: 0.4, 300: 0.3, 100: 0.1}
COARSE = [100, 150, 200, 250, 300, 400, 500, 600, 700, 850, 925, 1000]


def fields(folder):
    """Return the fields of the file, humidity prescribed, down from 100 hPa and between 45 S and 45 N."""
    named = {"t": "temperature", "u": "u_component_of_wind", "v": "v_component_of_wind"}
    parts = [xr.open_dataset(next(Path(folder).glob(f"erainterim_{short}_37levels*.nc")))[short] for short in named]
    own = xr.Dataset(dict(zip(named.values(), parts, strict=True))).drop_vars("time")
    own = own.sel(level=slice(100, 1000), latitude=slice(45, -45)).astype(np.float32).load()
    pressure = 100.0 * own["level"].values[:, None, None]
    share = np.interp(own["level"].values, sorted(MOISTURE), [MOISTURE[level] for level in sorted(MOISTURE)])
    humidity = share[:, None, None] * saturation_humidity(own["temperature"].values, pressure)
    warmth = virtual_temperature(own["temperature"].values, humidity)
    steps = 287.06 * (warmth[1:] + warmth[:-1]) / 2 * np.diff(np.log(pressure), axis=0)
    geopotential = np.concatenate([np.cumsum(steps[::-1], axis=0)[::-1], np.zeros_like(warmth[:1])])
    dims = own["temperature"].dims
    more = {"specific_humidity": (dims, humidity), "geopotential": (dims, geopotential)}
    return own.assign({name: (dims, values.astype(np.float32)) for name, (dims, values) in more.items()})


def of_metpy(columns, peers):
    with tempfile.TemporaryDirectory() as folder:
        given, result = Path(folder, "given.npz"), Path(folder, "result.npz")
        np.savez(
            given,
            pressure=columns["level"].values[::-1],
            temperature=columns["temperature"].values.T[:, ::-1],
            humidity=columns["specific_humidity"].values.T[:, ::-1],
            height=columns["geopotential"].values.T[:, ::-1] / 9.80665,
            eastward=columns["u_component_of_wind"].values.T[:, ::-1],
            northward=columns["v_component_of_wind"].values.T[:, ::-1],
        )
        script = Path(__file__).with_name("convection_agreement_peers.py")
        subprocess.run([peers, script, given, result], check=True, stderr=subprocess.DEVNULL)
        with np.load(result) as file:
            return file["found"], float(file["seconds"]), str(file["version"])


def ours(columns):
    grid = columns.rename(column="longitude").expand_dims(latitude=[0.0]).transpose("level", "latitude", "longitude")
    found = []
    for kind in KINDS:
        energies = convection(grid, Definition(parcel=kind))
        found += [energies[name].values[0] for name in NAMES.values()]
    return np.stack([*found, bulk_shear(grid).values[0]], axis=1)


def table(columns, peers, n_levels):
    theirs, seconds, version = of_metpy(columns, peers)
    own = ours(columns)
    rows = [f"{kind} {name}" for kind in KINDS for name in NAMES] + ["shear 0-6 km"]
    print(f"\n{n_levels} levels, {len(own)} columns, MetPy {version}\n")
    print(
        "| | columns where either has some | mean there, MetPy | mean difference | mean absolute difference | largest |"
    )
    print("|---|---|---|---|---|---|")
    for number, name in enumerate(rows):
        one, two = np.nan_to_num(own[:, number]), theirs[:, number]
        some = (abs(one) > 1) | (abs(two) > 1)
        off = (one - two)[some]
        numbers = f"{off.mean():.2f} | {abs(off).mean():.2f} | {abs(off).max():.1f}"
        print(f"| {name} | {some.sum()} | {two[some].mean():.1f} | {numbers} |")
    return seconds


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--peers", required=True)
    parser.add_argument("--levels", required=True)
    given = parser.parse_args()
    whole = fields(given.levels)
    place = np.random.default_rng(0).choice(whole["temperature"][0].size, COLUMNS, replace=False)
    flat = whole.stack(column=("latitude", "longitude")).reset_index("column", drop=True)
    columns = flat.isel(column=place).assign_coords(column=np.arange(COLUMNS))
    print(HEAD)
    seconds = table(columns, given.peers, whole.sizes["level"])
    table(columns.sel(level=COARSE), given.peers, len(COARSE))
    began = time.process_time()
    for kind in KINDS:
        convection(whole, Definition(parcel=kind))
    bulk_shear(whole)
    each = (time.process_time() - began) / whole["temperature"][0].size
    print(
        f"\nProcessor time of the three energies and the shear of one column of {whole.sizes['level']} levels:", end=" "
    )
    print(
        f"{1e6 * each:.0f} microseconds here, of {whole['temperature'][0].size} at once, {1e6 * seconds:.0f} in MetPy:",
        end=" ",
    )
    print(f"{seconds / each:.0f} times as much.")


main()
