"""Scores as a tidy table: one number a row."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from weatherml.errors import UserError
from weatherml.errors.wording import listed
from weatherml.state import Channel
from weatherml.verification.metrics.scoring import BOUNDS
from weatherml.verification.metrics.units import UNITS, units_of

LEAD = "lead_hours"
_FIRST = ("system", "metric", "channel", "region")
_LAST = (LEAD, "bound", "value", UNITS)
_NEEDED = ("system", "metric", "channel", LEAD, "value")
_ROW = f"give rows of {', '.join(_NEEDED)}, such as IFS,rmse,2m_temperature,24,1.5"
_ESTIMATE = BOUNDS[0]
_HOUR = np.timedelta64(1, "h")


def tidy(scores: xr.Dataset) -> pd.DataFrame:
    """Return scores as rows; what is not defined (NaN) has none.

    Args:
        scores: As `evaluate` or `evaluate_systems` returns, SI units.

    Returns:
        Columns system, metric, channel, region, those of groups of times and of the metrics' own axes where there are
        any, lead_hours, bound, value, units (SI; `1` of a pure number, empty where they are not known).
    """
    frames = [_rows(field, str(name)) for name, field in scores.data_vars.items() if "bound" in field.dims]
    table = pd.concat(frames, ignore_index=True)
    others = [name for name in table.columns if name not in (*_FIRST, *_LAST)]
    return table[[*_FIRST, *others, *_LAST]]


def tidy_csv(scores: xr.Dataset) -> bytes:
    """Return what `tidy` returns, as CSV."""
    text: str = tidy(scores).to_csv(index=False)
    return text.encode()


def read_tidy(path: str | Path) -> xr.Dataset:
    """Read scores of others from a CSV file with the columns of `tidy`; of them bound and region may be left out.

    Returns:
        One variable a metric, dims (system, channel, lead_time): estimates over the globe.

    Raises:
        UserError: It is no such file.
    """
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is no CSV file of scores: {error}") from None
    missing = [name for name in _NEEDED if name not in table.columns]
    if missing:
        raise UserError(
            f"{path} has no column {listed(missing)}, only {listed(table.columns)}; name columns {listed(_NEEDED)}"
        )
    table = table[_is(table, "bound", _ESTIMATE) & _is(table, "region", "global")]
    return from_rows(str(path), table)


def from_rows(place: str, table: pd.DataFrame) -> xr.Dataset:
    """Return rows as scores, dims (system, channel, lead_time); channels by any of their names.

    Raises:
        UserError: A channel is unknown, a number is none, or one is there twice.
    """
    if table.empty:
        raise UserError(f"{place} holds no scores of the globe, only names of columns", _ROW)
    try:
        named = table.assign(channel=[str(Channel.parse(str(name))) for name in table["channel"]])
    except UserError as error:
        raise error.within(f"{place}: ") from None
    numbers = named.assign(**{name: _numbers(place, table[name]) for name in ("value", LEAD)})
    if numbers["value"].isna().all():
        raise UserError(f"{place} holds no scores: all values are NaN or empty", _ROW)
    keys = ["metric", "system", "channel", LEAD]
    twice = numbers[numbers.duplicated(keys)]
    if len(twice):
        raise UserError(f"{place} has two values of {' '.join(map(str, twice[keys].iloc[0]))}; keep one")
    fields = {str(metric): _field(own) for metric, own in numbers.groupby("metric", sort=False)}
    return xr.merge([field.rename(name) for name, field in fields.items()], join="outer", compat="override")


def _numbers(place: str, column: "pd.Series[Any]") -> "pd.Series[float]":
    """Return a column as numbers.

    Raises:
        UserError: One is none, or infinite; or a lead time is missing.
    """
    numbers = pd.to_numeric(column, errors="coerce").astype(float)
    wrong = column[(numbers.isna() & (column.notna() | (column.name == LEAD))) | np.isinf(numbers)]
    if len(wrong):
        raise UserError(f"{place}: {column.name} {str(wrong.iloc[0])!r} is no finite number", _ROW)
    return numbers


def _field(rows: pd.DataFrame) -> xr.DataArray:
    field: xr.DataArray = rows.set_index(["system", "channel", LEAD])["value"].to_xarray().rename({LEAD: "lead_time"})
    seconds = np.round(field["lead_time"].values * 3600).astype("timedelta64[s]")
    placed: xr.DataArray = field.assign_coords(lead_time=seconds.astype("timedelta64[ns]"))
    return placed


def _rows(field: xr.DataArray, metric: str) -> pd.DataFrame:
    alone = {"system": "forecast", "region": "global"}
    known = field.drop_vars([name for name in field.coords if name not in field.dims])
    rows = known.to_dataframe("value").reset_index().dropna(subset="value")
    rows = rows.assign(**{name: own for name, own in alone.items() if name not in rows.columns}, metric=metric)
    units = {channel: units_of(metric, str(channel)) for channel in rows["channel"].unique()}
    told = {LEAD: rows["lead_time"] / _HOUR, UNITS: rows["channel"].map(units)}
    return rows.assign(**told).drop(columns="lead_time")


def _is(table: pd.DataFrame, column: str, value: str) -> "pd.Series[bool] | bool":
    return table[column] == value if column in table.columns else pd.Series(True, index=table.index)
