"""Cones around forecast tracks that hold the storm as often as they say."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
import xarray as xr

from weatherml.durations import DurationLike, format_duration, parse_duration
from weatherml.errors import UserError
from weatherml.extremes.calibration.conformal import block_quantile, blocks_of
from weatherml.extremes.calibration.held_out import HeldOut
from weatherml.extremes.calibration.kept import read, write
from weatherml.extremes.tracks.judging.errors import TRACK
from weatherml.extremes.tracks.judging.pairing import STORM

_WHAT = "cone of tracks"


@dataclass(frozen=True, eq=False)
class Cone:
    """Radius around the forecast position, by lead time.

    Attributes:
        dataset: Dims (lead_time): `radius`, km, or in units of what errors were divided by; infinite where storms are
            too few for the coverage; `storms`, how many there were. Attribute `coverage`.
        held_out: The period it was learnt on.
    """

    dataset: xr.Dataset
    held_out: HeldOut

    @classmethod
    def fit(cls, errors: xr.Dataset, held_out: HeldOut, coverage: float = 2 / 3) -> Self:
        """Learn a radius at each lead that holds another storm's position with at least that probability.

        The split conformal quantile of errors at a lead, where all forecasts of one storm make one block, as they fail
        together. The hurricane centres' cones hold two thirds.

        Args:
            errors: One row a forecast position, dim `record`, as `tracks.judging.errors` returns: `track_error`, km;
                `lead_time`; `init_time`; and `storm`, any label of what fails together (initial times within five days
                where there is none). With `scale`, such as the spread of members' positions in km, the radius is in its
                units, so that it differs by forecast.
            held_out: The period, and what it must lie apart from.
            coverage: Between 0 and 1.

        Raises:
            UserError: No error is in the period, or the coverage is no probability.
        """
        if not 0 < coverage < 1:
            raise UserError(f"a coverage must lie between 0 and 1, got {coverage}; write 0.9 for nine of ten")
        own = _Scores.of(errors).within(held_out)
        leads = np.unique(own.leads)
        radii = [block_quantile(own.scores[at], own.blocks[at], coverage) for at in own.leads == leads[:, None]]
        storms = [len(np.unique(own.blocks[at])) for at in own.leads == leads[:, None]]
        fields = {"radius": ("lead_time", np.array(radii)), "storms": ("lead_time", np.array(storms))}
        return cls(xr.Dataset(fields, {"lead_time": leads}, {"coverage": coverage}), held_out.written())

    def widened(self, errors: xr.Dataset, held_out: HeldOut, coverage: float = 2 / 3) -> "Cone":
        """Return the same cone, all radii times one factor, that holds whole tracks: every lead of another storm's.

        Args:
            errors: As of `fit`, of a period of its own: the cone's shape must not be learnt on it.
            held_out: That period; it must lie apart from the cone's.
            coverage: Of whole tracks.

        Raises:
            UserError: The periods share a time, or a lead lies outside those learnt.
        """
        apart = {**held_out.apart_from, "the cone": self.held_out.period}
        own = _Scores.of(errors).within(HeldOut(held_out.period, apart))
        ratio = own.scores / self.radius(own.leads)
        track = {"storm": own.blocks, "init_time": own.init_times, "number": own.members}
        table = pd.DataFrame(track | {"ratio": ratio}).groupby(list(track))["ratio"].max().reset_index()
        factor = block_quantile(table["ratio"].to_numpy(), table["storm"].to_numpy(), coverage)
        dataset = self.dataset.assign(radius=factor * self.dataset["radius"])
        return Cone(dataset.assign_attrs(coverage=coverage, of="whole tracks", factor=factor), held_out.written())

    def radius(self, lead_times: np.ndarray | DurationLike, scale: np.ndarray | float = 1.0) -> np.ndarray:
        """Return the radius at leads, km: between those learnt it is linear.

        Args:
            lead_times: `timedelta64`, any shape; or one, such as "2d".
            scale: What errors were divided by, of this forecast.

        Raises:
            UserError: A lead lies outside those learnt.
        """
        known = self.dataset["lead_time"].values
        if not isinstance(lead_times, np.ndarray | xr.DataArray):
            lead_times = np.asarray(parse_duration(lead_times, "lead"))
        for lead in np.ravel(lead_times)[(np.ravel(lead_times) < known[0]) | (np.ravel(lead_times) > known[-1])]:
            raise UserError(
                f"the cone knows leads from {format_duration(known[0])} to {format_duration(known[-1])}, not"
                f" {format_duration(lead)}; pass leads between"
            )
        hour = np.timedelta64(1, "h")
        radius = np.interp(np.asarray(lead_times) / hour, known / hour, self.dataset["radius"].values)
        return np.asarray(scale * radius)

    def verdict(self, errors: xr.Dataset) -> xr.Dataset:
        """Return how often the cone held, on storms of another period: dims (lead_time).

        `covered`, mean over storms of the share of their forecasts inside; `mean_radius`, km; `storms`.

        Raises:
            UserError: A forecast lies in the period of the calibration, or a lead outside those learnt.
        """
        own = _Scores.of(errors)
        self.held_out.require_apart(own.init_times, own.leads)
        inside = own.scores <= self.radius(own.leads)
        scaled = own.scale * self.radius(own.leads)
        table = pd.DataFrame({"lead_time": own.leads, "storm": own.blocks, "inside": inside, "radius": scaled})
        by_storm = table.groupby(["lead_time", "storm"])[["inside", "radius"]].mean().groupby("lead_time")
        covered, radius = by_storm["inside"].mean(), by_storm["radius"].mean()
        means = {"covered": covered, "mean_radius": radius, "storms": by_storm.size()}
        fields = {name: ("lead_time", own.to_numpy()) for name, own in means.items()}
        return xr.Dataset(fields, {"lead_time": covered.index.to_numpy()})

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


@dataclass(frozen=True, eq=False)
class _Scores:
    """Errors as arrays `[record]`; of `scores` each is divided by `scale`."""

    scores: np.ndarray
    scale: np.ndarray
    leads: np.ndarray
    init_times: np.ndarray
    blocks: np.ndarray
    members: np.ndarray

    @classmethod
    def of(cls, errors: xr.Dataset) -> Self:
        for lacking in sorted({TRACK, "lead_time", "init_time"} - set(map(str, errors.variables))):
            raise UserError(
                f"errors of tracks have no {lacking}; pass what tracks.judging.errors(forecast, best) returns, or"
                f" {TRACK} (km), lead_time and init_time along one dimension"
            )
        init_times = errors["init_time"].values
        blocks = errors[STORM].values if STORM in errors.variables else blocks_of(init_times)
        error = errors[TRACK].values.astype(np.float64)
        scale = errors["scale"].values if "scale" in errors.variables else np.ones(len(error))
        known = np.isfinite(error) & np.isfinite(scale) & (scale > 0)
        leads = errors["lead_time"].values
        members = errors["number"].values if "number" in errors.variables else np.zeros(len(error), int)
        columns = (error / np.where(known, scale, 1), scale, leads, init_times, blocks, members)
        return cls(*(own[known] for own in columns))

    def within(self, held_out: HeldOut) -> "_Scores":
        inside = held_out.holds(self.init_times, self.leads)
        return _Scores(*(getattr(self, name)[inside] for name in self.__dataclass_fields__))
