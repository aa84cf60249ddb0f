"""How runs on the simulated planet hold up over 100 days: do they stay finite, in the planet's climate, and lively?

    python benchmarks/sfno_stability.py runs/planet_sfno runs/planet --image docs/images/sfno_stability.png

Every run is rolled out from the same initial times of its test period, or of another store of the planet's weather
(`--weather`, for example of `weatherml ingest source.seed=1 ...`: other weather, the same climate). Its climate is the
mean over longitude and over the days 20 to 100 of each forecast. What the planet does by itself is the distribution of
the same mean over windows of as many days of the training period; the windows that the forecasts ought to have met say
how far an unseen truth strays from them.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import xarray as xr
from flax import nnx
from jax import Array

from weatherml.config import load_yaml
from weatherml.data.period import select
from weatherml.data.store.opening import open_store
from weatherml.experiment import Experiment, ExperimentConfig
from weatherml.forecast import ForecastConfig, Forecaster, GuardsConfig
from weatherml.models.step import Constant
from weatherml.state import StateSpec, to_array
from weatherml.verification import evaluate

DAY = np.timedelta64(1, "D")
FIRST, LAST = 20, 100
JUDGED_TO_THE_END = GuardsConfig(bounds=False)
"""Runs that leave what is plausible are not to stop: how far they go is what is measured."""
SHORT_LEADS = (1, 3, 5)
N_STARTS, N_SHORT_STARTS = 8, 40
SHORT_CHANNELS = ("z500", "t850", "u250", "msl")
DRAWN = ("u250", "t850", "msl")
DRIFTS = ("z500", "t850", "u250", "v250", "msl")
DAYS_OF_ENERGY = (1, 10, 30, 60, 100)


@dataclass(frozen=True)
class Rollout:
    """Daily states of the days 1 to 100 from several initial times, `[init_time, day, channel, lat, lon]`."""

    name: str
    states: np.ndarray

    @property
    def settled(self) -> np.ndarray:
        return self.states[:, FIRST - 1 :]


@dataclass(frozen=True)
class Climate:
    """The planet's own means over longitude and as many days, `[window, channel, lat]`."""

    windows: np.ndarray

    def deviations(self, states: np.ndarray) -> np.ndarray:
        """Return `[init_time, channel, lat]` in standard deviations between windows."""
        return (zonal_climate(states) - self.windows.mean(0)) / self.windows.std(0, ddof=1)

    def is_within(self, states: np.ndarray) -> np.ndarray:
        """Return whether `[init_time, channel, lat]` are within what windows have shown."""
        climate = zonal_climate(states)
        return (climate >= self.windows.min(0)) & (climate <= self.windows.max(0))

    def drift(self, states: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return how far the mean over starts is from that over windows, root mean square of latitudes `[channel]`."""
        difference = zonal_climate(states).mean(0) - self.windows.mean(0)
        return np.sqrt((difference**2 * weights[:, 0]).mean(-1))


def zonal_climate(states: np.ndarray) -> np.ndarray:
    """Mean over days and longitude, `[window, channel, lat]`."""
    return states.mean((1, -1), dtype=np.float64)


def activity(states: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Variance in time at each place, averaged over the area and over the starts, `[channel]`."""
    return (states.var(1, dtype=np.float64) * weights).mean((0, -2, -1))


def kinetic_energy(states: np.ndarray, spec: StateSpec, weights: np.ndarray) -> np.ndarray:
    """Mean of u2 / 2 + v2 / 2 over the area and the levels, `[init_time, day]`, in m2 s-2."""
    winds = [i for i, channel in enumerate(spec.channels) if channel.variable.endswith("component_of_wind")]
    return (np.square(states[:, :, winds], dtype=np.float64) * weights).mean((2, 3, 4))


class RelaxedStep(nnx.Module):
    """A step that is drawn towards a climate `[channel, lat, lon]` by a share of the distance.

    A share of 0.005 in 6 hours is that of `guards.relaxation` with 50 days, which draws to what normalisation refers
    to; these runs refer to one mean a channel, which is no climate.
    """

    def __init__(self, step: nnx.Module, climate: Array, share: float) -> None:
        self.step, self.climate, self.share = step, Constant(climate), share

    def __call__(self, state: Array, forcing: Array) -> Array:
        state = self.step(state, forcing)
        return state + self.share * (self.climate[...] - state)


@dataclass(frozen=True)
class System:
    """A trained run, and the share by which each of its steps is relaxed towards the climate of its training period."""

    run: Experiment
    relaxation: float
    weather: xr.Dataset

    @property
    def name(self) -> str:
        return f"{self.run.folder.name}, {self.relaxation:.1%} relaxed" if self.relaxation else self.run.folder.name

    def forecaster(self) -> Forecaster:
        forecaster = Forecaster.load(self.run.training.best_checkpoint)
        time = forecaster.suites[0].normalizer.statistics.period[0]
        climate = to_array(self.run.climatology.at(np.array([time], "datetime64[ns]")), self.run.spec)
        normalized = jnp.asarray(
            forecaster.suites[0].normalizer.normalize(climate, np.array([time], "datetime64[ns]"))[0]
        )
        (model,) = forecaster.suites[0].models
        relaxed = replace(model, step=RelaxedStep(model.step, normalized, self.relaxation))
        suite = replace(forecaster.suites[0], models=(relaxed,))
        return Forecaster((suite,)) if self.relaxation else forecaster

    def rollout(self, starts: np.ndarray) -> Rollout:
        config = ForecastConfig(lead_time=f"{LAST}d", every="1d", guards=JUDGED_TO_THE_END)
        forecast = self.forecaster().run(self.weather, starts, config)
        return Rollout(self.name, to_array(forecast.isel(number=0, drop=True), self.run.spec))

    def short_rmse(self) -> list[str]:
        starts = even_starts(self.weather, N_SHORT_STARTS, max(SHORT_LEADS))
        last = f"{max(SHORT_LEADS)}d"
        config = ForecastConfig(lead_time=last, every="1d", channels=SHORT_CHANNELS, guards=JUDGED_TO_THE_END)
        forecast = self.forecaster().run(self.weather, starts, config)
        rmse = evaluate(forecast, self.weather, ["rmse"])["rmse"].sel(bound="estimate")
        return [f"{value:.3g}" for value in rmse.sel(lead_time=[day * DAY for day in SHORT_LEADS]).values.ravel()]


def open_run(folder: Path) -> Experiment:
    return Experiment(load_yaml(ExperimentConfig, folder / "config.json"), folder)


def long_truth(weather: xr.Dataset, spec: StateSpec, starts: np.ndarray) -> Rollout:
    times = starts[:, None] + np.arange(1, LAST + 1) * DAY
    states = to_array(weather.sel(time=times.ravel()), spec)
    return Rollout("the planet", states.reshape(*times.shape, *states.shape[1:]))


def climate_of(run: Experiment) -> Climate:
    """Windows that follow one another, as many days each as forecasts are judged over."""
    daily = to_array(select(run.store, run.config.periods.training).isel(time=slice(None, None, 4)), run.spec)
    length = LAST - FIRST + 1
    windows = daily[: len(daily) // length * length].reshape(-1, length, *daily.shape[1:])
    return Climate(zonal_climate(windows))


def even_starts(weather: xr.Dataset, n_starts: int, n_days: int) -> np.ndarray:
    """Initial times spread evenly, all days before the end."""
    times = weather["time"].values
    last = len(times) - 4 * n_days - 1
    return times[np.linspace(0, last, n_starts).astype(int)]


def print_row(*cells: object) -> None:
    print("| " + " | ".join(map(str, cells)) + " |")


def climate_rows(runs: list[Rollout], climate: Climate, spec: StateSpec) -> Iterator[tuple[str, list[str]]]:
    """Give what is measured, and its value for every run; the last is the truth."""
    weights, truth = spec.grid.area_weights(), runs[-1]
    is_v = np.array([channel.variable == "v_component_of_wind" for channel in spec.channels])
    within = [climate.is_within(run.settled) for run in runs]
    yield "zonal means within the range of the windows, without v", [f"{w[:, ~is_v].mean():.0%}" for w in within]
    yield "the same of v", [f"{w[:, is_v].mean():.0%}" for w in within]
    scores = [np.abs(climate.deviations(run.settled)) for run in runs]
    yield (
        "distance from their mean in standard deviations, median without v",
        [f"{np.median(z[:, ~is_v]):.2f}" for z in scores],
    )
    yield "the same of v", [f"{np.median(z[:, is_v]):.2f}" for z in scores]
    for name in DRIFTS:
        yield f"drift of {name}, SI units", [f"{climate.drift(r.settled, weights)[spec.index(name)]:.3g}" for r in runs]
    ratios = [activity(run.settled, weights) / activity(truth.settled, weights) for run in runs]
    yield (
        "variance in time over the planet's, channels",
        [f"{ratio.min():.3g} to {ratio.max():.3g}" for ratio in ratios],
    )
    energies = [kinetic_energy(run.states, spec, weights) for run in runs]
    for day in DAYS_OF_ENERGY:
        ratios = [(energy / energies[-1])[:, day - 1] for energy in energies]
        yield (
            f"kinetic energy over the planet's, starts, day {day}",
            [f"{r.min():.2f} to {r.max():.3g}" for r in ratios],
        )


def print_climate(runs: list[Rollout], climate: Climate, spec: StateSpec) -> None:
    print_row(f"days {FIRST} to {LAST}", *(run.name for run in runs))
    print_row(*["---"] * (len(runs) + 1))
    for name, cells in climate_rows(runs, climate, spec):
        print_row(name, *cells)
    print()


def print_skill(systems: list[System]) -> None:
    print_row("RMSE, SI units", *(f"{channel} day {day}" for channel in SHORT_CHANNELS for day in SHORT_LEADS))
    print_row(*["---"] * (1 + len(SHORT_CHANNELS) * len(SHORT_LEADS)))
    for system in systems:
        print_row(system.name, *system.short_rmse())


def draw(runs: list[Rollout], climate: Climate, spec: StateSpec, path: Path) -> None:
    figure, axes = plt.subplots(1, len(DRAWN), figsize=(12, 4), layout="constrained")
    for axis, name in zip(axes, DRAWN, strict=True):
        channel = spec.index(name)
        low, high = climate.windows[:, channel].min(0), climate.windows[:, channel].max(0)
        axis.fill_between(spec.grid.latitude, low, high, color="0.8", label="training windows")
        axis.set_ylim(low.min() - np.ptp(low) / 4, high.max() + np.ptp(high) / 4)
        for run, color in zip(runs, (*(f"C{i}" for i in range(len(runs) - 1)), "k"), strict=True):
            lines = axis.plot(spec.grid.latitude, zonal_climate(run.settled)[:, channel].T, color=color, lw=0.8)
            lines[0].set_label(run.name)
        axis.set(title=f"{name}, {spec.channels[channel].units}", xlabel="latitude, degrees north")
    axes[1].legend(fontsize="small", loc="lower center")
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--relaxation", type=float, help="judge every run with this share of relaxation too")
    parser.add_argument("--weather", type=Path, help="a store to start from, instead of the test period")
    parser.add_argument("--image", type=Path)
    arguments = parser.parse_args()
    runs = [open_run(folder) for folder in arguments.runs]
    shares = (0.0, arguments.relaxation) if arguments.relaxation else (0.0,)
    unseen = select(runs[0].store, runs[0].config.periods.test)
    weather = unseen if arguments.weather is None else open_store(arguments.weather)
    systems = [System(run, share, weather) for run in runs for share in shares]
    starts, spec, climate = even_starts(weather, N_STARTS, LAST), runs[0].spec, climate_of(runs[0])
    rollouts = [*(system.rollout(starts) for system in systems), long_truth(weather, spec, starts)]
    print_climate(rollouts, climate, spec)
    print_skill(systems)
    if arguments.image:
        draw([*rollouts[: len(shares)], rollouts[-1]], climate, spec, arguments.image)


if __name__ == "__main__":
    main()
