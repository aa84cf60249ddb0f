"""Maps of one field, of a forecast beside the truth, and of an ensemble."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from weatherml.errors import UserError
from weatherml.grid import REGRID
from weatherml.plot import style
from weatherml.plot.maps.map_axes import Ground, add_bar, add_map, fill, grid_of, label_contours, ratio_of
from weatherml.plot.maps.map_layout import Heading, Panel, one_map, three_maps
from weatherml.plot.metrics import look_of
from weatherml.plot.style import Quantity, Shading

_MOST, _MOST_OF_TWO, _MOST_OF_THREE = (8.6, 5.0), (5.2, 3.4), (5.2, 4.2)
"""Inches, width and height, of the one map of a picture, of two side by side, and of three."""


def map(
    field: xr.DataArray,
    *,
    difference: bool = False,
    title: str | None = None,
    coastlines: bool = True,
    orography: xr.DataArray | None = None,
) -> Figure:
    """Draw one field: the whole globe in equal area, or the region that the field covers.

    Args:
        field: `[latitude, longitude]`, canonical, in SI units; shown in the units people use. NaN is left grey.
        difference: Whether it is an anomaly or an error: units without offset, colours symmetric about zero.
        title: In place of the field's name.
        coastlines: Whether to draw the Earth's; a simulated planet has others.
        orography: Surface geopotential `[latitude, longitude]` in m2 s-2 whose heights are drawn as contours.

    Raises:
        UserError: The field has other dimensions, or no finite value.
    """
    quantity = style.quantity_of_field(field)
    values = (quantity.shown_difference(field) if difference else quantity.shown(field)).compute()
    shading = style.shade_difference(values, quantity) if difference else style.shade(values, quantity)
    lines = "dotted lines: mountains" * (orography is not None)
    note = " · ".join(filter(None, (style.write_origin(field), lines)))
    return _draw(values, shading, Heading(title or quantity.label, note), Ground(coastlines, orography))


def probability(
    share: xr.DataArray, *, title: str, coastlines: bool = True, orography: xr.DataArray | None = None
) -> Figure:
    """Draw a probability, from 0 to 100 % in steps of ten.

    Args:
        share: `[latitude, longitude]`, 0 to 1, for example of the members above a threshold.
        title: What it is the probability of.
        coastlines: As `map`.
        orography: As `map`.

    Raises:
        UserError: The field has other dimensions.
    """
    heading = Heading(title, style.write_origin(share))
    return _draw(100 * share.compute(), style.PROBABILITY, heading, Ground(coastlines, orography))


def deviation(
    spread: xr.DataArray, *, title: str, coastlines: bool = True, orography: xr.DataArray | None = None
) -> Figure:
    """Draw a standard deviation of members alone, in units without offset.

    Args:
        spread: `[latitude, longitude]` in SI units, by the name of its variable.
        title: In place of the variable's name.
        coastlines: As `map`.
        orography: As `map`.

    Raises:
        UserError: The field has other dimensions, or no finite value.
    """
    quantity = style.quantity_of_field(spread)
    values = quantity.shown_difference(spread).compute()
    heading = Heading(title, style.write_origin(spread))
    return _draw(values, style.shade_spread(values, quantity), heading, Ground(coastlines, orography))


def score(
    field: xr.DataArray, *, title: str | None = None, coastlines: bool = True, orography: xr.DataArray | None = None
) -> Figure:
    """Draw how good forecasts are at each point.

    Args:
        field: `[latitude, longitude]` of one channel and one lead time of what `verification.evaluate_maps` returns, by
            the name of its metric.
        title: In place of the metric and the channel.
        coastlines: As `map`.
        orography: As `map`.

    Raises:
        UserError: The field has other dimensions, no channel, or no finite value.
    """
    if "channel" not in field.coords or field["channel"].ndim:
        raise UserError("a map of a score is of one channel; select it, scores['rmse'].sel(channel='geopotential_500')")
    quantity, look = style.quantity_of(str(field["channel"].values)), look_of(str(field.name))
    values = (field * look.factor(quantity)).compute()
    words = f"{look.words} of {quantity.label[:1].lower()}{quantity.label[1:]}"
    label = style.with_units(look.words, look.units(quantity))
    shading = style.shade_score(values, label, look.power > 0, look.is_signed)
    return _draw(values, shading, Heading(title or words, style.write_origin(field)), Ground(coastlines, orography))


def forecast_vs_truth(
    forecast: xr.DataArray, truth: xr.DataArray, *, coastlines: bool = True, orography: xr.DataArray | None = None
) -> Figure:
    """Draw a forecast and the truth in the same colours side by side, and under them their difference.

    Args:
        forecast: `[latitude, longitude]`, SI units; one lead time.
        truth: The same field on the same grid, at the time at which the forecast is valid.
        coastlines: Whether to draw the Earth's.
        orography: Surface geopotential in m2 s-2 whose heights are drawn as contours.

    Raises:
        UserError: The grids or the valid times differ.
    """
    forecast, truth = forecast.compute(), truth.compute()
    _require_comparable(forecast, truth)
    quantity = style.quantity_of_field(forecast)
    pair = [quantity.shown(field) for field in (forecast, truth)]
    error = quantity.shown_difference(forecast.copy(data=forecast.values - truth.values))
    shading = style.shade(np.stack([field.values for field in pair]), quantity)
    error_shading = style.shade_difference(error, quantity)
    headings = (
        Heading("Forecast", style.write_origin(forecast)),
        Heading("Truth", style.write_origin(truth)),
        Heading("Forecast minus truth", _rms(error, quantity)),
    )
    shown = [(pair[0], shading), (pair[1], shading), (error, error_shading)]
    return draw_three(shown, headings, Ground(coastlines, orography))


def spread(ensemble: xr.DataArray, *, coastlines: bool = True, orography: xr.DataArray | None = None) -> Figure:
    """Draw the ensemble mean as contours over its spread, the standard deviation of the members, as colours.

    Args:
        ensemble: `[number, latitude, longitude]` in SI units, one lead time.
        coastlines: Whether to draw the Earth's.
        orography: Surface geopotential in m2 s-2 whose heights are drawn as contours.

    Raises:
        UserError: There are fewer than two members.
    """
    if ensemble.sizes.get("number", 1) < 2:
        raise UserError(f"a spread needs two members or more along 'number', got dimensions {dict(ensemble.sizes)}")
    ensemble = ensemble.compute()
    mean, deviation = ensemble.mean("number", skipna=False), ensemble.std("number", ddof=1, skipna=False)
    note = f"{ensemble.sizes['number']} members, "
    return _mean_over_spread(mean, deviation.assign_attrs(ensemble.attrs), note, Ground(coastlines, orography))


def mean_over_spread(
    mean: xr.DataArray, deviation: xr.DataArray, *, coastlines: bool = True, orography: xr.DataArray | None = None
) -> Figure:
    """Draw a mean as contours over a standard deviation as colours, of statistics that a forecast has kept.

    Args:
        mean: `[latitude, longitude]` in SI units, by the name of its variable.
        deviation: The same of the members' standard deviation.
        coastlines: Whether to draw the Earth's.
        orography: Surface geopotential in m2 s-2 whose heights are drawn as contours.
    """
    return _mean_over_spread(mean.compute(), deviation.compute(), "", Ground(coastlines, orography))


def _mean_over_spread(mean: xr.DataArray, deviation: xr.DataArray, note: str, ground: Ground) -> Figure:
    quantity = style.quantity_of_field(mean)
    mean, deviation = quantity.shown(mean), quantity.shown_difference(deviation)
    told = f"{style.write_origin(mean)} · {note}contours: {style.with_units('mean', quantity.units)}".lstrip(" ·")
    heading = Heading(f"{quantity.label}: ensemble spread and mean", told)
    return _draw(deviation, style.shade_spread(deviation, quantity), heading, ground, mean)


def _draw(
    values: xr.DataArray, shading: Shading, heading: Heading, ground: Ground, contours: xr.DataArray | None = None
) -> Figure:
    """Draw one map of shown values, and others as contours over them."""
    panel = Panel.of(ratio_of(values), not grid_of(values).is_global, _MOST)
    layout = one_map(panel, heading, shading.label)
    with style.new_figure(*layout.size) as figure:
        figure.set_layout_engine("none")
        ax = add_map(figure, layout.maps[0], values)
        filled = fill(ax, values, shading)
        ground.draw(ax)
        if contours is not None:
            label_contours(ax, contours, style.round_levels(contours, 12))
        style.write_title(ax, layout.headings[0].title, layout.headings[0].note)
        add_bar(figure, filled, shading, layout.bars[0])
    return figure


def draw_three(shown: Sequence[tuple[xr.DataArray, Shading]], headings: Sequence[Heading], ground: Ground) -> Figure:
    """Draw three maps of which the first two share their colours."""
    ratio, has_degrees = ratio_of(shown[0][0]), not grid_of(shown[0][0]).is_global
    panel = Panel.of(ratio, has_degrees, _MOST_OF_TWO)
    panel = Panel.of(ratio, has_degrees, _MOST_OF_THREE) if panel.is_tall else panel
    layout = three_maps(panel, headings, (shown[0][1].label, shown[2][1].label))
    with style.new_figure(*layout.size) as figure:
        figure.set_layout_engine("none")
        axes = [add_map(figure, place, values) for place, (values, _) in zip(layout.maps, shown, strict=True)]
        filled = [fill(ax, *drawn) for ax, drawn in zip(axes, shown, strict=True)]
        for ax, heading in zip(axes, layout.headings, strict=True):
            ground.draw(ax)
            style.write_title(ax, heading.title, heading.note)
        for bar, position in zip(layout.bars, (0, 2), strict=True):
            add_bar(figure, filled[position], shown[position][1], bar)
    return figure


def _require_comparable(forecast: xr.DataArray, truth: xr.DataArray) -> None:
    if not grid_of(forecast).is_same(grid_of(truth)):
        raise UserError(f"forecast {forecast.shape} and truth {truth.shape} lie on different grids; {REGRID}")
    valid, time = forecast.coords.get("valid_time"), truth.coords.get("time")
    if valid is not None and time is not None and valid.values != time.values:
        found = (
            f"the forecast is valid at {style.write_time(valid.values)}, the truth at {style.write_time(time.values)}"
        )
        raise UserError(f"{found}; select truth.sel(time=forecast.valid_time)")


def _rms(error: xr.DataArray, quantity: Quantity) -> str:
    weighted = np.square(error.values) * grid_of(error).area_weights()
    known = np.broadcast_to(grid_of(error).area_weights(), weighted.shape)[np.isfinite(weighted)]
    return f"root mean square {np.sqrt(np.nansum(weighted) / known.sum()):.3g} {quantity.difference_units}"
