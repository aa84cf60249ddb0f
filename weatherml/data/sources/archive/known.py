"""Archives that have a name: where they lie, who may read them, and what they do not say of themselves."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from weatherml.storage.cloud import Access

_WEATHERBENCH = "gs://weatherbench2/datasets/era5/1959-2023_01_10"
_ECMWF = "https://arco.datastores.ecmwf.int/cadl-arco-time-{}/arco/reanalysis_era5_{}/timeChunked.zarr"
# Its derived variables have no units: this one is a ratio, not the per cent of ERA5.
_DERIVED = MappingProxyType({"relative_humidity": "1"})

_ANYONE = Access("anonymous")


@dataclass(frozen=True)
class KnownArchive:
    """An archive that has a name.

    Attributes:
        urls: Its stores.
        access: How they are read unless told otherwise.
        units: Of variables that have none in the store, by the store's name of them.
    """

    urls: tuple[str, ...]
    access: Access = _ANYONE
    units: Mapping[str, str] = field(default_factory=dict)


ARCHIVES: Mapping[str, KnownArchive] = {
    "arco": KnownArchive(("gs://gcp-public-data-arco-era5/ar/full_37-1h-0p25deg-chunk-1.zarr-v3",)),
    "weatherbench2": KnownArchive((f"{_WEATHERBENCH}-wb13-6h-1440x721_with_derived_variables.zarr",), units=_DERIVED),
    "weatherbench2/240x121": KnownArchive(
        (f"{_WEATHERBENCH}-6h-240x121_equiangular_with_poles_conservative.zarr",), units=_DERIVED
    ),
    "weatherbench2/64x32": KnownArchive((f"{_WEATHERBENCH}-6h-64x32_equiangular_conservative.zarr",), units=_DERIVED),
    "ecmwf": KnownArchive(
        (_ECMWF.format("002", "single_levels/sfc"), _ECMWF.format("048", "pressure_levels/pl")),
        Access(header="Authorization: Bearer ${CDSAPI_KEY}"),
    ),
}
"""By the name that stands for their addresses."""

NAMES_BY_URL = {url: name for name, archive in ARCHIVES.items() for url in archive.urls}
"""The name of the archive that a store belongs to."""
