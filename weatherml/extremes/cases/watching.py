"""One system of a case: its members looked at, here or by workers, and what little is kept of each."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import chain
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import xarray as xr

from weatherml.extremes.cases.calibrated import Calibrated
from weatherml.extremes.cases.stage import CARRIER, Seen, Stage, regional
from weatherml.extremes.cases.told import Told, completed, require_values, shares, tell
from weatherml.extremes.online import AT_ONCE, members_of
from weatherml.extremes.tracks import table
from weatherml.extremes.tracks.members import Member, each_member
from weatherml.process.workers import HERE, Workers, in_order
from weatherml.verification.aggregation.sums import StatisticSums
from weatherml.verification.campaign.online import OnlineForecast
from weatherml.verification.judging import accumulate
from weatherml.verification.metrics.registry import find
from weatherml.verification.pairing.plausible import warn_of_fields

Forecast: TypeAlias = xr.Dataset | OnlineForecast

METRICS = {name: find(f"{name}(threshold=0.5)") for name in ("brier", "brier_fair", "roc_area")}
"""What the event, 0 or 1 at each cell and time, is judged by."""

_MOST_HELD = 2**26
"""Bytes of members at the peak that are held until all of an initial time are there: of what is larger none are."""


@dataclass(frozen=True, eq=False)
class SystemOutcome:
    """What came of one system.

    Attributes:
        series: The region's index (`index`, its units) and the share of the region in the event (`share`), dims
            (init_time, number, lead_time); what lies outside the period is there, too.
        members: What each member told, a row each: init_time, number and the fields of `Told`; of forecasts that do not
            reach the end of the period none.
        probability: Share of members in the event at some time of the period, dims (init_time, latitude, longitude), of
            a few initial times.
        sums: Of the event at each cell and time.
        tracks: Of storms that came into the region in the period, in members of these few initial times.
        at_peak: The index at the time of the truth's peak, dims (number, latitude, longitude), by initial time, of an
            ensemble whose climate is known.
        calibrated: What its probabilities were learnt to mean in another period, where the case has one.
        remark: What a reader has to know of its values; empty where there is nothing.
    """

    series: xr.Dataset
    members: pd.DataFrame
    probability: xr.DataArray
    sums: StatisticSums
    tracks: xr.Dataset | None
    at_peak: Mapping[np.datetime64, np.ndarray] = field(default_factory=dict)
    calibrated: Calibrated | None = None
    remark: str = ""

    @property
    def n_members(self) -> int:
        """How many there are."""
        return self.series.sizes["number"]

    @property
    def probability_of_happening(self) -> pd.Series:
        """Share of members in which the event happens, by initial time."""
        own: pd.Series = self.members.groupby("init_time")["happened"].mean()
        return own


@dataclass(frozen=True, eq=False)
class _Glimpse:
    """What is kept of one member: it travels, where workers look.

    Attributes:
        init_time: When the forecast began.
        number: Of the member; None where the forecast has none.
        leads: `timedelta64[ns]` `[lead]`.
        told: The region's index and its share in the event, `[2, lead]`.
        event: Bool `[lead, lat, lon]`.
        row: What it tells, where it reaches over the period.
        ever: Where it is in the event at some time of the period, bool `[lat, lon]`, of members that maps are of.
        tracks: Of its storms in the region, of these members.
        at_peak: Its index when the truth was most extreme, float32 `[lat, lon]`, of these members.
        last: Its fields at the last lead, of the very first member.
    """

    init_time: np.datetime64
    number: int | None
    leads: np.ndarray
    told: np.ndarray
    event: np.ndarray
    row: Told | None = None
    ever: np.ndarray | None = None
    tracks: xr.Dataset | None = None
    at_peak: np.ndarray | None = None
    last: xr.Dataset | None = None


@dataclass(frozen=True, eq=False)
class _Look:
    """Looks at members; it is sent to whoever does the work.

    Attributes:
        name: Of the system, for messages.
        stage: On what it is judged.
        drawn: Initial times that maps are of.
        peak: When the truth was most extreme; None where nobody asks for members of then.
    """

    name: str
    stage: Stage
    drawn: Sequence[np.datetime64]
    peak: np.datetime64 | None

    def __call__(self, part: tuple[int, xr.Dataset | Member]) -> list[_Glimpse]:
        place, own = part
        members = [own] if isinstance(own, Member) else members_of(own)
        return [self._of(member, n == 0 and place == 0) for n, member in enumerate(members)]

    def _of(self, member: Member, is_first: bool) -> _Glimpse:
        init_time, stage = member.init_time, self.stage
        assert init_time is not None
        seen = stage.see(member.fields, init_time)
        require_values(seen, stage, f"{self.name}, from {init_time:.16},")
        told = np.stack([regional(seen.index, stage), shares(seen, stage)])
        last = member.fields.isel(time=[-1]).compute() if is_first else None
        own = _Glimpse(
            init_time, member.number, seen.times - stage.begins(init_time), told, seen.event.copy(), last=last
        )
        whole = completed(seen, stage)
        if whole is None:
            return own
        own = replace(own, row=tell(whole, stage))
        return self._with_maps(own, whole, seen) if init_time in self.drawn else own

    def _with_maps(self, own: _Glimpse, whole: Seen, seen: Seen) -> _Glimpse:
        tracks = None
        if seen.tracks is not None:
            tracks = self.stage.near(seen.tracks, init_time=own.init_time, number=own.number or 0)
        at_peak = None
        if self.peak is not None:
            at_peak = whole.index[np.searchsorted(whole.times, self.peak)].astype(np.float32)
        return replace(own, ever=np.asarray(whole.event.any(axis=0)), tracks=tracks, at_peak=at_peak)


@dataclass(eq=False)
class Watching:
    """Looks at the members of one system as they pass, and keeps little of each.

    Attributes:
        name: Of the system.
        stage: On what it is judged.
        init_times: From which it is.
        drawn: Those of them that maps are of.
        peak: When the truth was most extreme; None where nobody asks for members of then.
        progress: Called after each member.
        workers: Who looks.
    """

    name: str
    stage: Stage
    init_times: np.ndarray
    drawn: Sequence[np.datetime64] = ()
    peak: np.datetime64 | None = None
    progress: Callable[[], None] = lambda: None
    workers: Workers = HERE
    _remark: str = ""
    _rows: list[dict[str, object]] = field(default_factory=list)
    _series: dict[tuple[np.datetime64, int], np.ndarray] = field(default_factory=dict)
    _counts: dict[np.datetime64, list[np.ndarray]] = field(default_factory=dict)
    _at_peak: dict[np.datetime64, list[np.ndarray]] = field(default_factory=dict)
    _tracks: list[xr.Dataset] = field(default_factory=list)
    _leads: np.ndarray = field(default_factory=lambda: np.empty(0, "timedelta64[ns]"))

    def outcome(self, forecast: Forecast) -> SystemOutcome:
        """Look at all members of a forecast from `init_times`."""
        n_members = n_members_of(forecast)
        if self.peak is not None and n_members * len(self.drawn) * 4 * self.stage.inside.size > _MOST_HELD:
            self.peak = None
        pieces = self._events(forecast)
        first = next(pieces)
        begins = self.stage.begins(self.init_times)
        events = OnlineForecast(lambda _: chain([first], pieces), begins, self._leads, n_members)
        metrics = METRICS if n_members > 1 else {"brier": METRICS["brier"]}
        sums = accumulate(events, self._truth(), metrics, missing="count")
        names = ["init_time", "number", *Told.__dataclass_fields__]
        return SystemOutcome(
            self._joined_series(),
            pd.DataFrame(self._rows, columns=names),
            self._probability(),
            sums,
            table.join(self._tracks) if self._tracks else None,
            {init: np.stack(own) for init, own in sorted(self._at_peak.items())} if n_members > 1 else {},
            remark=self._remark,
        )

    def _events(self, forecast: Forecast) -> Iterator[xr.Dataset]:
        """Yield the events of each member as a piece of a forecast."""
        stage = self.stage if self.workers is HERE else self.stage.sent(self.init_times)
        look = _Look(self.name, stage, self.drawn, self.peak)
        for own in chain.from_iterable(in_order(self.workers, look, enumerate(self._parts(forecast)))):
            if not len(self._leads):
                self._leads = own.leads
                assert own.last is not None
                self._remark = warn_of_fields(f"the forecast {self.name}", own.last)
            self._note(own)
            self.progress()
            yield self._piece(own)

    def _parts(self, forecast: Forecast) -> Iterator[xr.Dataset | Member]:
        """Yield what is looked at at once: members as they are made, or those that are read together.

        What is computed of analyses in memory is computed here where it is to be sent: it would travel with them.
        """
        if isinstance(forecast, OnlineForecast):
            yield from members_of(forecast, self.stage.kept)
            return
        kept = self.stage.kept(forecast)
        for place in range(kept.sizes["init_time"]):
            own = kept.isel(init_time=[place])
            if self.workers is HERE:
                yield own
            elif not own.chunks:
                yield from each_member(own.compute() if own.nbytes <= AT_ONCE else own)
            else:
                yield from _along_chunks(own)

    def _note(self, own: _Glimpse) -> None:
        init_time, number = own.init_time, own.number or 0
        self._series[init_time, number] = self._at_leads(own.told, own.leads)
        if own.row is not None:
            self._rows.append({"init_time": init_time, "number": number, **asdict(own.row)})
        if own.ever is not None:
            counts = self._counts.setdefault(init_time, [np.zeros(self.stage.grid.shape), np.zeros(1)])
            counts[0] += own.ever
            counts[1] += 1
        if own.tracks is not None:
            self._tracks.append(own.tracks)
        if own.at_peak is not None:
            self._at_peak.setdefault(init_time, []).append(own.at_peak)

    def _joined_series(self) -> xr.Dataset:
        numbers = sorted({number for _, number in self._series})
        values = np.stack([[self._series[init, number] for number in numbers] for init in self.init_times])
        dims = ("init_time", "number", "lead_time")
        valid = self.stage.begins(self.init_times)[:, None] + self._leads
        coords = {
            "init_time": self.init_times,
            "number": numbers,
            "lead_time": self._leads,
            "valid_time": (("init_time", "lead_time"), valid),
        }
        return xr.Dataset({name: (dims, values[:, :, n]) for n, name in enumerate(("index", "share"))}, coords)

    def _at_leads(self, values: np.ndarray, leads: np.ndarray) -> np.ndarray:
        """Return values `[row, lead]` at the leads of the first forecast, NaN at those that another lacks."""
        found = np.full((len(values), len(self._leads)), np.nan)
        there = np.isin(self._leads, leads)
        found[:, there] = values[:, np.isin(leads, self._leads)]
        return found

    def _piece(self, own: _Glimpse) -> xr.Dataset:
        coords: dict[str, Any] = {
            "init_time": [self.stage.begins(own.init_time)],
            "lead_time": self._leads,
            **({} if own.number is None else {"number": [own.number]}),
        }
        shape = (*map(len, coords.values()), *self.stage.grid.shape)
        events = self._at_leads(own.event.reshape(len(own.leads), -1).T.astype(np.float32), own.leads).T
        return self.stage.as_dataset(events.astype(np.float32).reshape(shape), coords)

    def _truth(self) -> xr.Dataset:
        """Return what happened at each cell and time, NaN outside the region."""
        true = self.stage.true
        values = np.where(self.stage.inside, true.event, np.nan).astype(np.float32)
        return self.stage.as_dataset(values, {"time": true.times})

    def _probability(self) -> xr.DataArray:
        times = sorted(self._counts)
        empty = np.empty((0, *self.stage.grid.shape))
        shown = [np.where(self.stage.inside, self._counts[own][0] / self._counts[own][1], np.nan) for own in times]
        coords = {"init_time": np.array(times, "datetime64[ns]")}
        fields = self.stage.as_dataset(np.stack(shown) if shown else empty, coords)
        return fields[CARRIER].rename(self.stage.case.hazard)


def n_members_of(forecast: Forecast) -> int:
    """Return how many members a forecast has."""
    return forecast.n_members if isinstance(forecast, OnlineForecast) else forecast.sizes.get("number", 1)


def _along_chunks(own: xr.Dataset) -> Iterator[xr.Dataset]:
    """Yield the members that lie in one piece of a store, which is read as a whole."""
    sizes = own.chunksizes.get("number", (own.sizes.get("number", 1),))
    ends = np.cumsum(sizes)
    for end, size in zip(ends, sizes, strict=True):
        yield own.isel(number=slice(end - size, end)) if "number" in own.dims else own
