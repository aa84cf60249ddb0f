"""How often an event followed each share of members, by init time: from sums that verification keeps."""

import logging
import re
from dataclasses import dataclass
from typing import Self

import numpy as np
import xarray as xr

from weatherml.errors import UserError
from weatherml.errors.wording import listed
from weatherml.verification.aggregation.sums import StatisticSums
from weatherml.verification.metrics.probabilities.statistics import EventCounts

_logger = logging.getLogger(__name__)

SHARE = "share"
_OF_NUMBER = re.compile(re.escape(EventCounts(0.0).name).replace(r"0\.0", r"([-+.e\d]+)"))


@dataclass(frozen=True, eq=False)
class Counts:
    """The part of the area where k of the M members exceeded and the truth did, or did not.

    Attributes:
        dataset: Dims (init_time, channel, lead_time, event, share), of which all of an init time sum to one; NaN where
            there is no truth.
    """

    dataset: xr.DataArray

    @classmethod
    def of(cls, sums: StatisticSums, threshold: float | None = None, *, is_partial: bool = False) -> Self:
        """Take them from sums of statistics.

        Args:
            sums: Of one region.
            threshold: As the metric had it.
            is_partial: Whether leads without a truth are as they should be: those outside the period of an event.

        Raises:
            UserError: The sums lack them, are of several regions, or of one member.
        """
        regions = sums.dataset["region"].values
        if len(regions) > 1:
            raise UserError(
                f"a calibration is of one region, got {listed(regions)}; judge one, regions=[{str(regions[0])!r}]"
            )
        (area,) = sums.of([EventCounts(_known(sums) if threshold is None else threshold)])
        weights = sums.weights[:, :, :, 0, None, None]
        if not is_partial:
            _warn_of_nothing(weights)
        with np.errstate(invalid="ignore"):
            shares = np.where(weights > 0, area[:, :, :, 0] / np.where(weights > 0, weights, 1), np.nan)
        parts = np.moveaxis(shares, 1, 2)
        dims = ("init_time", "channel", "lead_time", "event", SHARE)
        coords = {name: sums.dataset[name].values for name in dims[:3]}
        return cls(xr.DataArray(parts, coords | {SHARE: np.linspace(0, 1, parts.shape[-1])}, dims))

    @property
    def init_times(self) -> np.ndarray:
        """Initial times, `datetime64`."""
        times: np.ndarray = self.dataset["init_time"].values
        return times

    @property
    def lead_times(self) -> np.ndarray:
        """Lead times, `timedelta64`."""
        leads: np.ndarray = self.dataset["lead_time"].values
        return leads

    @property
    def longest_lead(self) -> np.timedelta64:
        """The last of the lead times."""
        return np.timedelta64(self.lead_times.max())

    @property
    def channels(self) -> np.ndarray:
        """Names."""
        channels: np.ndarray = self.dataset["channel"].values
        return channels

    @property
    def shares(self) -> np.ndarray:
        """Of members above: 0 to 1, `[class]`."""
        shares: np.ndarray = self.dataset[SHARE].values
        return shares

    def only(self, chosen: np.ndarray) -> "Counts":
        """Keep some init times, bool `[init]`."""
        return Counts(self.dataset[chosen])

    def in_blocks(self, blocks: np.ndarray) -> np.ndarray:
        """Return the mean over each block of init times, `[block, channel, lead, event, class]`; NaN where it has none.

        Init times without a truth do not count.
        """
        values = self.dataset.values
        sums, numbers = (np.zeros((blocks.max() + 1, *values.shape[1:])) for _ in range(2))
        np.add.at(sums, blocks, np.nan_to_num(values))
        np.add.at(numbers, blocks, np.isfinite(values))
        means: np.ndarray = np.where(numbers > 0, sums / np.maximum(numbers, 1), np.nan)
        return means


def _known(sums: StatisticSums) -> float | None:
    """Return the one number that sums are of; None where they are of a reference, or of nothing of the kind.

    Raises:
        UserError: They are of several numbers.
    """
    names = [str(name) for name in sums.dataset.data_vars]
    found = [float(own[1]) for own in map(_OF_NUMBER.fullmatch, names) if own]
    if EventCounts(None).name in names or not found:
        return None
    if len(found) > 1:
        told = listed(f"{own:g}" for own in found)
        raise UserError(f"there are counts of thresholds {told}; pass one of them, threshold={found[0]:g}")
    return found[0]


def _warn_of_nothing(weights: np.ndarray) -> None:
    """Say how many init times have no truth at some lead."""
    lacking = int((weights <= 0).reshape(len(weights), -1).any(axis=1).sum())
    if lacking:
        _logger.warning("%d of %d init times have no truth at some lead, and do not count there", lacking, len(weights))
