"""A digest of all that a file of sums holds, in the file: what is damaged, or of another time, is never added up."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from weatherml.errors import UserError
from weatherml.verification.aggregation.sums import StatisticSums

_SEAL = "content_digest"


def name_of(init_time: np.datetime64) -> str:
    """Return what the file of an initial time is called."""
    return f"{np.datetime_as_string(init_time, 's').replace(':', '')}.nc"


def sealed(dataset: xr.Dataset) -> xr.Dataset:
    """Return sums with the digest of what they are."""
    return dataset.assign_attrs({_SEAL: _digest(dataset)})


def read_sealed(path: Path) -> StatisticSums:
    """Read the sums of one initial time, which are as they were written, and of the time that the file is called by.

    Raises:
        UserError: They are not.
    """
    try:
        dataset = StatisticSums.load(path).dataset
        seal = dataset.attrs.pop(_SEAL, None)
        is_own = seal == _digest(dataset) and [*map(name_of, dataset["init_time"].values)] == [path.name]
    except Exception:  # of a few flipped bits libraries make errors of every kind
        is_own = False
    if not is_own:
        raise UserError(f"{path} is damaged, or of another time than its name; delete it and run again")
    return StatisticSums(dataset)


def _digest(dataset: xr.Dataset) -> str:
    content = hashlib.sha256()
    for part in _parts(dataset):
        content.update(part)
    return content.hexdigest()[:32]


def _parts(dataset: xr.Dataset) -> Iterator[bytes]:
    """Yield all that a file keeps, as it is both before it is written and after it is read."""
    yield _told(dataset.attrs)
    for name, variable in sorted(dataset.variables.items(), key=lambda own: str(own[0])):
        yield repr((name, variable.dims, variable.shape)).encode()
        yield _plain(variable.values)
    for name in sorted(map(str, dataset.data_vars)):
        yield _told(dataset[name].attrs)


def _told(attributes: dict[Any, Any]) -> bytes:
    return repr(
        [(name, np.atleast_1d(attributes[name]).tolist()) for name in sorted(attributes) if name != _SEAL]
    ).encode()


def _plain(values: np.ndarray) -> bytes:
    if values.dtype.kind in "mM":
        return values.astype(f"{values.dtype.kind}8[ns]").tobytes()
    if values.dtype.kind in "fiub":
        numbers = values.astype(np.float64)
        return np.where(np.isnan(numbers), np.nan, numbers).tobytes()  # one of the many that are none
    return "\0".join(map(str, values.ravel())).encode()
