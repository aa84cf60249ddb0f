"""The files that IBTrACS comes in, as one table of pandas with its columns in small letters and its own units."""

from collections.abc import Mapping, Set
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from weatherml.errors import UserError
from weatherml.storage.files import replacing, write_bytes, write_netcdf

_UNITS = {"season": "Year", "lat": "degrees_north", "lon": "degrees_east", "wind": "kts", "pres": "mb"}
"""By the last part of a column's name."""
_TEXT_ENDS = ("sid", "name", "basin", "nature", "iso_time", "status", "track_type")
_STORM = ("sid", "name", "season", "track_type")
"""In netCDF one value of a whole storm."""
_EMPTY = " "


def read(path: Path, wanted: Set[str]) -> pd.DataFrame:
    """Read columns, of those that there are, by the kind of file that the name ends in.

    Returns:
        A row for each record; texts without blanks around them, numbers NaN where there are none.

    Raises:
        UserError: The kind is unknown, or the file cannot be read.
    """
    readers = {".csv": _read_csv, ".nc": _read_netcdf, ".parquet": _read_parquet}
    _require_kind(path, readers)
    try:
        frame = readers[path.suffix](path, wanted)
    except UserError:
        raise
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        way = "save it as UTF-8" if isinstance(error, UnicodeError) else "get it anew, or pass another file"
        raise UserError(f"{path} cannot be read as best tracks of IBTrACS ({reason}); {way}") from None
    return frame.assign(**{name: _typed(path, name, own) for name, own in frame.items()})


def _typed(path: Path, name: str, column: "pd.Series[str]") -> "pd.Series[str] | pd.Series[float]":
    """Return a column as texts without blanks, or as numbers."""
    if _is_text(name):
        return column.fillna("").astype(str).str.strip()
    if name == "time":  # of parquet files in place of ISO_TIME
        return column
    try:
        return pd.to_numeric(column)
    except (ValueError, TypeError) as error:
        raise UserError(f"{path}: {name.upper()} holds what is no number ({error}); correct the file") from None


def write(frame: pd.DataFrame, path: Path) -> None:
    """Write columns as IBTrACS has them.

    Raises:
        UserError: The kind of file is unknown.
    """
    writers = {".csv": _write_csv, ".nc": _write_netcdf, ".parquet": _write_parquet}
    _require_kind(path, writers)
    writers[path.suffix](frame, path)


def _require_kind(path: Path, kinds: Mapping[str, object]) -> None:
    if path.suffix not in kinds:
        raise UserError(f"{path} ends in none of {', '.join(kinds)}, the files of IBTrACS; name it by what it is")


def _is_text(name: str) -> bool:
    return name.endswith(_TEXT_ENDS)


def _read_csv(path: Path, wanted: Set[str]) -> pd.DataFrame:
    """Read the official layout: a row of names, one of units, and the values; `NA` is a basin, not a missing one."""
    with path.open() as file:
        has_units = "degrees_north" in "".join([file.readline(), file.readline()])
    frame = pd.read_csv(
        path,
        skiprows=[1] if has_units else None,
        usecols=lambda name: name.strip().lower() in wanted,
        keep_default_na=False,
        na_values=["", _EMPTY],
        skipinitialspace=True,
        low_memory=False,
    )
    return frame.rename(columns=lambda name: name.strip().lower())


def _read_netcdf(path: Path, wanted: Set[str]) -> pd.DataFrame:
    """Read the official layout, `[storm, date_time]`, of which most is empty."""
    with xr.open_dataset(path, decode_times=False) as dataset:
        names = [str(name) for name in dataset.variables if name in wanted - {"time"}]
        if "lat" not in names:
            return pd.DataFrame(columns=names)
        present = np.isfinite(dataset["lat"].values)
        columns = {name: _of_records(dataset[name], present) for name in names}
    return pd.DataFrame(columns)


def _of_records(variable: xr.DataArray, present: np.ndarray) -> np.ndarray:
    own = variable.values
    spread = own if own.ndim == 2 else np.broadcast_to(own[:, None], present.shape)
    values = spread[present]
    return np.char.decode(values, "utf-8") if values.dtype.kind == "S" else values


def _read_parquet(path: Path, wanted: Set[str]) -> pd.DataFrame:
    _require_pyarrow()
    frame = pd.read_parquet(path, engine="pyarrow").rename(columns=str.lower)
    return frame[[name for name in frame.columns if name in wanted]]


def _require_pyarrow() -> None:
    if find_spec("pyarrow") is None:
        raise UserError("parquet files need pyarrow, which is not here; pip install pyarrow, or pass a csv file")


def _write_csv(frame: pd.DataFrame, path: Path) -> None:
    units = [_UNITS.get(name.rpartition("_")[2], _EMPTY) for name in frame.columns]
    times = frame["iso_time"].dt.strftime("%Y-%m-%d %H:%M:%S")
    rows = frame.assign(iso_time=times).to_csv(index=False, header=False, na_rep=_EMPTY, lineterminator="\n")
    names = ",".join(map(str.upper, frame.columns))
    write_bytes(path, f"{names}\n{','.join(units)}\n{rows}".encode())


def _write_netcdf(frame: pd.DataFrame, path: Path) -> None:
    storm, _ = pd.factorize(frame["sid"])
    within = frame.groupby(storm).cumcount().to_numpy()
    shape = int(storm.max(initial=-1)) + 1, int(within.max(initial=0)) + 1
    times = frame["iso_time"].dt.strftime("%Y-%m-%d %H:%M:%S")
    variables = {}
    for name, own in frame.assign(iso_time=times).items():
        text = _is_text(str(name))
        values = own.to_numpy(str) if text else own.to_numpy(np.float64)
        laid = np.full(shape, "" if text else np.nan, values.dtype)
        laid[storm, within] = values
        dims = ("storm", "date_time")
        variables[str(name)] = (dims[:1], laid[:, 0]) if name in _STORM else (dims, laid)
    units = {name: {"units": _UNITS[end]} for name in variables if (end := name.rpartition("_")[2]) in _UNITS}
    dataset = xr.Dataset({name: (*own, units.get(name, {})) for name, own in variables.items()})
    encoded = {name: np.char.encode(dataset[name].values, "utf-8") for name in dataset if _is_text(str(name))}
    dataset = dataset.assign({name: (dataset[name].dims, own) for name, own in encoded.items()})
    write_netcdf(path, dataset)


def _write_parquet(frame: pd.DataFrame, path: Path) -> None:
    _require_pyarrow()
    with replacing(path) as unfinished:
        frame.to_parquet(unfinished, engine="pyarrow", index=False)
