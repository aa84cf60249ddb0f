"""Data that were lost, and read as data: fields that are constant, zero in part, frozen, or those of another time."""

from collections.abc import Iterator

import numpy as np

from weatherml.data.notes import iso
from weatherml.data.quality.evidence import ChannelEvidence, Evidence
from weatherml.data.quality.finding import Finding, Severity
from weatherml.data.quality.rules.kinds import (
    AMOUNTS,
    DAY,
    FLAT_IN_REGIONS,
    RENEWED_DAILY,
    alike,
    is_flat,
    n_finite,
    n_places,
    varying,
)
from weatherml.data.quality.rules.registry import RULES, of_time
from weatherml.errors.wording import counted
from weatherml.variables import find

_LOST = (
    "what is lost reads as the fill value: fetch these files again; of a store that weatherml ingest wrote, weatherml"
    " check STORE --files --repair makes them again"
)
_FEWEST_CELLS = 16
"""Places without which two fields may be equal by chance, and one may be zero; of rain, cells that are not: a shower on
a dry day."""
_ZERO_MORE, _ZERO_TIMES = 0.02, 5.0
"""Share of the cells that is zero beyond what is usual, and how many times as many as at the upper quartile of times.

Coarsely packed wind (0.1 m s-1) is zero in 1 % of the cells, more where it is calm, but so at neighbouring times.
"""
_MOSTLY_ZERO = 0.2
"""Share of the cells that is exactly zero at half of the times only where zero stands for nothing."""
_FROZEN = 0.02
"""Of the usual change, in the spread of its time, in what hardly changes; the least between two days of sea surface
temperature is 0.3."""
_FEW = 0.1
"""Share of the times up to which impossible values are errors of single fields."""
_FEWEST_TIMES = 8
_FEWEST_COARSE_CELLS = 9
"""Of which the change is taken: that of a single one is small now and then by chance."""


@RULES.register("constant")
def constant(evidence: Evidence) -> Iterator[Finding]:
    """A field has one value all over, as of lost wind that reads as zero."""
    for variable, channels in varying(evidence).items():
        if variable in FLAT_IN_REGIONS and not evidence.grid.is_global:
            continue
        masks = [is_flat(channel) for channel in channels]
        for subject, group in alike(channels, [mask.tobytes() for mask in masks]).items():
            series = group[0].series
            flat = is_flat(group[0])
            if flat.any():
                value = series.minimum[flat.argmax()]
                text = f"is {value:.6g} everywhere{at_times(flat, evidence.times)}; {_LOST}"
                yield Finding("error", subject, text, "constant")
    for variable, field in evidence.static.items():
        if evidence.grid.is_global and np.nanmin(field) == np.nanmax(field):
            text = f"is {np.nanmin(field):.6g} all over the globe; read the file it should come from again"
            yield Finding("warning", variable, text, "constant", "likely")


@RULES.register("lost")
def lost(evidence: Evidence) -> Iterator[Finding]:
    """Part of a field is exactly zero as such fields are not, as where a tile is lost."""
    for variable, channels in varying(evidence).items():
        if variable in AMOUNTS:
            continue
        masks = [_has_lost_part(channel) for channel in channels]
        for subject, group in alike(channels, [mask.tobytes() for mask in masks]).items():
            is_lost = _has_lost_part(group[0])
            if is_lost.any():
                share = _zero_share(group[0])
                text = f"is exactly 0 in {share[is_lost].max():.0%} of the cells{at_times(is_lost, evidence.times)}"
                usual = f", usually in {np.median(share[~is_lost]):.1%}" if not is_lost.all() else ""
                yield Finding("error", subject, f"{text}{usual}; {_LOST}", "lost")


@RULES.register("frozen")
@of_time
def frozen(evidence: Evidence) -> Iterator[Finding]:
    """A field does not change from one time to the next, bit for bit or nearly so.

    Sea surface temperature and ice are analysed once a day, and may stay for less; for less than two, one analysis may
    not have been made.
    """
    for variable, channels in varying(evidence).items():
        stays = [_stays(channel, evidence.times, variable) for channel in channels]
        for subject, group in alike(channels, [mask.tobytes() for mask in stays]).items():
            same = _stays(group[0], evidence.times, variable)
            if same.any():
                start = int(same.argmax()) - 1
                end = start + int((~np.append(same[start + 1 :], False)).argmax())
                text = f"does not change from {iso(evidence.times[start])} to {iso(evidence.times[end])}"
                more = f", and at {same.sum()} times in all" if same.sum() > end - start else ""
                is_short = variable in RENEWED_DAILY and (_lasts(same, evidence.times) < 2 * DAY).all()
                severity: Severity = "warning" if is_short else "error"
                yield Finding(severity, subject, f"{text}{more}; read these times again from the source", "frozen")


@RULES.register("repeated")
@of_time
def repeated(evidence: Evidence) -> Iterator[Finding]:
    """Fields are those of another time bit for bit, with others between them, as of a copied day."""
    for variable, channels in varying(evidence).items():
        firsts = [_first_equal(channel, variable) for channel in channels]
        for subject, group in alike(channels, [first.tobytes() for first in firsts]).items():
            first = _first_equal(group[0], variable)
            copies = np.flatnonzero(first >= 0)
            if copies.size:
                of, copy = evidence.times[first[copies[0]]], evidence.times[copies[0]]
                what = counted(copies.size, "field is", "fields are")
                text = f"{what} bit for bit that of another time: at {iso(copy)} is that of {iso(of)}"
                text += f", up to {iso(evidence.times[copies[-1]])}" if copies.size > 1 else ""
                yield Finding("error", subject, f"{text}; read these times again from the source", "repeated")


