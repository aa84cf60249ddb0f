"""The climate of a planet, simulated or real: jets, temperature, storms, and whether it drifts."""

from functools import reduce
from operator import add

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from weatherml.errors import UserError
from weatherml.errors.wording import listed
from weatherml.grid import LatLonGrid
from weatherml.plot import style
from weatherml.plot.style import Quantity

_EASTWARD, _NORTHWARD, _TEMPERATURE = "u_component_of_wind", "v_component_of_wind", "temperature"
_YEAR = np.timedelta64(365 * 24 + 6, "h")
_BLOCK_BYTES = 2**26  # of fields that are read at once: of a period only what is drawn is kept


def climate(dataset: xr.Dataset) -> Figure:
    """Draw zonal-mean wind, temperature and eddy kinetic energy by latitude and pressure, and global means in time.

    Eddies are departures from the zonal mean at each time: standing waves count with those that travel.

    Args:
        dataset: Temperature and both winds `(time, level, latitude, longitude)`, canonical, SI units, global. What is
            lazy is read block by block.

    Raises:
        UserError: A variable, the levels or the times are missing, or the grid is not global.
    """
    _require_global_winds(dataset)
    wind, warmth = style.quantity_of(_EASTWARD), style.quantity_of(_TEMPERATURE)
    eddies = Quantity("Eddy kinetic energy", "m² s⁻²", "m² s⁻²", colormap="YlOrRd")
    zonal, history = _reduce(dataset)
    has_history = dataset.sizes["time"] > 1
    with style.new_figure(*((10.5, 7.4) if has_history else (14, 3.9))) as figure:
        axes = figure.subplot_mosaic(
            "ut;ew;es" if has_history else "ute", height_ratios=(2, 1, 1) if has_history else None
        )
        _draw_section(axes["u"], zonal["wind"], wind)
        _draw_section(axes["t"], zonal["temperature"], warmth)
        _draw_section(axes["e"], zonal["energy"], eddies)
        if has_history:
            _draw_history(axes["w"], history["temperature"], warmth)
            _draw_history(axes["s"], history["energy"], eddies)
    return figure


def _require_global_winds(dataset: xr.Dataset) -> None:
    wanted = (_EASTWARD, _NORTHWARD, _TEMPERATURE)
    missing = [name for name in wanted if name not in dataset or not {"time", "level"} <= set(dataset[name].dims)]
    if missing:
        has = listed(f"{name} {field.dims}" for name, field in dataset.data_vars.items())
        raise UserError(f"a climate needs {', '.join(missing)} by time and level; the data have {has}")
    if dataset.sizes["level"] < 2:
        raise UserError(f"a climate needs two pressure levels or more, got {dataset['level'].values[0]} hPa alone")
    if not LatLonGrid.from_dataset(dataset).is_global:
        raise UserError("a climate needs a global grid, got a region; zonal means of a region have no meaning")


def _reduce(dataset: xr.Dataset) -> tuple[xr.Dataset, xr.Dataset]:
    """Return the time means of zonal means, `[level, latitude]`, and the global means, `[time]`, in shown units."""
    length = max(1, _BLOCK_BYTES // (12 * dataset[_TEMPERATURE].isel(time=0).size))
    sums: list[xr.Dataset] = []
    counts: list[xr.Dataset] = []
    histories: list[xr.Dataset] = []
    for start in range(0, dataset.sizes["time"], length):
        block = dataset[[_EASTWARD, _NORTHWARD, _TEMPERATURE]].isel(time=slice(start, start + length)).load()
        warmth = style.quantity_of(_TEMPERATURE).shown(block[_TEMPERATURE].mean("longitude"))
        energy = _eddy_kinetic_energy(block)
        zonal = xr.Dataset({"wind": block[_EASTWARD].mean("longitude"), "temperature": warmth, "energy": energy})
        sums.append(zonal.sum("time", dtype=np.float64))
        counts.append(zonal.count("time"))
        histories.append(zonal[["temperature", "energy"]].map(_global_mean))
    return reduce(add, sums) / reduce(add, counts), xr.concat(histories, "time")


def _eddy_kinetic_energy(dataset: xr.Dataset) -> xr.DataArray:
    """Return half the zonal variance of both winds, m2 s-2 `[time, level, latitude]`."""
    return (dataset[_EASTWARD].var("longitude") + dataset[_NORTHWARD].var("longitude")) / 2


def _global_mean(zonal: xr.DataArray) -> xr.DataArray:
    """Average `[time, level, latitude]` over the area, and over the mass between the outermost levels: `[time]`."""
    # Any number of columns has the same areas relative to one another.
    grid = LatLonGrid.from_coordinates(zonal["latitude"].values, np.arange(0, 360, 90))
    area = xr.DataArray(grid.cell_areas(), dims="latitude")
    mass = xr.DataArray(np.gradient(zonal["level"].values.astype(np.float64)), dims="level")
    return zonal.weighted(area * mass).mean(("level", "latitude"), skipna=False)


def _draw_section(ax: Axes, zonal: xr.DataArray, quantity: Quantity) -> None:
    """Draw `[level, latitude]` by latitude and pressure, the ground at the bottom."""
    mean = zonal.transpose("level", "latitude")
    shading = style.shade(mean, quantity)
    where = (mean["latitude"], mean["level"], mean)
    filled = ax.contourf(*where, levels=shading.levels, cmap=shading.colormap, extend=shading.extend)
    ax.contour(*where, levels=shading.levels, colors=style.INK, linewidths=0.4, alpha=0.5)
    bar = ax.figure.colorbar(filled, ax=ax, pad=0.02, aspect=24, ticks=list(shading.ticks()))
    bar.set_label(quantity.units)
    ax.set_title(f"Zonal mean {quantity.label[:1].lower()}{quantity.label[1:]}")
    _label_section(ax, mean["latitude"].values, mean["level"].values)


def _label_section(ax: Axes, latitude: np.ndarray, level: np.ndarray) -> None:
    ax.set(yscale="log", ylabel="Pressure (hPa)", xlim=(latitude[-1], latitude[0]), ylim=(level.max(), level.min()))
    ax.set_xticks(range(-60, 61, 30), ["60°S", "30°S", "0°", "30°N", "60°N"])
    pressures = level if len(level) <= 8 else np.array([1, 2, 5, 10, 20, 50, 100, 200, 500, 1000])
    shown = pressures[(level.min() <= pressures) & (pressures <= level.max())]
    ax.set_yticks(shown, [f"{pressure:g}" for pressure in shown])
    ax.yaxis.set_minor_locator(NullLocator())


def _draw_history(ax: Axes, series: xr.DataArray, quantity: Quantity) -> None:
    ax.plot(series["time"], series, color=style.CYCLE[0], linewidth=0.9)
    ax.set(ylabel=quantity.units)
    style.write_title(
        ax, f"Global mean {quantity.label[:1].lower()}{quantity.label[1:]}", _trend(series, quantity.difference_units)
    )
    ax.ticklabel_format(axis="y", useOffset=False)
    locator = AutoDateLocator(maxticks=8)  # type: ignore[no-untyped-call]
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]


def _trend(series: xr.DataArray, units: str) -> str:
    """Write the linear trend of a year or longer; a shorter series shows the season, not a drift."""
    years = (series["time"].values - series["time"].values[0]) / _YEAR
    if years[-1] < 0.99:
        return ""
    slope = np.polyfit(years, series.values.astype(np.float64), 1)[0]
    return f"trend {slope:+.2g} {units} a year"
