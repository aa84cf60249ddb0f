"""Probabilities of exceeding a threshold, brought to how often it happened."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import xarray as xr

from weatherml.durations import DurationLike, format_duration, parse_duration
from weatherml.errors import UserError
from weatherml.errors.wording import counted, listed
from weatherml.extremes.calibration.conformal import blocks_of, controlled_level
from weatherml.extremes.calibration.counts import SHARE, Counts
from weatherml.extremes.calibration.held_out import HeldOut
from weatherml.extremes.calibration.isotonic import isotonic, merged, venn_abers
from weatherml.extremes.calibration.kept import read, write
from weatherml.verification.aggregation.sums import StatisticSums
from weatherml.verification.significance.block_length import INDEPENDENT_AFTER

_WHAT = "calibration of probabilities"
_ROUNDING = 1e-6
"""Of shares of members, which fields hold in float32."""


@dataclass(frozen=True, eq=False)
class Calibration:
    """What each share of members above a threshold meant in a period that was held out, by channel and lead.

    Attributes:
        dataset: Dims (channel, lead_time, share): `probability`, the frequency of the event, made to rise (isotonic);
            `lower` and `upper` of Venn-Abers, of which one is calibrated whatever the forecast is: how far apart they
            are says how few blocks speak for it; `venn_abers`, the one between them that loses least. Dims (channel,
            lead_time): `warn_from`, the share of members from which on to warn so that no more than `risk` of the area
            of events is expected to be missed; NaN where the blocks with events are too few to promise it.
        held_out: The period.
    """

    dataset: xr.Dataset
    held_out: HeldOut

    @classmethod
    def fit(
        cls,
        sums: StatisticSums,
        held_out: HeldOut,
        threshold: float | None = None,
        *,
        risk: float = 0.1,
        block: DurationLike = INDEPENDENT_AFTER,
        cases_in_block: float = 1.0,
    ) -> Self:
        """Learn from what `verification.accumulate` has kept for the metric `brier`: nothing else is in memory.

        Args:
            sums: Of one region, where there are several select it: `sums.dataset.sel(region=["europe"])`.
            held_out: The period, and what it must lie apart from.
            threshold: As the metric had it; may be left out where sums are of one, a number or the reference
                `threshold`.
            risk: The share of the area of events that may be expected to be missed by warnings.
            block: Forecasts that start within so long a span make one block; blocks, not forecasts or places, are what
                all promises count.
            cases_in_block: How many cases the fields of a block stand for in `lower` and `upper`. That of one is sound
                however places depend on each other; more, where they are known to, makes the interval narrower.

        Raises:
            UserError: The sums have no such counts or several regions, or no forecast lies in the period.
        """
        counts = Counts.of(sums, threshold)
        inside = held_out.holds(counts.init_times, counts.longest_lead)
        blocks = counts.only(inside).in_blocks(blocks_of(counts.init_times[inside], block))
        n_blocks = int(np.isfinite(blocks).reshape(len(blocks), -1).any(axis=1).sum())
        told = {"risk": risk, "blocks": n_blocks, "block": format_duration(parse_duration(block))}
        return cls(_learnt(blocks, counts, risk, cases_in_block).assign_attrs(told), held_out.written())

    def apply(self, probability: xr.DataArray | xr.Dataset, channel: str | None = None) -> xr.Dataset:
        """Calibrate probabilities, as lazily as they are.

        Args:
            probability: The share of members above the threshold, 0 to 1, with a dimension `lead_time` and any others;
                of any number of members: between shares that were seen it is linear. `exceedance_probability` returns
                such, of one variable at one height as it is, else of a variable and level of it.
            channel: Such as "2m_temperature"; may be left out where one was learnt.

        Returns:
            `probability`, `lower`, `upper` and `venn_abers`; and `warning`, 1 where to warn, 0 elsewhere, NaN at leads
            that promise nothing; NaN where a probability is; all float32.

        Raises:
            UserError: A lead time or the channel was not learnt.
        """
        probability = _one_field(probability, channel)
        own = self._of(probability, channel)
        names = ("probability", "lower", "upper", "venn_abers")
        looked_up = {name: _looked_up(probability, own[name]) for name in names}
        warning = (probability >= own["warn_from"] - _ROUNDING).astype(np.float32)
        return xr.Dataset({**looked_up, "warning": warning.where(own["warn_from"].notnull() & probability.notnull())})

    def verdict(self, sums: StatisticSums, threshold: float | None = None, *, is_partial: bool = False) -> xr.Dataset:
        """Judge raw and calibrated probabilities on forecasts of another period.

        Args:
            sums: As of `fit`.
            threshold: As of `fit`.
            is_partial: Whether leads without a truth are as they should be: those outside the period of an event.

        Returns:
            Dims (channel, lead_time): `missed`, the share of the area of events without a warning, mean over blocks
            that have events, which `risk` bounds in expectation; `warned`, the share of all area; and along
            `issued` ("raw", "isotonic", "venn_abers") `brier` and `reliability`, the mean squared difference between
            the probability and how often the event followed its class. `observed` and `share_of_cases` along `share`.

        Raises:
            UserError: A forecast reaches into the period of the calibration; a lead time or a channel was not learnt;
                or as `fit`.
        """
        counts = Counts.of(sums, threshold, is_partial=is_partial)
        self.held_out.require_apart(counts.init_times, counts.longest_lead)
        self._require(counts.lead_times, counts.channels)
        learnt = self.dataset.sel(channel=counts.channels, lead_time=counts.lead_times)
        blocks = counts.in_blocks(blocks_of(counts.init_times, self.dataset.attrs["block"]))
        return _judged(xr.DataArray(blocks, dims=("block", *counts.dataset.dims[1:])), learnt, counts.shares)

    def save(self, path: str | Path) -> None:
        """Write as NetCDF, whole or not at all."""
        write(path, self.dataset, self.held_out, _WHAT)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `save` wrote.

        Raises:
            UserError: It is no such file.
        """
        return cls(*read(path, _WHAT))

    def _of(self, probability: xr.DataArray, channel: str | None) -> xr.Dataset:
        known = [str(name) for name in self.dataset["channel"].values]
        if channel is None and len(known) > 1:
            raise UserError(f"{counted(len(known), 'channel')} were calibrated, pass one: channel={known[0]!r}")
        self._require(np.atleast_1d(probability["lead_time"].values), known if channel is None else [channel])
        return self.dataset.sel(channel=channel or known[0], lead_time=probability["lead_time"])

    def _require(self, leads: np.ndarray, channels: Sequence[str] | np.ndarray) -> None:
        known = [str(name) for name in self.dataset["channel"].values]
        for channel in [str(name) for name in channels if str(name) not in known]:
            raise UserError(f"channel {channel!r} was not calibrated, only {', '.join(known)}; pass one of them")
        for lead in leads[~np.isin(leads, self.dataset["lead_time"].values)]:
            raise UserError(
                f"lead_time {format_duration(lead)} was not calibrated; pass leads that were, or calibrate with it"
            )


