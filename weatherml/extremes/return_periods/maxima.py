"""The largest value of each year, of a record that is read as it streams by."""

import logging

import numpy as np
import pandas as pd
import xarray as xr

from weatherml.errors import UserError, require_kind
from weatherml.errors.wording import listed
from weatherml.references import as_slice

_logger = logging.getLogger(__name__)

_READ_BYTES = 2**26
_LEAST_SHARE = 0.9  # of the times of the fullest year: what has fewer may have missed its largest value


def block_maxima(field: xr.DataArray | pd.Series, first_month: int = 1) -> xr.DataArray:
    """Return the largest value of each year, at each place. Minima are those of `-field`, negative.

    A year with less than nine tenths of the times of the fullest one is left out, and said.

    Args:
        field: Dims (time, ...), any units; or a series of pandas by time.
        first_month: Where years begin: 7 where the season of storms or of southern heat lies about New Year; a year is
            named by the calendar year that it begins in.

    Returns:
        Dims (year, ...), float32; NaN where a value of the year is.

    Raises:
        UserError: There is no time, no such month, or a dataset of several variables.
    """
    field = as_field(field)
    if "time" not in field.dims or not field.sizes["time"]:
        raise UserError(f"a record has a dimension 'time', got {dict(field.sizes)}; pass analyses of one variable")
    if not 1 <= first_month <= 12:
        raise UserError(f"first_month is a month from 1 to 12, not {first_month}")
    field = field.transpose("time", ...)
    years = _years(field["time"].values, first_month)
    kept, counts = np.unique(years, return_counts=True)
    whole = counts >= _LEAST_SHARE * counts.max()
    if not whole.all():
        _logger.warning(
            "years with less than nine tenths of the times of the fullest are left out: %s", listed(kept[~whole])
        )
    maxima = np.stack([_maximum(field, np.flatnonzero(years == year)) for year in kept[whole]])
    coords = {str(name): own for name, own in field.coords.items() if "time" not in own.dims and name != "time"}
    return xr.DataArray(
        maxima, coords | {"year": kept[whole]}, ("year", *field.dims[1:]), name=field.name, attrs=field.attrs
    )


def as_field(record: xr.DataArray | pd.Series) -> xr.DataArray:
    """Return a record of one variable as an array, of a series of pandas along `time`.

    Raises:
        UserError: It is a dataset, or something else.
    """
    if isinstance(record, pd.Series):
        index = pd.DatetimeIndex(record.index).rename("time")
        return xr.DataArray(record.to_numpy(), {"time": index}, ("time",), name=record.name)
    if isinstance(record, xr.Dataset):
        names = [str(name) for name in record.data_vars]
        raise UserError(f"a record is of one variable, got a dataset of {listed(names)}; pass record[{names[0]!r}]")
    require_kind(record, xr.DataArray, "a record", "pass one variable, record['2m_temperature']")
    return record


def _years(times: np.ndarray, first_month: int) -> np.ndarray:
    months = times.astype("datetime64[M]").astype(int) - (first_month - 1)
    years: np.ndarray = 1970 + months // 12
    return years


def _maximum(field: xr.DataArray, index: np.ndarray) -> np.ndarray:
    """Return that of some times, of which so many are read at once as take 64 MB."""
    n_read = max(1, _READ_BYTES // (4 * max(1, field[0].size)))
    found = np.full(field.shape[1:], np.float32(-np.inf))
    for start in range(0, len(index), n_read):
        values = np.asarray(field.isel(time=as_slice(index[start : start + n_read])).values, np.float32)
        np.maximum(found, values.max(axis=0), out=found)
    return found
