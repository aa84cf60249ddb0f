"""Processor time of objects on the globe at 0.25 degrees, and memory of heat waves by the number of members.

python benchmarks/event_speed.py > benchmarks/event_speed.md
"""

import resource
import subprocess
import sys
import time

import dask.array as da
import numpy as np
import xarray as xr
from scipy.ndimage import gaussian_filter

import weatherml
from weatherml.extremes import objects
from weatherml.extremes.hazards import heat

N_TIMES, N_LEADS = 8, 40
FINE, COARSE = weatherml.LatLonGrid.regular(721, 1440), weatherml.LatLonGrid.regular(181, 360)


def took(function, *arguments, **options):
    """Return what a function returns, and its processor time, ms."""
    start = time.process_time()
    result = function(*arguments, **options)
    return result, 1000 * (time.process_time() - start)


def on_the_globe():
    """Label, describe and follow a tenth of the globe, in eddies of some hundred km; ms a field."""
    noise = np.random.default_rng(0).normal(size=(N_TIMES, *FINE.shape))
    field = gaussian_filter(noise, (1, 6, 6), mode="wrap").astype(np.float32)
    mask = field > np.quantile(field, 0.9)
    labels, first = took(objects.label, mask, FINE)
    _, second = took(objects.properties, labels, FINE, field)
    following = objects.Following(FINE)
    _, third = took(lambda: [following.add(mask[n], field[n], np.datetime64("2015-01-01") + n) for n in range(N_TIMES)])
    return labels.max() / N_TIMES, first / N_TIMES, second / N_TIMES, third / N_TIMES


def members(n_members):
    """Look for heat waves in members of 1 degree that are made as they are read; print s of processor and peak GB."""
    coords = {
        "init_time": np.array(["2015-07-01"], "M8[ns]"),
        "lead_time": np.arange(N_LEADS) * np.timedelta64(1, "D").astype("m8[ns]"),
        "number": np.arange(n_members),
        "latitude": list(COARSE.latitude),
        "longitude": list(COARSE.longitude),
    }
    shape, chunks = tuple(map(len, coords.values())), (1, 1, 1, *COARSE.shape)
    values = da.random.default_rng(0).normal(290, 5, shape, chunks=chunks).astype(np.float32)
    forecast = xr.Dataset({"2m_temperature": (tuple(coords), values)}, coords)
    threshold = xr.zeros_like(forecast.isel(init_time=0, lead_time=0, number=0, drop=True)).compute() + 290
    (waves, milliseconds) = took(heat.heat_waves, forecast, heat.HeatWave(), threshold)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"| {n_members} | {waves.sizes['object']} | {milliseconds / 1000:.1f} | {peak:.2f} |")


def main():
    n_objects, *times = on_the_globe()
    words = ("label", "properties, of all of them", "follow through time, with sums of each")
    print("# Time of objects and memory of heat waves\n")
    print("Processor time of one core of a machine that others use, too; the command is in", end=" ")
    print("[event_speed.py](event_speed.py).\n")
    print(
        f"One field of 721 x 1440 cells, a tenth of it in {n_objects:.0f} objects:\n\n| step | ms a field |\n|---|---|"
    )
    print("\n".join(f"| {step} | {own:.0f} |" for step, own in zip(words, times, strict=True)))
    print(f"\nHeat waves of forecasts of {N_LEADS} days at 1 degree, made as they are read:\n")
    print("| members | objects | s | peak memory, GB |\n|---|---|---|---|", flush=True)
    for n_members in (2, 10, 50):
        subprocess.run([sys.executable, __file__, str(n_members)], check=True)


if __name__ == "__main__":
    members(int(sys.argv[1])) if len(sys.argv) > 1 else main()