def _one_field(probability: xr.DataArray | xr.Dataset, channel: str | None) -> xr.DataArray:
    """Return the one variable of a dataset, or that of a channel where they have the same name."""
    if isinstance(probability, xr.DataArray):
        return probability
    names = [str(name) for name in probability.data_vars]
    if len(names) == 1 or channel in names:
        return probability[names[0] if len(names) == 1 else channel]
    raise UserError(f"probabilities of {listed(names)} are calibrated one by one; pass one, share[{names[0]!r}]")


def _learnt(blocks: np.ndarray, counts: Counts, risk: float, cases_in_block: float) -> xr.Dataset:
    """Return what is kept of `[block, channel, lead, event, class]`."""
    total = cases_in_block * np.nansum(blocks, axis=0)
    shape = total.shape[:2]
    fitted = np.array([_curves(own) for own in total.reshape(-1, *total.shape[2:])])
    curves = np.moveaxis(fitted.reshape(*shape, *fitted.shape[1:]), 2, 0)
    levels = [[_warn_from(blocks[:, i, j, 1], risk) for j in range(shape[1])] for i in range(shape[0])]
    dims = ("channel", "lead_time")
    named: dict[str, tuple[Sequence[str], np.ndarray]] = {
        name: ((*dims, SHARE), curve)
        for name, curve in zip(("probability", "lower", "upper", "venn_abers"), curves, strict=True)
    }
    coords = {"channel": counts.channels, "lead_time": counts.lead_times, SHARE: counts.shares}
    return xr.Dataset(named | {"warn_from": (dims, np.array(levels))}, coords)


