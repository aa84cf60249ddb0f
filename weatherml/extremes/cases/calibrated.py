"""What the probabilities of a system mean, learnt from its forecasts of another period and held against the event."""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from weatherml.extremes.calibration.counts import SHARE, Counts
from weatherml.extremes.calibration.held_out import HeldOut
from weatherml.extremes.calibration.probabilities import Calibration
from weatherml.times import Period
from weatherml.verification.aggregation.sums import StatisticSums

_THRESHOLD = 0.5  # between 0 and 1, which events are


@dataclass(frozen=True, eq=False)
class Calibrated:
    """Probabilities of the event at each cell and time, as forecast and as they were learnt to mean.

    Attributes:
        learnt: In the other period.
        by_lead: Dims (lead_time), means over the region and the period: `raw` and `calibrated` probability, `lower` and
            `upper` of Venn-Abers, and `observed`, how often it happened; `covered`, the share of cases whose frequency
            at their share of members lies between the bounds; `brier_raw`, `brier_calibrated`; `missed`, the share of
            the area of events without a warning, of which `risk` was to be missed.
        by_time: Dims (init_time, lead_time): `raw`, `calibrated`, `lower`, `upper` and `observed` of each forecast.
    """

    learnt: Calibration
    by_lead: xr.Dataset
    by_time: xr.Dataset

    @property
    def n_blocks(self) -> int:
        """From how many blocks of forecasts it was learnt."""
        return int(self.learnt.dataset.attrs["blocks"])

    @property
    def risk(self) -> float:
        """The share of the area of events that warnings were allowed to miss."""
        return float(self.learnt.dataset.attrs["risk"])


def held_out(period: Period, event: Period) -> HeldOut:
    """Return the period of a calibration, apart from that of the event.

    Raises:
        UserError: They share a time.
    """
    return HeldOut(period, {"the event": event})


def calibrate(of_then: StatisticSums, of_event: StatisticSums, apart: HeldOut, risk: float) -> Calibrated:
    """Learn from the forecasts of one period, and apply it to those of the event.

    Args:
        of_then: Sums of the events in the period that is held out.
        of_event: Those of the case.
        apart: The period.
        risk: The share of the area of events that warnings may miss.

    Raises:
        UserError: A forecast of the case reaches into the period, or none lies in it.
    """
    learnt = Calibration.fit(of_then, apart, _THRESHOLD, risk=risk)
    verdict = learnt.verdict(of_event, _THRESHOLD, is_partial=True).isel(channel=0, drop=True)
    counts = Counts.of(of_event, _THRESHOLD, is_partial=True).dataset.isel(channel=0, drop=True)
    curves = learnt.dataset.isel(channel=0, drop=True).interp({SHARE: counts[SHARE].values})
    curves = curves.sel(lead_time=counts["lead_time"])
    cases, happened = verdict["share_of_cases"], verdict["observed"]
    within = (happened >= curves["lower"]) & (happened <= curves["upper"])
    known = cases.sum(SHARE) > 0  # leads that have forecasts in the period
    by_lead = _means(cases.where(known), curves).assign(
        observed=(cases * happened.fillna(0)).sum(SHARE).where(known),
        covered=cases.where(within, 0).sum(SHARE).where(known),
        brier_raw=verdict["brier"].sel(issued="raw", drop=True).where(known),
        brier_calibrated=verdict["brier"].sel(issued="isotonic", drop=True).where(known),
        missed=verdict["missed"],
    )
    by_time = _means(counts.sum("event", skipna=False), curves)
    return Calibrated(learnt, by_lead, by_time.assign(observed=counts.isel(event=1).sum(SHARE, skipna=False)))


def _means(cases: xr.DataArray, curves: xr.Dataset) -> xr.Dataset:
    """Return mean probabilities of cases along `share`, which sum to one; NaN where there are none."""
    named = {"calibrated": curves["probability"], "lower": curves["lower"], "upper": curves["upper"]}
    raw = (cases * cases[SHARE]).sum(SHARE, skipna=False)
    return xr.Dataset({"raw": raw} | {name: _mean(cases, own) for name, own in named.items()})


def _mean(cases: xr.DataArray, curve: xr.DataArray) -> xr.DataArray:
    """Return the mean of a curve that is known wherever there are cases."""
    products = (cases * curve).where(cases != 0, 0.0)
    mean: xr.DataArray = products.sum(SHARE, skipna=False).astype(np.float64)
    return mean
