"""Values that are not there: a mask (the same cells at all times) told from holes."""

from collections.abc import Iterator
from itertools import groupby

import numpy as np

from weatherml.data.notes import iso
from weatherml.data.quality.evidence import ChannelEvidence, Evidence
from weatherml.data.quality.finding import Finding
from weatherml.data.quality.rules.fields import mean_fields
from weatherml.data.quality.rules.kinds import AMOUNTS, filling, in_file, varying
from weatherml.data.quality.rules.registry import RULES


@RULES.register("missing-variable")
def find_empty_variables(evidence: Evidence) -> Iterator[Finding]:
    """A variable has no finite value at all."""
    for name, levels in groupby(mean_fields(evidence), lambda field: field.channel.variable):
        if all(level.is_empty for level in levels):
            yield Finding("error", name, "has no finite value at all; the file is damaged or the wrong one")


@RULES.register("missing-level")
def find_empty_levels(evidence: Evidence) -> Iterator[Finding]:
    """A level of a variable has no values, and others have."""
    for _, levels in groupby(mean_fields(evidence), lambda field: field.channel.variable):
        fields = list(levels)
        for field in fields if not all(each.is_empty for each in fields) else ():
            if field.is_empty:
                text = "this level has no values; other variables or levels have"
                yield Finding("note", str(field.channel), text)


@RULES.register("missing-times")
def find_empty_times(evidence: Evidence) -> Iterator[Finding]:
    """A channel has no finite value at some times."""
    for channel, own in evidence.channels.items():
        empty = np.isnan(own.series.mean)
        if empty.any() and not empty.all() and len(evidence.times):
            first = iso(evidence.times[empty.argmax()])
            text = f"no finite value at {empty.sum()} of {empty.size} times, the first {first}"
            yield Finding("error", str(channel), f"{text}; leave these times out, or read their files again")


@RULES.register("missing-cells")
def find_holes(evidence: Evidence) -> Iterator[Finding]:
    """Cells have a finite value at some times only."""
    for channel, own in evidence.channels.items():
        if own.sometimes is not None:
            text = f"{own.sometimes.sum()} of {own.sometimes.size} cells are finite at some times only"
            yield Finding("error", str(channel), f"{text}{_when(own, evidence)}; fill or mask them")


def _when(own: ChannelEvidence, evidence: Evidence) -> str:
    """Return the first time at which more cells are missing than at the fewest."""
    missing = np.where(np.isnan(own.series.mean), 0, own.series.n_missing)
    filled = missing[~np.isnan(own.series.mean)]
    if not len(evidence.times) or filled.min() == filled.max():
        return ""
    return f", the first missing at {iso(evidence.times[(missing > filled.min()).argmax()])}"


@RULES.register("filled-mask")
def find_filled_masks(evidence: Evidence) -> Iterator[Finding]:
    """A large part of the globe has one value at all times, as land in a temperature of the sea that was filled."""
    for variable, channels in varying(evidence).items() if evidence.grid.is_global else ():
        for own in channels if variable not in AMOUNTS else ():
            value = filling(own, evidence.coarse)
            if value is not None:
                text = f"is {value:.6g} at all times in a large part of the globe, as where a mask was filled"
                remedy = f"ds[{variable!r}].where(abs(ds[{variable!r}] - {value:.6g}) > 1e-3)"
                yield Finding(
                    "note",
                    str(own.channel),
                    f"{text}; a model would learn it: {remedy} takes it out{in_file(evidence, own.channel)}",
                )


@RULES.register("mask")
def find_masks(evidence: Evidence) -> Iterator[Finding]:
    """Cells never have a value, as land in a temperature of the sea."""
    for channel, own in evidence.channels.items():
        if own.never is not None and not own.never.all():
            yield _mask(str(channel), own.never)
    for name, values in evidence.static.items():
        never = ~np.isfinite(values)
        if never.any() and not never.all():
            yield _mask(name, never)


def _mask(subject: str, never: np.ndarray) -> Finding:
    return Finding("note", subject, f"mask: {never.mean():.1%} of the cells never have a value")
