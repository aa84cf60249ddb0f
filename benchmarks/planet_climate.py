"""The climate of the simulated planet, how long it takes, and how fast small errors grow in it.

python benchmarks/planet_climate.py --days 366 --image docs/images/planet_climate.png
"""

import argparse
import tempfile
import time
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import xarray as xr

from weatherml.data.sources.planet import Planet
from weatherml.data.sources.simulated import PlanetConfig, SimulatedSource
from weatherml.plot import climate

GRAVITY = 9.80616
TWIN_DAYS = 60
TWINS = 6


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=PlanetConfig().days)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--image", type=Path)
    arguments = parser.parse_args()
    config = PlanetConfig(days=arguments.days, seed=arguments.seed)
    with tempfile.TemporaryDirectory() as cache:
        source = SimulatedSource(config, Path(cache))
        dataset = simulate(source)
    report(dataset, source.grid)
    report_error_growth(dataset, config, source.grid)
    if arguments.image:
        climate(dataset).savefig(arguments.image, dpi=110)


def simulate(source):
    """Return daily fields; print what a year costs once it is compiled and spun up."""
    times, parts = source.times(), []
    source.read(times[:1], source.variables())
    wall, cpu = time.perf_counter(), time.process_time()
    for year in np.array_split(times, max(1, len(times) // 1461)):
        parts.append(source.read(year, source.variables()).isel(time=slice(None, None, 4)))
    years = len(times) / 1461
    print(f"seconds a year   wall {(time.perf_counter() - wall) / years:.1f}  processor", end=" ")
    print(f"{(time.process_time() - cpu) / years:.1f}")
    return xr.concat(parts, "time")


def report(dataset, grid):
    """Print the climate of every whole year; h500 is geopotential height in m, eddies are departures from the year."""
    print("year     jet_N     jet_S    eke250_N  eke250_S  h500_std  T500_mean  msl_mean")
    for year, fields in dataset.groupby("time.year"):
        if fields.sizes["time"] >= 300:
            print(year, *(f"{value:9.2f}" for value in climate_numbers(fields, grid)))


def climate_numbers(fields, grid):
    """Return strongest jets in m s-1, eddy energies in m2 s-2, standard deviation in m, and means in K and Pa."""
    u, v = (fields[f"{c}_component_of_wind"].sel(level=250) for c in "uv")
    jet = u.mean(("time", "longitude"))
    energy = (u.var("time") + v.var("time")).mean("longitude") / 2
    north, south = slice(90, 0), slice(0, -90)
    yield from (float(field.sel(latitude=side).max()) for field in (jet, energy) for side in (north, south))
    middle = fields.sel(level=500)
    yield float(middle["geopotential"].var("time").weighted(area(grid)).mean()) ** 0.5 / GRAVITY
    yield from (float(middle[name].weighted(area(grid)).mean()) for name in ("temperature", "mean_sea_level_pressure"))


def area(grid):
    return xr.DataArray(grid.cell_areas(), {"latitude": np.asarray(grid.latitude)})


def report_error_growth(dataset, config, grid):
    """Print how the z500 difference of twins, born 0.02 K apart, grows beside the climatological standard deviation."""
    c = config
    planet = Planet(c.truncation, c.n_levels, c.levels, c.mountain_height, c.time_step_hours)
    state, _ = planet.run(planet.initial_state(c.seed), 4 * c.spin_up_days)
    squares = []
    for seed in range(TWINS):
        noise = 0.003 * np.random.default_rng(seed).standard_normal(state.temperature_variation.shape)
        mask = planet.coordinates.horizontal.mask
        twin = state.replace(temperature_variation=state.temperature_variation + jnp.asarray(noise * mask, jnp.float32))
        state, truth = planet.run(state, 4 * TWIN_DAYS)
        _, other = planet.run(twin, 4 * TWIN_DAYS)
        squares.append((np.asarray(other["geopotential"] - truth["geopotential"])[:, c.levels.index(500)]) ** 2)
    spread = dataset["geopotential"].sel(level=500).var("time").weighted(area(grid)).mean().item() ** 0.5
    growth = np.sqrt((np.mean(squares, 0).mean(-1) * grid.area_weights()[:, 0]).mean(-1)) / spread
    for low, high in ((0.02, 0.1), (0.05, 0.2), (0.1, 0.5)):
        days = (np.argmax(growth > high) - np.argmax(growth > low)) / 4
        print(
            f"z500 error {low:4.0%} -> {high:3.0%} of climatology in {days:5.2f} days, doubling in "
            f"{days / np.log2(high / low):.2f}"
        )
    print(f"z500 twins at 50 % of climatology ({spread / GRAVITY:.0f} m) on day {np.argmax(growth > 0.5) / 4:.2f}")


if __name__ == "__main__":
    main()
