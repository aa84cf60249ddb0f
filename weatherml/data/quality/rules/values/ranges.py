"""Values that no such quantity has, and units that would explain them."""

from collections.abc import Iterator
from itertools import groupby

import numpy as np

from weatherml.data.quality.evidence import ChannelEvidence, Evidence
from weatherml.data.quality.finding import Finding
from weatherml.data.quality.rules.fields import MeanField, mean_fields
from weatherml.data.quality.rules.registry import RULES, yields_to
from weatherml.data.quality.rules.values.stuck import at_times, is_impossible
from weatherml.data.quality.subjects import called_alike
from weatherml.variables import find
from weatherml.variables.slips import slip

# What is lost, or in other units by a rule that names them, leaves what is plausible, too.
yields_to("range", "lost", "constant", "unit-change", "units")


@RULES.register("range")
def find_impossible_values(evidence: Evidence) -> Iterator[Finding]:
    """Values leave what is plausible of the quantity, as in other units."""
    for name, levels in groupby(_impossible(evidence), lambda pair: pair[0].channel.variable):
        outside = list(levels)
        low, high = min(field.minimum for field, _ in outside), max(field.maximum for field, _ in outside)
        variable = find(name)
        values = f"values {low:.6g} .. {high:.6g} {variable.units}{_at_levels(outside)}{outside[0][1]}"
        text = f"{values} leave the plausible {variable.minimum:g} .. {variable.maximum:g}"
        hint = slip(variable, low, high)
        if not hint:  # only part of the times may be in other units
            hint = next((own for field, _ in outside if (own := slip_of(evidence.channels.get(field.channel)))), "")
        found = [Finding("error", ", ".join(str(field.channel) for field, _ in outside), text + hint)]
        yield from called_alike(found, evidence.channels)


def _impossible(evidence: Evidence) -> Iterator[tuple[MeanField, str]]:
    """Yield the fields that leave what is plausible, and at which times some of them do."""
    for field in mean_fields(evidence):
        variable = find(field.channel.variable)
        if not field.is_empty and not (variable.minimum <= field.minimum and field.maximum <= variable.maximum):
            own = evidence.channels.get(field.channel)
            mask = is_impossible(own) if own is not None else np.ones(0, bool)
            yield field, "" if mask.all() else at_times(mask, evidence.times)


def _at_levels(outside: list[tuple[MeanField, str]]) -> str:
    levels = [field.channel.level for field, _ in outside if field.channel.level is not None]
    return f" at {len(levels)} levels ({min(levels)} to {max(levels)} hPa)" if len(levels) > 1 else ""


def slip_of(channel: ChannelEvidence | None) -> str:
    """Say in which units the times are whose values leave what is plausible; empty where none explain them."""
    if channel is None or not is_impossible(channel).any():
        return ""
    mask, series = is_impossible(channel), channel.series
    return slip(find(channel.channel.variable), float(series.minimum[mask].min()), float(series.maximum[mask].max()))
