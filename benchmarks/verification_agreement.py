"""Every score against other libraries, on the same arrays: the largest relative difference.

python3.11 -m venv PEERS
PEERS/bin/pip install xskillscore scoringrules scikit-learn properscoring scores evalhyd-python
python benchmarks/verification_agreement.py --peers PEERS/bin/python --ncl FOLDER > benchmarks/verification_agreement.md

Ours is `weatherml.verification.evaluate`, from datasets of float32; the others, in an environment of their own, get the
same values as float64, and areas of cells as weights. A row is a function of verification_agreement_peers.py, or of
verification_agreement_fields.py, which says how to install WeatherBench-X and WeatherBench 2.
verification_agreement_ncl.py says what lies in FOLDER.
"""

import argparse
import platform
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import verification_agreement_fields
import verification_agreement_ncl
import verification_agreement_peers as peers
import xarray as xr

from weatherml.grid import LatLonGrid
from weatherml.state import with_metadata
from weatherml.verification import evaluate
from weatherml.verification.aggregation.regions import Region

GRID = LatLonGrid.regular(19, 36)
N_INIT, N_MEMBERS, ROW = 6, 10, 7
WANTED = 1e-6
RAIN = "total_precipitation_6hr"
T2M = "2m_temperature"


def fields(seed=0):
    """Temperatures that fall to the poles, a climatology, and rain that often is none: each with its own noise."""
    rng = np.random.default_rng(seed)
    climate = 288 - 30 * np.sin(np.radians(GRID.latitude))[:, None] ** 2 + np.zeros(GRID.shape)
    truth = climate + rng.normal(0, 3, (N_INIT, *GRID.shape))
    members = climate + 0.6 * (truth - climate) + 0.4 + rng.normal(0, 1.5, (N_MEMBERS, N_INIT, *GRID.shape))
    rain = {
        "rain_truth": rng.gamma(0.4, 4, truth.shape) - 2,
        "rain_members": rng.gamma(0.4, 4, members.shape) - 2,
    }
    made = {"truth": truth, "members": members, "climatology": np.broadcast_to(climate, truth.shape)}
    made |= {name: own.clip(0) for name, own in rain.items()}
    return {name: own.astype(np.float32) for name, own in made.items()}


def datasets(made):
    """Return forecast, truth and climatology as we take them."""
    init_times = np.datetime64("2001-01-01", "ns") + np.arange(N_INIT) * np.timedelta64(5, "D")
    lead = np.array([np.timedelta64(24, "h")], "timedelta64[ns]")
    place = {"latitude": list(GRID.latitude), "longitude": list(GRID.longitude)}

    def forecast(values):
        return ("init_time", "number", "lead_time", "latitude", "longitude"), values.swapaxes(0, 1)[:, :, None]

    def analysis(values):
        return ("time", "latitude", "longitude"), values

    named = {T2M: ("members", "truth"), RAIN: ("rain_members", "rain_truth")}
    named |= {"10m_u_component_of_wind": named[T2M], "10m_v_component_of_wind": named[RAIN]}  # any numbers
    coords = {"init_time": init_times, "number": np.arange(N_MEMBERS), "lead_time": lead, **place}
    ours = xr.Dataset({name: forecast(made[own]) for name, (own, _) in named.items()}, coords)
    valid = {"time": init_times + lead[0], **place}
    truth = xr.Dataset({name: analysis(made[own]) for name, (_, own) in named.items()}, valid)
    climate = xr.Dataset({name: analysis(made["climatology"]) for name in named}, valid)
    return tuple(map(with_metadata, (ours, truth, climate)))


def climate_of_rain():
    """Return how often each place is dry, and from where on rain is heavy there."""
    rng = np.random.default_rng(1)
    own = {"dry_probability": rng.uniform(0, 1, GRID.shape), "heavy_threshold": rng.uniform(2, 6, GRID.shape)}
    place = {"latitude": list(GRID.latitude), "longitude": list(GRID.longitude)}
    return {name: xr.Dataset({RAIN: (tuple(place), field.astype(np.float32))}, place) for name, field in own.items()}


def shifted(forecast, truth):
    """Return the truth, one column to the east, as a forecast of one member."""
    valid = forecast["init_time"] + forecast["lead_time"]
    return truth.sel(time=valid.drop_vars("valid_time", errors="ignore")).drop_vars("time").roll(longitude=1)


