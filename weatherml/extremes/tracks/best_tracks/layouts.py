"""The files that IBTrACS comes in, as one table of pandas with its columns in small letters and its own units."""

from collections.abc import Hashable, Mapping, Set
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from weatherml.errors import UserError
from weatherml.extremes.tracks.best_tracks.units import PRESSURE, WIND, scale_of
from weatherml.storage.files import replacing, write_bytes, write_netcdf

_UNITS = {"season": "Year", "lat": "degrees_north", "lon": "degrees_east", "wind": "kts", "pres": "mb"}
"""By the last part of a column's name."""
_INTENSITIES = {"wind": WIND, "pres": PRESSURE}
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
    stated = frame.attrs.get("units", {})
    typed = frame.assign(**{name: _typed(path, name, own) for name, own in frame.items()})
    return typed.assign(**{name: typed[name] * _own_scale(path, name, units) for name, units in stated.items()})


def _own_scale(path: Path, name: str, stated: str) -> float:
    """Return by what to multiply a wind or pressure to have it in the units of IBTrACS."""
    meant = _INTENSITIES[name.rpartition("_")[2]]
    try:
        return 1.0 if scale_of(meant, stated) == scale_of(meant, "") else scale_of(meant, stated) / scale_of(meant, "")
    except UserError as error:
        raise UserError(f"{path}: {name.upper()}: {error}") from None


def _typed(path: Path, name: str, column: "pd.Series[str]") -> "pd.Series[str] | pd.Series[float]":
    """Return a column as texts without blanks, or as numbers."""
    if _is_text(name):
        return column.astype(object).fillna("").astype(str).str.strip()
    if name == "time":  # of parquet files in place of ISO_TIME
        return column
    try:
        is_nan = column.astype(str).str.strip().str.lower() == "nan"
        return pd.to_numeric(column.mask(is_nan) if is_nan.any() else column)
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
    with path.open(encoding="utf-8-sig") as file:
        names, units = file.readline(), file.readline()
    _require_closed_quotes(path)
    has_units = "degrees_north" in names + units
    frame = pd.read_csv(
        path,
        skiprows=[1] if has_units else None,
        usecols=lambda name: name.strip().lower() in wanted,
        keep_default_na=False,
        na_values=["", _EMPTY],
        skipinitialspace=True,
        low_memory=False,
    )
    frame = frame.rename(columns=lambda name: name.strip().lower())
    if has_units:
        own = zip(names.split(","), units.split(","), strict=False)
        frame.attrs["units"] = _intensities({name.strip().lower(): unit.strip() for name, unit in own}, frame)
    return frame


def _require_closed_quotes(path: Path) -> None:
    """Require that no line leaves a quote open, which would swallow the records up to the next one."""
    with path.open("rb") as file:
        for place, line in enumerate(file, 1):
            if line.count(b'"') % 2:
                raise UserError(f"{path} line {place} has a quote that is not closed in it; close it, or take it out")


def _intensities(units: Mapping[str, str], frame: pd.DataFrame) -> dict[str, str]:
    return {name: own for name, own in units.items() if name in frame and name.rpartition("_")[2] in _INTENSITIES}


def _read_netcdf(path: Path, wanted: Set[str]) -> pd.DataFrame:
    """Read the official layout, `[storm, date_time]`, of which most is empty."""
    with xr.open_dataset(path, decode_times=False) as dataset:
        names = [str(name) for name in dataset.variables if name in wanted - {"time"}]
        if "lat" not in names:
            return pd.DataFrame(columns=names)
        dims = _storms_by_times(path, dataset)
        present = np.isfinite(dataset["lat"].transpose(*dims).values)
        columns = {name: _of_records(path, dataset[name], dims, present) for name in names}
        frame = pd.DataFrame(columns)
        frame.attrs["units"] = _intensities({n: str(dataset[n].attrs.get("units", "")).strip() for n in names}, frame)
    return frame


def _storms_by_times(path: Path, dataset: xr.Dataset) -> tuple[Hashable, Hashable]:
    latitude = dataset["lat"]
    if latitude.ndim != 2 or latitude.dtype.kind not in "fiu":
        raise UserError(
            f"{path}: LAT is {latitude.dtype} along {latitude.dims}, not numbers [storm, date_time] as in IBTrACS;"
            " keep both dims, such as by isel(storm=[0])"
        )
    first, second = latitude.dims
    is_flipped = "sid" in dataset and dataset["sid"].dims == (second,)
    return (second, first) if is_flipped else (first, second)


def _of_records(path: Path, variable: xr.DataArray, dims: tuple[Hashable, Hashable], present: np.ndarray) -> np.ndarray:
    if variable.dims not in (dims, dims[::-1], dims[:1]):
        raise UserError(f"{path}: {variable.name} lies along {variable.dims}, not {dims} as its places; correct it")
    own = variable.values[:, None] if variable.ndim == 1 else variable.compute().transpose(*dims).values
    values = np.broadcast_to(own, present.shape)[present]
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
    for name in filter(_is_text, frame.columns.drop("iso_time")):
        if (broken := frame[name].astype(str).str.contains(r"[\r\n]")).any():
            raise UserError(f"{name} {frame[name][broken].iloc[0]!r} has a line break, which a csv cannot; rename it")
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
