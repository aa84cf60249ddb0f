"""Files of calibrations: NetCDF, with the period that they were learnt on."""

import json
from pathlib import Path
from typing import Any

import xarray as xr

from weatherml.errors import UserError
from weatherml.extremes.calibration.held_out import HeldOut
from weatherml.storage.files import read_netcdf, write_netcdf

_KIND, _PERIODS = "calibration", "held_out"
_REMEDY = "make one with fit(...).save(path)"


def write(path: str | Path, dataset: xr.Dataset, held_out: HeldOut, what: str) -> None:
    """Write one, whole or not at all.

    Args:
        path: The file.
        dataset: What was learnt.
        held_out: On what.
        what: Kind of calibration, which `read` asks for.
    """
    own = held_out.written()
    periods = json.dumps({"period": own.period, "apart_from": dict(own.apart_from)})
    write_netcdf(Path(path), dataset.assign_attrs({_KIND: what, _PERIODS: periods}))


def read(path: str | Path, what: str) -> tuple[xr.Dataset, HeldOut]:
    """Read what `write` wrote.

    Raises:
        UserError: It is no such file.
    """
    dataset = read_netcdf(path, what, _REMEDY)
    if dataset.attrs.get(_KIND) != what:
        raise UserError(f"{path} holds no {what}; {_REMEDY}")
    periods = json.loads(dataset.attrs.pop(_PERIODS))
    del dataset.attrs[_KIND]
    others = {name: _as_tuples(own) for name, own in periods["apart_from"].items()}
    leads = {"lead_time": dataset["lead_time"].astype("timedelta64[ns]")} if "lead_time" in dataset else {}
    return dataset.assign_coords(leads), HeldOut(tuple(periods["period"]), others)


def _as_tuples(periods: list[Any]) -> tuple[Any, ...]:
    return tuple(_as_tuples(own) if isinstance(own, list) else own for own in periods)
