"""Fields that stand beside a forecast, such as thresholds and probabilities, as whoever made them wrote them."""

import xarray as xr

from weatherml.data.reading.canonical.orientation import orient
from weatherml.data.reading.units import convert, is_same
from weatherml.references import AXES, SHARES
from weatherml.variables import Variable, look_up

_PLACE = {"latitude", "longitude"}


def canonical_fields(opened: xr.Dataset, name: str, origin: str) -> xr.Dataset:
    """Return fields in SI units, rows north to south, without axes of one value that no reference has.

    Args:
        opened: By the vocabulary's names, dims as `weatherml.references.as_reference` takes them.
        name: Of the reference that they are, such as `threshold`.
        origin: The file, for messages.

    Raises:
        UserError: They have units that do not convert to those of their variable, or lie on no grid.
    """
    fields = opened.squeeze([dim for dim, size in opened.sizes.items() if size == 1 and dim not in AXES], drop=True)
    for own in fields.data_vars:
        variable = look_up(str(own))
        if variable is not None and name not in SHARES and fields[own].dtype.kind in "fiu":
            fields[own] = _in_si(fields[own], variable, origin)
    return orient(fields, origin) if set(fields.dims) & set(fields.coords) >= _PLACE else fields


def _in_si(field: xr.DataArray, variable: Variable, origin: str) -> xr.DataArray:
    if is_same(variable.units, str(field.attrs.get("units", ""))):
        return field
    return convert(field, variable.name, origin).assign_attrs(units=variable.units)