def at_times(mask: np.ndarray, times: np.ndarray) -> str:
    """Say at which of the times, after a blank; nothing where there is one."""
    if mask.size != times.size:
        return f" in {mask.sum()} of {mask.size} fields" if mask.size > 1 else ""
    if mask.all():
        return f" at all {mask.size} times" if mask.size > 1 else ""
    first, last = iso(times[mask.argmax()]), iso(times[mask.size - 1 - mask[::-1].argmax()])
    if mask.sum() == 1:
        return f" at {first}"
    return f" at {mask.sum()} of {mask.size} times, the first {first}, the last {last}"


def is_spoilt(channel: ChannelEvidence, times: np.ndarray) -> np.ndarray:
    """Return at which times a field is not of its time for a reason that another rule tells `[time]`."""
    variable = channel.channel.variable
    is_copy = _stays(channel, times, variable) | (_first_equal(channel, variable) >= 0)
    spoilt = is_flat(channel) | is_copy | has_stray_value(channel)
    return np.asarray(spoilt if variable in AMOUNTS else spoilt | _has_lost_part(channel))


def is_impossible(channel: ChannelEvidence) -> np.ndarray:
    """Return at which times a field has values that no such quantity has `[time]`."""
    known, series = find(channel.channel.variable), channel.series
    return np.asarray((series.minimum < known.minimum) | (series.maximum > known.maximum))


def has_stray_value(channel: ChannelEvidence) -> np.ndarray:
    """Return at which times a field has impossible values that are no other units, in which more would be `[time]`."""
    impossible = is_impossible(channel)
    return np.asarray(impossible & (np.mean(impossible) < _FEW))


def _zero_share(channel: ChannelEvidence) -> np.ndarray:
    """Return the share of the finite cells that is exactly zero `[time]`."""
    return np.asarray(channel.series.n_zero / np.maximum(n_finite(channel), 1))


def _has_lost_part(channel: ChannelEvidence) -> np.ndarray:
    """Return at which times more cells are zero than such fields have `[time]`."""
    share, flat = _zero_share(channel), is_flat(channel)
    seen = share[~flat]
    if seen.size == 0:
        return np.zeros(share.shape, bool)
    usual, quartile = np.median(seen), np.quantile(seen, 0.75)
    is_told = ~flat & (n_places(channel) >= _FEWEST_CELLS)
    if usual > _MOSTLY_ZERO:
        return np.asarray((share > _MOSTLY_ZERO) & is_told)
    return np.asarray((share > usual + _ZERO_MORE) & (share > _ZERO_TIMES * quartile) & is_told)


def _is_alive(channel: ChannelEvidence, variable: str) -> np.ndarray:
    """Return at which times fields could not be equal by chance `[time]`."""
    n_telling = n_places(channel) - (channel.series.n_zero if variable in AMOUNTS else 0)
    return np.asarray(np.isfinite(channel.series.mean) & ~is_flat(channel) & (n_telling >= _FEWEST_CELLS))


def _stays(channel: ChannelEvidence, times: np.ndarray, variable: str) -> np.ndarray:
    """Return at which times a field is that of the time before, for longer than such fields may stay `[time]`."""
    series, alive = channel.series, _is_alive(channel, variable)
    same = np.zeros(alive.shape, bool)
    same[1:] = (series.fingerprint[1:] == series.fingerprint[:-1]) & alive[1:]
    is_told = channel.cells.mean.size >= _FEWEST_COARSE_CELLS
    if variable not in AMOUNTS and variable not in RENEWED_DAILY and is_told:
        # In its spread as well: of a field in other units both are as much smaller.
        with np.errstate(invalid="ignore", divide="ignore"):
            same |= _hardly(series.change) & _hardly(series.change / series.std) & alive
    if variable in RENEWED_DAILY:
        same &= _lasts(same, times) >= DAY
    return same


def _hardly(change: np.ndarray) -> np.ndarray:
    """Return at which times the change is next to nothing beside the usual one `[time]`."""
    changes = change[np.isfinite(change) & (change > 0)]
    if changes.size < _FEWEST_TIMES:
        return np.zeros(change.shape, bool)
    return np.asarray(change < _FROZEN * np.median(changes))


def _lasts(same: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Return for each time how long the run of equal fields it lies in lasts `[time]`."""
    number = np.cumsum(~same)
    start, end = np.searchsorted(number, number), np.searchsorted(number, number, side="right") - 1
    return np.asarray(times[end] - times[start])


def _first_equal(channel: ChannelEvidence, variable: str) -> np.ndarray:
    """Return the place of the first time with an equal field, and others between them; -1 where there is none."""
    fingerprint, alive = channel.series.fingerprint, _is_alive(channel, variable)
    _, start, number = np.unique(fingerprint, return_index=True, return_inverse=True)
    first = start[number]
    place = np.arange(first.size)
    differs = np.cumsum(np.append(False, fingerprint[1:] != fingerprint[:-1]))
    return np.asarray(np.where(alive & (differs[place] > differs[first]), first, -1))