def _curves(counts: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return isotonic, lower, upper and merged probability, each `[class]`, of `[event, class]`."""
    cases, events = counts.sum(axis=0), counts[1]
    if not cases.any():
        return (np.full(len(cases), np.nan),) * 4
    lower, upper = venn_abers(cases, events)
    return isotonic(cases, events), lower, upper, merged(lower, upper)


def _warn_from(events: np.ndarray, risk: float) -> float:
    """Return the share of members from which on to warn, of the area of events `[block, class]`."""
    total = events.sum(axis=1)
    some = events[total > 0]
    below = np.cumsum(some, axis=1) - some
    level = controlled_level(below / total[total > 0, None], risk) if len(some) else -1
    return level / (events.shape[1] - 1) if level >= 0 else float("nan")


def _looked_up(probability: xr.DataArray, curve: xr.DataArray) -> xr.DataArray:
    """Return a curve at each probability, linear between its shares."""

    def look_up(asked: np.ndarray, values: np.ndarray) -> np.ndarray:
        outside = asked[(asked > 1 + _ROUNDING) | (asked < -_ROUNDING)]
        if outside.size:
            remedy = "divide per cent by 100" if outside.max() > 1 else "pass shares of members"
            raise UserError(f"a probability lies between 0 and 1, got {outside.flat[0]:g}; {remedy}")
        values = values.reshape(*[1] * (asked.ndim + 1 - values.ndim), *values.shape)
        place = np.clip(asked, 0, 1) * (values.shape[-1] - 1)
        # Shares of few members lie on classes but for rounding, which must not take a part of the next one.
        place = np.where(abs(place - np.rint(place)) < 1e-4, np.rint(place), place)
        below = np.minimum(np.nan_to_num(place).astype(int), values.shape[-1] - 2)[..., None]
        low, high = (np.take_along_axis(values, own, -1)[..., 0] for own in (below, below + 1))
        return np.asarray(low + (place - below[..., 0]) * (high - low), np.float32)

    found: xr.DataArray = xr.apply_ufunc(
        look_up,
        probability,
        curve.drop_vars(SHARE),
        input_core_dims=[[], [SHARE]],
        dask="parallelized",
        output_dtypes=[np.float32],
    )
    return found


def _judged(counts: xr.DataArray, learnt: xr.Dataset, shares: np.ndarray) -> xr.Dataset:
    """Return the scores of `Calibration.verdict` from counts `[block, channel, lead, event, share]`."""
    counts = counts.assign_coords({SHARE: shares, **learnt[["channel", "lead_time"]].coords})
    cases, events = counts.mean("block").sum("event"), counts.isel(event=1)
    happened = (events.mean("block") / cases).where(cases > 0)
    issued = _issued(learnt, shares)
    errors = happened * (1 - issued) ** 2 + (1 - happened) * issued**2
    scores = {"brier": (cases * errors).sum(SHARE), "reliability": (cases * (issued - happened) ** 2).sum(SHARE)}
    warned = counts[SHARE] >= learnt["warn_from"] - _ROUNDING
    missed = (events.where(~warned, 0).sum(SHARE) / events.sum(SHARE)).mean("block")
    known = learnt["warn_from"].notnull()
    warnings = {"missed": missed.where(known), "warned": cases.where(warned, 0).sum(SHARE).where(known)}
    return xr.Dataset(scores | warnings | {"observed": happened, "share_of_cases": cases})


def _issued(learnt: xr.Dataset, shares: np.ndarray) -> xr.DataArray:
    """Return raw and calibrated probabilities of each share, dims (issued, channel, lead_time, share)."""
    own = learnt.interp({SHARE: shares})
    raw = xr.zeros_like(own["probability"]) + own[SHARE]
    kinds = {"raw": raw, "isotonic": own["probability"], "venn_abers": own["venn_abers"]}
    return xr.concat([kind.rename("issued") for kind in kinds.values()], "issued").assign_coords(issued=list(kinds))
