"""Extreme forecast index: agreement with its integral and with ECMWF's program, time, and memory.

python benchmarks/efi.py > benchmarks/efi.md
"""

import resource
import time

import numpy as np
import xarray as xr
from earthkit.meteo.extreme import array as ecmwf

from weatherml import extremes
from weatherml.extremes.thresholds.indices import extreme_forecast_index, shift_of_tails
from weatherml.grid import LatLonGrid

P = np.array(extremes.PERCENTILES)


def places(n_members, n_places, seed=0):
    """Return percentiles of skewed climates, and members that lie somewhat above them."""
    rng = np.random.default_rng(seed)
    climate = np.sort(rng.gamma(2, 3, (len(P), n_places)), axis=0)
    return climate.astype(np.float32), rng.gamma(2, 4, (n_members, n_places)).astype(np.float32)


def integral(members, quantiles, n=400_001):
    """Return the index of one place by brute force; p = sin(t)**2 takes the weight away."""
    p = np.sin(np.pi / 2 * (np.arange(n) + 0.5) / n) ** 2
    share = np.searchsorted(np.sort(members), np.interp(p, P, quantiles), side="right") / len(members)
    return 2 * np.mean(p - share)


def agreement():
    """Print differences."""
    print(
        "| members | from the integral at 200 places | from ECMWF's program at 20,000 | shift of tails, from ECMWF's |"
    )
    print("|---|---|---|---|")
    for n_members in (1, 5, 20, 50, 100):
        climate, members = places(n_members, 20_000)
        index = extreme_forecast_index(members, climate, P)
        brute = [integral(members[:, i].astype(float), climate[:, i].astype(float)) for i in range(200)]
        apart = np.abs(index - ecmwf.efi(climate, members))
        tails = np.abs(shift_of_tails(members, climate, P) - ecmwf.sot(climate, members, 90)).max()
        largest = np.abs(index[:200] - brute).max()
        print(f"| {n_members} | {largest:.1g} | {apart.mean():.2g}, at most {apart.max():.2g} | {tails:.1g} |")


def seconds():
    """Print processor time of one field of 50 members."""
    print("\n| 50 members, 1 degree (65,160 places) | processor seconds |\n|---|---|")
    climate, members = places(50, 65_160)
    tiles = [slice(start, start + 512) for start in range(0, 65_160, 512)]
    ways = {
        "here, in tiles of 512 places": lambda: [
            extreme_forecast_index(members[:, t], climate[:, t], P) for t in tiles
        ],
        "earthkit.meteo.extreme.efi": lambda: ecmwf.efi(climate, members),
        "earthkit.meteo.extreme.efi, in the same tiles": lambda: [
            ecmwf.efi(climate[:, t], members[:, t]) for t in tiles
        ],
    }
    for name, way in ways.items():
        way()
        begin = time.process_time()
        for _ in range(3):
            way()
        print(f"| {name} | {(time.process_time() - begin) / 3:.2f} |")


def memory():
    """Print the growth of memory by how much is read."""
    grid = LatLonGrid.regular(181, 360)
    shape = {"init_time": 2, "lead_time": 20, "number": 50, "latitude": 181, "longitude": 360}
    coords = {
        "init_time": np.array(["2001-01-01", "2001-01-02"], "datetime64[ns]"),
        "lead_time": np.arange(1, 21) * np.timedelta64(6, "h").astype("timedelta64[ns]"),
        "number": np.arange(50),
        "latitude": list(grid.latitude),
        "longitude": list(grid.longitude),
    }
    import dask.array as da

    values = da.random.default_rng(0).normal(280, 5, tuple(shape.values()), chunks=(1, 1, 10, 181, 360)).astype("f4")
    forecast = xr.Dataset({"2m_temperature": (tuple(shape), values)}, coords)
    climate, _ = places(1, 181 * 360)
    quantiles = xr.Dataset(
        {"2m_temperature": (("quantile", "latitude", "longitude"), 270 + climate.reshape(-1, 181, 360))},
        {"quantile": P, "latitude": coords["latitude"], "longitude": coords["longitude"]},
        {"climate": "made"},
    )
    index = extremes.efi(forecast, quantiles)["2m_temperature"]
    print(
        "\n| read of 2 x 20 leads of 50 members at 1 degree (521 MB) | memory of the process, MB | processor seconds |"
    )
    print("|---|---|---|")
    begin = time.process_time()
    for n in (1, 10, 20):
        for lead in range(n):
            index[0, lead].load()
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000
        print(f"| {n} leads, one after the other | {most} | {time.process_time() - begin:.1f} |")


def climates():
    """Print processor time of the climate of each date, of a twelfth of a globe at 1.5 degrees."""
    times = np.arange("1981-01-01", "2011-01-01", dtype="datetime64[D]").astype("datetime64[ns]")
    values = np.random.default_rng(0).normal(size=(len(times), 10, 240)).astype(np.float32)
    coords = {"time": times, "latitude": np.linspace(60, 46.5, 10), "longitude": 1.5 * np.arange(240)}
    record = xr.Dataset({"2m_temperature": (("time", "latitude", "longitude"), values)}, coords)
    print("\n| percentiles of 31 days around a date, of 30 years at 2,400 places | processor seconds |\n|---|---|")
    for words, own in {"all dates": None, "15 dates": times[:15]}.items():
        begin = time.process_time()
        extremes.calendar_quantiles(record, extremes.PERCENTILES, ("1981", "2010"), 31, times=own)
        print(f"| {words} | {time.process_time() - begin:.2f} |")


if __name__ == "__main__":
    print("# Extreme forecast index: agreement, time, memory\n\n    python benchmarks/efi.py > benchmarks/efi.md\n")
    agreement()
    seconds()
    memory()
    climates()
