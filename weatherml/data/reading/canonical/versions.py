"""Final and preliminary data in one file: ERA5 and ERA5T, told apart by `expver`."""

import numpy as np
import xarray as xr

from weatherml.data.reading.canonical.notes import ERA5T, PRELIMINARY, noted, write_span

_VERSIONS = ("expver", "experimentVersionNumber")
_PRELIMINARY = 5


def merge_versions(dataset: xr.Dataset) -> xr.Dataset:
    """Fold the `expver` dimension of old CDS files (1 final, 5 preliminary) and note which times are preliminary."""
    name = next((v for v in _VERSIONS if v in dataset.variables), None)
    if name is None:
        return dataset
    if name in dataset.dims:
        return _fold_versions(dataset, name)
    preliminary = np.atleast_1d(_is_preliminary(dataset[name].values))
    return _note_preliminary(dataset.drop_vars(name), preliminary)


def _fold_versions(dataset: xr.Dataset, name: str) -> xr.Dataset:
    is_preliminary = _is_preliminary(dataset[name].values)
    order = np.argsort(is_preliminary, kind="stable")
    layers = [dataset.isel({name: i}).drop_vars(name) for i in order]
    fields = [v for v in dataset.data_vars if name in dataset[v].dims]
    folded = layers[0]
    for layer in layers[1:]:
        folded = folded.assign({v: folded[v].fillna(layer[v]) for v in fields})
    corner = layers[0][fields[0]]
    corner = corner.isel({d: 0 for d in corner.dims if d != "time"})
    folded = noted(folded, f"dimension {name!r} folded: final values where there are any, else preliminary ones")
    return _note_preliminary(folded, np.isnan(np.atleast_1d(corner.values)))


def _is_preliminary(versions: np.ndarray) -> np.ndarray:
    return np.reshape([_number(version) == _PRELIMINARY for version in versions.flat], versions.shape)


def _number(version: object) -> float:
    """Return 5.0 for 5, 5.0, '5', '0005' and bytes of them; NaN for what is no number."""
    try:
        return float(version.decode() if isinstance(version, bytes) else str(version))
    except ValueError:
        return np.nan


def _note_preliminary(dataset: xr.Dataset, mask: np.ndarray) -> xr.Dataset:
    if not mask.any():
        return dataset
    if "time" not in dataset.coords or mask.size != dataset["time"].size:
        return noted(dataset, ERA5T, PRELIMINARY)
    times = np.atleast_1d(dataset["time"].values)
    for run in np.split(np.flatnonzero(mask), np.flatnonzero(np.diff(np.flatnonzero(mask)) > 1) + 1):
        dataset = noted(dataset, write_span(times[run[0]], times[run[-1]]), PRELIMINARY)
    return dataset
