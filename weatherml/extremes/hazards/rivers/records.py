"""Tables of rivers and of their landfalls, one row each."""

from collections.abc import Mapping

import pandas as pd
import xarray as xr

RECORD = "record"


def as_records(table: pd.DataFrame, units: Mapping[str, str]) -> xr.Dataset:
    """Return the columns of a table, dim `record`, with the units of those that have some."""
    typed = table.astype({"time": "datetime64[ns]"})
    columns = {
        str(name): (RECORD, typed[name].to_numpy(), {"units": units[name]} if name in units else {})
        for name in typed.columns
    }
    return xr.Dataset(columns)
