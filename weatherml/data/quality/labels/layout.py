"""What labels alone tell: names, order of dimensions, grid, levels, and where the data come from."""

from collections.abc import Iterator

import numpy as np
import xarray as xr

from weatherml.data.notes import LAYOUT, notes, preliminary
from weatherml.data.quality.finding import Finding
from weatherml.data.quality.rules.registry import LABEL_RULES
from weatherml.data.reading.units import conversion, is_same, no_numbers
from weatherml.data.reading.windows import HOW_TO_READ_SUMS, windows_of
from weatherml.errors import UserError
from weatherml.errors.wording import listed
from weatherml.grid import LatLonGrid
from weatherml.state import LEADING
from weatherml.variables import VARIABLES


@LABEL_RULES.register("preliminary")
def find_preliminary(dataset: xr.Dataset) -> Iterator[Finding]:
    """Values are preliminary (ERA5T), and will be replaced."""
    yield from (Finding("warning", "time", text) for text in preliminary(dataset))


@LABEL_RULES.register("put-right")
def find_what_was_put_right(dataset: xr.Dataset) -> Iterator[Finding]:
    """A file had another layout than weatherml's, which was put right when it was opened."""
    yield from (Finding("note", "layout", text) for text in notes(dataset, LAYOUT))


@LABEL_RULES.register("unknown-name")
def find_unknown_names(dataset: xr.Dataset) -> Iterator[Finding]:
    """A variable has no name that weatherml knows."""
    for name in dataset.data_vars:
        if name not in VARIABLES:
            text = "is not a canonical variable name; weatherml.open_files gives files theirs"
            yield Finding("error", str(name), text)


@LABEL_RULES.register("numbers")
def find_what_are_no_numbers(dataset: xr.Dataset) -> Iterator[Finding]:
    """A variable holds text or complex numbers."""
    for name, field in dataset.data_vars.items():
        if name in VARIABLES and (kind := no_numbers(field, str(name))):
            yield Finding("error", str(name), f"holds {kind}")


@LABEL_RULES.register("units")
def find_other_units(dataset: xr.Dataset) -> Iterator[Finding]:
    """A variable says that it has other units than those of weatherml."""
    for name, field in dataset.data_vars.items():
        wanted, found = VARIABLES[str(name)].units if name in VARIABLES else "", str(field.attrs.get("units", ""))
        if name in VARIABLES and not is_same(wanted, found):
            yield Finding("error", str(name), f"has units {found!r}, not {wanted!r}; {_converted(str(name), field)}")


def _converted(name: str, field: xr.DataArray) -> str:
    """Return how to bring a field to the units of its variable."""
    units = VARIABLES[name].units
    by = conversion(units, str(field.attrs["units"]))
    if by is None:
        return "these are of another quantity: correct its name or its attribute units"
    offset = f" + {by[1]:.7g}" if by[1] else ""
    return f"weatherml.open_files converts what a file says, or ds[{name!r}] * {by[0]:.7g}{offset} does, in {units}"


@LABEL_RULES.register("no-level")
def find_lost_levels(dataset: xr.Dataset) -> Iterator[Finding]:
    """A variable of the free atmosphere does not say on which pressure level it is."""
    for name, field in dataset.data_vars.items():
        if name in VARIABLES and VARIABLES[str(name)].vertical == "pressure" and "level" not in field.dims:
            text = "has no pressure level; the file must say it, as a coordinate in hPa of one value"
            yield Finding("warning", str(name), text)


@LABEL_RULES.register("dimension-order")
def find_unordered_dimensions(dataset: xr.Dataset) -> Iterator[Finding]:
    """The dimensions of a variable are not in the order time, level, latitude, longitude."""
    for name, field in dataset.data_vars.items():
        expected = tuple(d for d in (*LEADING, "level", "latitude", "longitude") if d in field.dims)
        if name in VARIABLES and field.dims != expected:
            text = f"dimensions {field.dims} are not in the order {expected}; transpose it"
            yield Finding("error", str(name), text)


@LABEL_RULES.register("level-labels")
def find_unordered_levels(dataset: xr.Dataset) -> Iterator[Finding]:
    """The labels of the levels do not ascend."""
    if "level" in dataset.dims and np.any(np.diff(dataset["level"].values) <= 0):
        yield Finding("error", "level", f"must ascend in hPa, got {listed(dataset['level'].values.tolist())}; sort it")


@LABEL_RULES.register("grid")
def find_impossible_grids(dataset: xr.Dataset) -> Iterator[Finding]:
    """Latitude or longitude are missing, out of order or out of range."""
    try:
        LatLonGrid.from_dataset(dataset)
    except UserError as error:
        yield Finding("error", "grid", str(error))


@LABEL_RULES.register("region")
def find_regions(dataset: xr.Dataset) -> Iterator[Finding]:
    """The grid is a part of the globe."""
    try:
        grid = LatLonGrid.from_dataset(dataset)
    except UserError:
        return  # the rule `grid` says so
    if grid.is_global:
        return
    south, north, (west, east) = grid.latitude[-1], grid.latitude[0], grid.west_east
    yield Finding("note", "grid", f"regional: latitude {south:g} .. {north:g}, longitude {west:g} .. {east:g}")
    if grid.gaps:
        after = ", ".join(f"{longitude:g}" for longitude in grid.gaps)
        yield Finding("note", "grid", f"columns are not contiguous: some are missing after longitude {after}")


@LABEL_RULES.register("mixed-windows")
def find_mixed_windows(dataset: xr.Dataset) -> Iterator[Finding]:
    """The sums of a variable are over windows of several lengths."""
    for name, field in dataset.data_vars.items():
        windows = windows_of(field) if name in VARIABLES else ()
        if len(windows) > 1:
            text = f"is summed over {', '.join(windows)} h, from time to time another; {HOW_TO_READ_SUMS}"
            yield Finding("error", str(name), text)
