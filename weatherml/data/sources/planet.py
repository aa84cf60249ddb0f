"""The dynamics of the simulated planet: dry primitive equations on the sphere, Held-Suarez forcing, mountains.

On a planet with water they carry vapour, which rains out (`water`); the air does not feel it.

Everything is in SI units. Fields of the dynamical core lie on `[level, lon, lat]` with latitude rising, spectra on
`[level, m, l]`; what `run` returns is canonical.

References: Held & Suarez 1994 (forcing), Durran 2010 section 8.6 (equations), Whitaker & Kar 2013 (time stepping).
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from dinosaur import scales, units
from dinosaur.coordinate_systems import CoordinateSystem
from dinosaur.held_suarez import HeldSuarezForcingSigma
from dinosaur.primitive_equations import (
    PrimitiveEquationsSigma,
    State,
    get_geopotential_on_sigma,
    truncated_modal_orography,
)
from dinosaur.sigma_coordinates import SigmaCoordinates
from dinosaur.spherical_harmonic import Grid, add_constant, vor_div_to_uv_nodal
from dinosaur.time_integration import exponential_step_filter, imex_rk_sil3

from weatherml.data.sources import vertical, water

_PROGNOSTIC = ("vorticity", "divergence", "temperature_variation", "log_surface_pressure")
_HUMIDITY, _RAIN = "specific_humidity", "rain"
"""Tracers: spectra, kg kg-1; and what fell in the output step before, nodal, in m, which is put beside them."""
_EARTH = units.SimUnits.from_si(scale=scales.SI_SCALE)
_AIR = vertical.Gas(_EARTH.R, _EARTH.g)
_REFERENCE_TEMPERATURE = 288.0
_SCALE_HEIGHT = _AIR.gas_constant * _REFERENCE_TEMPERATURE / _AIR.gravity
_SEA_LEVEL_PRESSURE = 1e5
_PERTURBATION = 1.0  # K; a planet starts from resting isothermal air with noise
_HOURS_A_STEP = 2.0  # up to T21, and shorter for finer grids; 3 hours are still stable at T21
_FILTER = {"tau": 1800.0, "order": 3, "cutoff": 0.4}  # spares wavenumbers below 0.4 of the highest; tau in seconds

# Longitude, latitude, half-widths (degrees) and relative height of mountains at mid-latitudes of both hemispheres.
_MOUNTAINS = ((90, 38, 22, 12, 1.0), (255, 45, 15, 15, 0.8), (290, -30, 12, 18, 0.8), (25, -40, 18, 12, 0.5))


@dataclass(frozen=True)
class Planet:
    """One planet: its grid, its mountains and the step that carries its atmosphere forward.

    Equal planets share what has been compiled.

    Attributes:
        truncation: Highest wavenumber.
        n_levels: Equally thick sigma levels.
        levels: Pressure levels of the output in hPa, rising.
        mountain_height: Height of the highest mountain in m.
        time_step_hours: Time between two outputs.
        rain: Name of the precipitation between two outputs, on a planet with water; None on a dry one.
    """

    truncation: int
    n_levels: int
    levels: tuple[int, ...]
    mountain_height: float
    time_step_hours: int
    rain: str | None = None

    @cached_property
    def coordinates(self) -> CoordinateSystem:
        """The grids of the dynamics."""
        nodes = math.ceil((3 * self.truncation + 1) / 4)  # products of two fields do not alias
        grid = Grid.construct(max_wavenumber=self.truncation, gaussian_nodes=nodes, radius=_EARTH.radius)
        return CoordinateSystem(grid, SigmaCoordinates.equidistant(self.n_levels))

    @cached_property
    def orography(self) -> np.ndarray:
        """Height of the ground in m `[lon, lat]`."""
        longitude, sin_latitude = self.coordinates.horizontal.nodal_mesh
        return mountains(np.degrees(longitude), np.degrees(np.arcsin(sin_latitude)), self.mountain_height)

    def surface_geopotential(self) -> np.ndarray:
        """Return the geopotential of the ground under the dynamics, m2 s-2, float32 `[lat, lon]`, latitude falling."""
        height = np.asarray(self.coordinates.horizontal.to_nodal(self._spectral_orography))
        return np.float32(_AIR.gravity) * height.T[::-1]

    def initial_state(self, seed: int) -> State:
        """Return isothermal air at rest, disturbed by noise that the seed decides."""
        grid, shape = self.coordinates.horizontal, self.coordinates.modal_shape
        numbers = jax.random.normal(
            jax.random.key(seed), (math.prod(shape),)
        )  # in one dimension it compiles ten times sooner
        noise = numbers.reshape(shape) * grid.mask
        log_pressure = add_constant(-self._spectral_orography / _SCALE_HEIGHT, math.log(_SEA_LEVEL_PRESSURE))
        state = State(
            vorticity=jnp.zeros(shape),
            divergence=jnp.zeros(shape),
            temperature_variation=_PERTURBATION * grid.clip_wavenumbers(noise) / grid.total_wavenumbers,
            log_surface_pressure=log_pressure[None],
            tracers={_HUMIDITY: jnp.zeros(shape), _RAIN: jnp.zeros(grid.nodal_shape)} if self.rain else {},
        )
        return self._conserve_mass(state)

    @staticmethod
    def to_arrays(state: State) -> dict[str, np.ndarray]:
        """Return the exact state as plain arrays; `from_arrays` is its inverse."""
        dry = {name: np.asarray(getattr(state, name)) for name in _PROGNOSTIC}
        return dry | {name: np.asarray(field) for name, field in state.tracers.items()}

    @staticmethod
    def from_arrays(arrays: Mapping[str, np.ndarray]) -> State:
        """Return the state that `to_arrays` wrote."""
        water = {name: jnp.asarray(arrays[name]) for name in (_HUMIDITY, _RAIN) if name in arrays}
        return State(**{name: jnp.asarray(arrays[name]) for name in _PROGNOSTIC}, tracers=water)

    @partial(jax.jit, static_argnums=(0, 2))
    def run(self, state: State, n_times: int) -> tuple[State, dict[str, jax.Array]]:
        """Carry the planet forward by `n_times` output steps.

        Returns:
            The state after the last step, and the canonical fields before each step: `[time, level, lat, lon]` or
            `[time, lat, lon]`, float32, SI units, latitude falling.
        """
        n_steps = math.ceil(self.time_step_hours * max(self.truncation / 21, 1) / _HOURS_A_STEP)
        step = self._build_step(self.time_step_hours * 3600 / n_steps)

        def output_step(state: State, _: None) -> tuple[State, dict[str, jax.Array]]:
            later = jax.lax.fori_loop(0, n_steps, lambda _, now: step(now), self._after_no_rain(state))
            return self._conserve_mass(later), self.observe(state)

        return jax.lax.scan(output_step, state, length=n_times)

    def observe(self, state: State) -> dict[str, jax.Array]:
        """Return the fields of one state on pressure levels, by canonical name."""
        grid = self.coordinates.horizontal
        pressure = 100.0 * np.asarray(self.levels)
        columns = self._columns(state)
        weights = vertical.interpolation_weights(columns, pressure)
        u, v = vor_div_to_uv_nodal(grid, state.vorticity, state.divergence)
        temperature, geopotential = vertical.temperature_and_geopotential(columns, pressure, _AIR)
        fields = {
            "geopotential": geopotential,
            "temperature": temperature,
            "u_component_of_wind": vertical.interpolate(weights, u),
            "v_component_of_wind": vertical.interpolate(weights, v),
            "mean_sea_level_pressure": vertical.mean_sea_level_pressure(columns, _AIR),
            "surface_pressure": jnp.exp(columns.log_surface_pressure),
        }
        if self.rain is not None:
            humidity = grid.to_nodal(state.tracers[_HUMIDITY])
            fields[_HUMIDITY] = jnp.maximum(vertical.interpolate(weights, humidity), 0)
            fields[self.rain] = state.tracers[_RAIN]
        return {name: jnp.swapaxes(field, -1, -2)[..., ::-1, :] for name, field in fields.items()}

    def _build_step(self, seconds: float) -> Callable[[State], State]:
        """Return the function from a state to the state `seconds` later: dynamics, then forcing, then filter."""
        reference = np.full(self.n_levels, _REFERENCE_TEMPERATURE)
        equations = PrimitiveEquationsSigma(reference, self._spectral_orography, self.coordinates, _EARTH)
        forcing = HeldSuarezForcingSigma(self.coordinates, _EARTH, reference)
        flow = imex_rk_sil3(equations, seconds)
        smooth = exponential_step_filter(self.coordinates.horizontal, seconds, **_FILTER)

        def step(state: State) -> State:
            carried = {name: tracer for name, tracer in state.tracers.items() if name != _RAIN}
            before = state.replace(tracers=carried)
            moved = flow(before)
            forced = forcing.explicit_terms(moved).replace(tracers=jax.tree.map(jnp.zeros_like, moved.tracers))
            later = smooth(before, moved + seconds * forced)
            return later if self.rain is None else self._rain(later, state.tracers[_RAIN], seconds)

        return step

    def _rain(self, state: State, fallen: jax.Array, seconds: float) -> State:
        """Let it rain for so long, on what has fallen before, m `[lon, lat]`."""
        grid, columns = self.coordinates.horizontal, self._columns(state)
        surface = jnp.exp(columns.log_surface_pressure)
        pressure = np.exp(columns.log_sigma)[:, None, None] * surface
        mass = self.coordinates.vertical.layer_thickness[:, None, None] * surface / _AIR.gravity
        air = water.rained(grid.to_nodal(state.tracers[_HUMIDITY]), columns.temperature, pressure, mass, seconds)
        return state.replace(tracers={_HUMIDITY: grid.to_modal(air.humidity), _RAIN: fallen + air.depth})

    def _after_no_rain(self, state: State) -> State:
        """Return a state of which nothing has fallen yet."""
        if self.rain is None:
            return state
        return state.replace(tracers=state.tracers | {_RAIN: jnp.zeros_like(state.tracers[_RAIN])})

    def _columns(self, state: State) -> vertical.Columns:
        grid, sigma = self.coordinates.horizontal, self.coordinates.vertical
        temperature = _REFERENCE_TEMPERATURE + grid.to_nodal(state.temperature_variation)
        geopotential = get_geopotential_on_sigma(
            temperature,
            nodal_orography=grid.to_nodal(self._spectral_orography),
            sigma=sigma,
            gravity_acceleration=_AIR.gravity,
            ideal_gas_constant=_AIR.gas_constant,
        )
        log_pressure = grid.to_nodal(state.log_surface_pressure)[0]
        return vertical.Columns(np.log(sigma.centers), log_pressure, temperature, geopotential)

    def _conserve_mass(self, state: State) -> State:
        """Rescale surface pressure to the planet's mass: its logarithm, which the equations carry, leaks."""
        grid = self.coordinates.horizontal
        mass = _mean(grid, jnp.exp(grid.to_nodal(state.log_surface_pressure)[0]))
        correction = jnp.log(self._mean_surface_pressure / mass)
        return state.replace(log_surface_pressure=add_constant(state.log_surface_pressure, correction))

    @cached_property
    def _mean_surface_pressure(self) -> float:
        """Mean in Pa over resting isothermal air above the mountains."""
        pressure = _SEA_LEVEL_PRESSURE * np.exp(-self.orography / _SCALE_HEIGHT)
        return float(_mean(self.coordinates.horizontal, pressure))

    @property
    def _spectral_orography(self) -> jax.Array:
        spectrum: jax.Array = truncated_modal_orography(self.orography, self.coordinates)
        return spectrum


def mountains(longitude: np.ndarray, latitude: np.ndarray, height: float) -> np.ndarray:
    """Return the height of the ground in m: Gaussian mountains, the highest `height` m, at points in degrees."""
    ground = np.zeros(np.broadcast_shapes(longitude.shape, latitude.shape))
    for east, north, width, breadth, relative in _MOUNTAINS:
        distance = (longitude - east + 180) % 360 - 180
        ground += height * relative * np.exp(-((distance / width) ** 2) - ((latitude - north) / breadth) ** 2)
    return ground


def _mean(grid: Grid, field: Any) -> Any:
    """Return the mean over the sphere of nodal values `[lon, lat]`, by numpy or jax as `field` is."""
    weights = grid.quadrature_weights / grid.quadrature_weights.sum()
    return (field * weights).sum()
