"""From whatever a file calls and orders to the one vocabulary: the only place that renames and reorders."""

from collections.abc import Collection, Mapping

import xarray as xr

from weatherml.data.notes import LAYOUT, PRELIMINARY
from weatherml.data.reading.canonical.coordinates import name_coordinates, rename_coordinates, without_bounds
from weatherml.data.reading.canonical.levels import place_levels
from weatherml.data.reading.canonical.names import name_variables, require_known
from weatherml.data.reading.canonical.notes import SOURCE_NAME
from weatherml.data.reading.canonical.orientation import orient
from weatherml.data.reading.canonical.times import place_times
from weatherml.data.reading.canonical.versions import merge_versions
from weatherml.data.reading.formats.grib import INCOMPLETE
from weatherml.data.reading.leads import CENTRE
from weatherml.data.reading.units import convert, no_numbers
from weatherml.data.reading.windows import WINDOWS
from weatherml.errors import UserError
from weatherml.state import LEADING, with_metadata

KEPT = (LAYOUT, PRELIMINARY, CENTRE)
"""Which attributes of a file are looked at."""
_KEPT_OF_FIELDS = (SOURCE_NAME, WINDOWS, "cell_methods", "derivation", "derived_from", "regridding")


def canonicalise(
    raw: xr.Dataset, origin: str, rename: Mapping[str, str] | None = None, wanted: Collection[str] | None = None
) -> xr.Dataset:
    """Return the dataset in weatherml's vocabulary, order and units; lazy where `raw` is.

    Dimensions become `(time, number, level, latitude, longitude)`, each where the field has it. Variables that
    weatherml does not know, or that lie where it does not read, are passed over; `notes` tells that and whatever else
    was changed. `cell_methods` are kept but never choose a name: a daily maximum that its file calls `t2m` is
    `2m_temperature` unless `rename` says otherwise.

    Args:
        raw: One file as xarray decodes it.
        origin: Its name, for messages.
        rename: Canonical (or alias) name by the file's own, for names that weatherml would not know or would misread;
            also `time`, `level`, `latitude`, `longitude` or `number` by that of a coordinate or a dimension.
        wanted: Canonical names to keep, so that nothing is asked of the others; all when None.

    Raises:
        PassedOverError: The file holds no known variable, or none that is wanted.
        UserError: It has no one-dimensional latitude and longitude, or is a forecast.
    """
    dataset = raw.drop_encoding()
    # What was put right before weatherml wrote the file itself stays known.
    dataset.attrs = {key: raw.attrs[key] for key in KEPT if key in raw.attrs}
    dataset = rename_coordinates(dataset, origin, rename or {})
    require_known(dataset, origin, rename or {}, wanted)
    if INCOMPLETE in raw.attrs:
        raise UserError(raw.attrs[INCOMPLETE])
    dataset = without_bounds(name_coordinates(dataset, origin))
    dataset.attrs.pop(CENTRE, None)
    dataset = name_variables(merge_versions(dataset), origin, rename or {}, wanted)
    dataset = place_times(place_levels(dataset, origin), origin)
    return _finish(orient(dataset, origin), origin)


def _finish(dataset: xr.Dataset, origin: str) -> xr.Dataset:
    """Convert units, order dimensions and write the attributes."""
    finished = dataset.assign({name: _finish_field(field, origin) for name, field in dataset.data_vars.items()})
    for coordinate in finished.coords.values():
        coordinate.attrs = {}
    return with_metadata(finished)


def _finish_field(field: xr.DataArray, origin: str) -> xr.DataArray:
    dims = (*LEADING, "level", "latitude", "longitude")
    called = str(field.attrs.get(SOURCE_NAME, field.name))
    if kind := no_numbers(field, called):
        raise UserError(f"{called} in {origin} holds {kind}")
    converted = convert(field, str(field.name), origin).transpose(*(d for d in dims if d in field.dims))
    converted.attrs = {key: field.attrs[key] for key in _KEPT_OF_FIELDS if key in field.attrs}
    return converted
