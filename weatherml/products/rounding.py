"""What rounding did to a forecast, said where the values are."""

import json
from collections.abc import Mapping

import xarray as xr

from weatherml.products.selection import variable_of
from weatherml.state import Channel

ROUNDING = "rounding_errors"
"""Dataset attribute: the largest error that rounding made in each channel, SI units, as JSON."""
LARGEST = "largest_rounding_error"
"""Variable attribute: the same, in the variable's units, of the level where it is largest."""


def describe_rounding(errors: Mapping[str, float]) -> dict[str, str]:
    """Return the dataset attribute for largest errors by channel name, SI units; those that are zero are left out."""
    made = {name: float(error) for name, error in errors.items() if error}
    return {ROUNDING: json.dumps(made)} if made else {}


def with_rounding_attributes(dataset: xr.Dataset) -> xr.Dataset:
    """Return the dataset with the largest rounding error beside the units of each variable that was rounded."""
    errors: dict[str, float] = json.loads(dataset.attrs.get(ROUNDING, "{}"))
    largest: dict[str, float] = {}
    for name, error in errors.items():
        variable = Channel.parse(name).variable
        largest[variable] = max(error, largest.get(variable, 0.0))
    rounded = {
        name: field.assign_attrs({LARGEST: largest[variable_of(str(name))]})
        for name, field in dataset.data_vars.items()
        if variable_of(str(name)) in largest and "units" in field.attrs and field.attrs["units"] != "1"
    }
    return dataset.assign(rounded)
