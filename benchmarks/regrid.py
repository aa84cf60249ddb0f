"""Regridding 13 levels at 8 times from 721 x 1440, against what others use: seconds, memory, error of the integral.

pip install 'weatherml[dev]' sparse
python benchmarks/regrid.py > benchmarks/regrid.md

Every side runs in a process of its own; the least time of two calls counts. Fields lie in memory.
Memory is the peak of the process above what it held with the fields, before the first call. The integral is that over
the exact areas of the cells, its error relative to the integral, the largest of all fields.
"""

import multiprocessing
import platform
import resource
import sys
import time

import dask.array
import numpy as np
import xarray as xr

from weatherml.data.regrid import regrid
from weatherml.grid import LatLonGrid

SOURCE = LatLonGrid.named("0.25deg")
TARGETS = ("32x64", "181x360")
CALLS, ROUNDS = 2, 1


def fields(n_times=8, n_levels=13):
    """Waves on a mean that falls to the poles, as geopotential has them; every field another."""
    rows, columns = np.radians(SOURCE.latitude), np.radians(SOURCE.longitude)
    noise = np.random.default_rng(0).standard_normal(SOURCE.shape, np.float32)
    values = np.empty((n_times, n_levels, *SOURCE.shape), np.float32)
    for number, field in enumerate(values.reshape(-1, *SOURCE.shape)):
        mean = 4e4 + 100 * number + 1e4 * np.cos(rows[:, None]) ** 2 + 1e3 * np.sin(rows[:, None])
        field[:] = mean + 1e3 * np.outer(np.cos(3 * rows), np.sin(number % 7 * columns)) + 50 * noise
    dims = ("time", "level", "latitude", "longitude")
    places = {"latitude": np.array(SOURCE.latitude), "longitude": np.array(SOURCE.longitude)}
    return xr.Dataset({"geopotential": (dims, values)}, places)


def places(grid):
    return xr.Dataset(coords={"latitude": np.array(grid.latitude), "longitude": np.array(grid.longitude)})


def with_xarray_regrid(method, **options):
    import xarray_regrid  # noqa: F401  registers the accessor

    def run(dataset, grid):
        return getattr(dataset.regrid, method)(places(grid), **options)

    return run


def with_xarray_interp(dataset, grid):
    target = places(grid)
    return dataset.interp(latitude=target["latitude"], longitude=target["longitude"], method="linear")


def with_dinosaur(dataset, grid):
    import jax.numpy as jnp
    from dinosaur.horizontal_interpolation import conservative_latitude_weights, conservative_longitude_weights
    from dinosaur.jax_numpy_utils import precise_einsum

    (south, east), (own_south, own_east) = (
        (jnp.radians(np.array(g.latitude)[::-1]), jnp.radians(np.array(g.longitude))) for g in (SOURCE, grid)
    )
    rows = conservative_latitude_weights(south, own_south)[::-1, ::-1]
    columns = conservative_longitude_weights(east, own_east)
    values = precise_einsum("ab,cd,...bd->...ac", rows, columns, dataset["geopotential"].values)
    dims = dataset["geopotential"].dims
    return xr.Dataset({"geopotential": (dims, np.asarray(values))}, places(grid).coords)


def sides():
    return {
        ("conservative", "weatherml"): lambda dataset, grid: regrid(dataset, grid),
        ("conservative", "xarray-regrid"): with_xarray_regrid("conservative", latitude_coord="latitude"),
        ("conservative", "xarray-regrid, skipna=False"): with_xarray_regrid(
            "conservative", latitude_coord="latitude", skipna=False
        ),
        ("conservative", "dinosaur (jax)"): with_dinosaur,
        ("bilinear", "weatherml"): lambda dataset, grid: regrid(dataset, grid, "bilinear"),
        ("bilinear", "xarray-regrid"): with_xarray_regrid("linear"),
        ("bilinear", "xarray.interp"): with_xarray_interp,
    }


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def integrals(values, grid):
    return values.astype(np.float64).sum(axis=-1) @ grid.cell_areas()


def measure(side, target, answers):
    """Call one side on one grid; answer with least seconds, of CPU too, bytes above those of the fields, and error."""
    dataset, grid, run = fields(), LatLonGrid.named(target), sides()[side]
    before, seconds = peak(), []
    for _ in range(CALLS):
        begun, used = time.perf_counter(), time.process_time()
        found = run(dataset, grid)["geopotential"].transpose("time", "level", "latitude", "longitude").values
        seconds.append((time.perf_counter() - begun, time.process_time() - used))
    memory = peak() - before
    expected = integrals(dataset["geopotential"].values, SOURCE)
    error = float(np.abs(integrals(found, grid) / expected - 1).max())
    answers.put((*(min(each) for each in zip(*seconds, strict=True)), memory, error))


def measure_lazy(n_times, target, answers):
    """Regrid times that are made when they are asked for, one after the other."""
    values = dask.array.random.default_rng(0).standard_normal(
        (n_times, 13, *SOURCE.shape), chunks=(1, 13, -1, -1), dtype=np.float32
    )
    lazy = fields(1, 1).isel(time=0, level=0).drop_vars("geopotential")
    dataset = lazy.assign(geopotential=(("time", "level", "latitude", "longitude"), values))
    before, begun = peak(), time.perf_counter()
    with dask.config.set(scheduler="threads", num_workers=2):
        regrid(dataset, target).load()
    answers.put((time.perf_counter() - begun, peak() - before))


def apart(function, *arguments):
    """Run a function in a process of its own."""
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    process = context.Process(target=function, args=(*arguments, answers))
    process.start()
    answer = answers.get()
    process.join()
    return answer


def main():
    print(__doc__)
    print(
        f"Python {platform.python_version()}, numpy {np.__version__}, xarray {xr.__version__}, {platform.machine()}.\n"
    )
    print("| method | by | grid | s | times weatherml's | CPU s | memory, MB | error of the integral |")
    print("|---|---|---|---|---|---|---|---|")
    for target in TARGETS:
        found = {side: [] for side in sides()}
        for _ in range(ROUNDS):
            for side in found:
                found[side].append(apart(measure, side, target))
                print(side, target, found[side][-1], file=sys.stderr)
        for side, runs in found.items():
            (seconds, cpu), (memory, error) = (min(r[i] for r in runs) for i in (0, 1)), runs[0][2:]
            ours = min(r[0] for r in found[side[0], "weatherml"])
            cell = f"{error:.1e}" if side[0] == "conservative" else ""
            print(
                f"| {' | '.join(side)} | {target} | {seconds:.2f} | {seconds / ours:.1f} |"
                f" {cpu:.2f} |"
                f" {memory / 1e6:.0f} | {cell} |"
            )
    print("\nLazily, on two threads, conservative to 121 x 240, a piece being 13 levels at one time (54 MB):\n")
    print("| times | of | s | memory, MB |\n|---|---|---|---|")
    for n_times in (4, 16, 64):
        seconds, memory = apart(measure_lazy, n_times, "121x240")
        print(f"| {n_times} | {n_times * 54 / 1e3:.1f} GB | {seconds:.1f} | {memory / 1e6:.0f} |")


if __name__ == "__main__":
    main()
