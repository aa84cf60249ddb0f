"""Final and preliminary data in one file: ERA5 and ERA5T, told apart by `expver`."""

import numpy as np
import xarray as xr

from weatherml.data.notes import ERA5T, PRELIMINARY, is_preliminary, noted, spans_of

VERSIONS = ("expver", "experimentVersionNumber")
"""What files call the dimension or coordinate that tells final data from preliminary ones."""


def merge_versions(dataset: xr.Dataset) -> xr.Dataset:
    """Fold the `expver` dimension of old CDS files (1 final, 5 preliminary) and note which times are preliminary."""
    name = next((v for v in VERSIONS if v in dataset.variables), None)
    if name is None:
        return dataset
    if name in dataset.dims:
        return _fold_versions(dataset, name)
    preliminary = np.atleast_1d(_are_preliminary(dataset[name].values))
    return _note_preliminary(dataset.drop_vars(name), preliminary)


def _fold_versions(dataset: xr.Dataset, name: str) -> xr.Dataset:
    mask = _are_preliminary(dataset[name].values)
    order = np.argsort(mask, kind="stable")
    layers = [dataset.isel({name: i}).drop_vars(name) for i in order]
    fields = [v for v in dataset.data_vars if name in dataset[v].dims]
    folded = layers[0]
    for layer in layers[1:]:
        folded = folded.assign({v: folded[v].fillna(layer[v]) for v in fields})
    corner = layers[0][fields[0]]
    corner = corner.isel({d: 0 for d in corner.dims if d != "time"})
    folded = noted(folded, f"dimension {name!r} folded: final values where there are any, else preliminary ones")
    return _note_preliminary(folded, np.isnan(np.atleast_1d(corner.values)))


def _are_preliminary(versions: np.ndarray) -> np.ndarray:
    return np.reshape([is_preliminary(version) for version in versions.flat], versions.shape)


def _note_preliminary(dataset: xr.Dataset, mask: np.ndarray) -> xr.Dataset:
    if not mask.any():
        return dataset
    if "time" not in dataset.coords or mask.size != dataset["time"].size:
        return noted(dataset, ERA5T, PRELIMINARY)
    times = np.atleast_1d(dataset["time"].values)
    for span in spans_of(times, mask):
        dataset = noted(dataset, span, PRELIMINARY)
    return dataset
