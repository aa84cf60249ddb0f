"""Values that no such quantity has, and units that would explain them."""

from collections.abc import Iterator

from weatherml.data.quality.evidence import Evidence
from weatherml.data.quality.finding import Finding
from weatherml.data.quality.rules.fields import MeanField, mean_fields
from weatherml.data.quality.rules.registry import RULES
from weatherml.variables import find

_SLIPS = {
    "K": ((1.0, 273.15, "degrees Celsius"),),
    "Pa": ((100.0, 0.0, "hPa"),),
    "kg kg-1": ((1e-3, 0.0, "g/kg"),),
    "m": ((1e-3, 0.0, "mm"),),
    "1": ((1e-2, 0.0, "%"),),
}
"""units: factor, offset and name of what fields are wrongly given in."""


@RULES.register("range")
def find_impossible_values(evidence: Evidence) -> Iterator[Finding]:
    """Values leave what is plausible of the quantity, as in other units."""
    for field in mean_fields(evidence):
        variable = find(field.channel.variable)
        if field.is_empty or (variable.minimum <= field.minimum and field.maximum <= variable.maximum):
            continue
        found = f"values {field.minimum:.6g} .. {field.maximum:.6g} {variable.units}"
        text = f"{found} leave the plausible {variable.minimum:g} .. {variable.maximum:g}{_hint(field)}"
        yield Finding("error", str(field.channel), text)


def _hint(field: MeanField) -> str:
    variable, hint = find(field.channel.variable), ""
    for factor, offset, name in _SLIPS.get(variable.units, ()):
        low, high = factor * field.minimum + offset, factor * field.maximum + offset
        hint = f"; it looks like {name}" if variable.minimum <= low and high <= variable.maximum else hint
    return hint