def ours_of(row, data):
    """Return our number or numbers for a row."""
    forecast, truth, climatology = data
    latitude = GRID.latitude[ROW]
    regions = {"all": Region(), "row": Region(latitude - 0.1, latitude + 0.1), "inner": Region(-89, 89)}
    chosen = forecast.isel(init_time=slice(row.init_times))
    if "a column to the east" in row.library:
        chosen = shifted(chosen, truth)
    options = {"regions": {row.region: regions[row.region]}, "references": climate_of_rain()}
    scores = evaluate(chosen, truth, row.metric, climatology, **options)
    channel = RAIN if "of rain" in row.library else "10m_wind" if row.metric.startswith("wind") else T2M
    return scores[row.metric].sel(bound="estimate", channel=channel, region=row.region).squeeze().values


def difference(ours, theirs):
    """Return the largest difference relative to the largest number; NaN where there are not as many numbers."""
    ours, theirs = np.squeeze(ours), np.squeeze(theirs)
    if ours.shape != theirs.shape:
        return np.nan
    return np.nanmax(np.abs(ours - theirs)) / np.nanmax(np.abs(theirs))


def shown(numbers):
    """Return the first of numbers, and how many they are."""
    flat = np.atleast_1d(np.squeeze(numbers)).ravel()
    return f"{flat[0]:.7g}" if flat.size == 1 else f"{flat.size} numbers"


def main():
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--peers", required=True, help="a Python that has the other libraries")
    parser.add_argument("--ncl", required=True, help="a folder of fields that NCL has made")
    python, ncl = parser.parse_args().peers, parser.parse_args().ncl
    made = fields()
    areas = GRID.cell_areas()[:, None] * np.ones(GRID.shape)
    rain = {name: own[RAIN].values for name, own in climate_of_rain().items()}
    more = {
        "rain_dry": rain["dry_probability"],
        "rain_heavy": rain["heavy_threshold"],
        "areas": areas,
        "latitude": GRID.latitude,
        "longitude": GRID.longitude,
        "one_row": ROW,
    }
    with tempfile.TemporaryDirectory() as folder:
        given, answers = Path(folder) / "given.npz", Path(folder) / "answers.npz"
        np.savez(given, **{name: own.astype(np.float64) for name, own in made.items()}, **more)
        subprocess.run([python, Path(verification_agreement_fields.__file__), given, answers], check=True)
        theirs = dict(np.load(answers))
    data = datasets(made)
    print("# Agreement of scores with other libraries\n")
    print("The command is at the head of [verification_agreement.py](verification_agreement.py).", end=" ")
    print(f"Python {platform.python_version()}, numpy {np.__version__}.\n")
    print(f"{N_INIT} initial times, {N_MEMBERS} members, {GRID.n_lat} x {GRID.n_lon} points, threshold", end=" ")
    print(f"{peers.THRESHOLD}, tiles of {peers.TILE} degrees. The difference is the largest, relative to the", end=" ")
    print(f"largest number; {WANTED:g} is wanted.\n")
    print("`crps` is that of the members as the whole distribution, `crps_fair` less what their number adds.\n")
    print("| score | library | ours | difference | |\n|---|---|---|---|---|")
    for row in peers.ROWS:
        print(line(row, ours_of(row, data), theirs))
    print("\nNo library here has the decomposition of the CRPS, the reliability index, the bias of a Brier", end=" ")
    print(
        "decomposition and spread over skill: tests hold them against loops over cases. Spectra on the sphere", end=" "
    )
    print("are held against analytic harmonics, against Parseval's sum and against fields that NCL has filtered.\n")
    verification_agreement_ncl.print_rows(ncl)


def line(row, ours, theirs):
    """Return a line of the table."""
    if row.key not in theirs:
        return f"| `{row.metric}` | {row.library} | {shown(ours)} | | not installed |"
    library, _, more = row.library.partition(",")
    told = f"{library} {theirs[f'version {row.key}']}{more and ',' + more}"
    found = difference(ours, theirs[row.key])
    verdict = row.note or ("" if found <= WANTED else "**differs**")
    return f"| `{row.metric}` | {told} | {shown(ours)} | {found:.1e} | {verdict} |"


if __name__ == "__main__":
    main()
