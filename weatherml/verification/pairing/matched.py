"""Forecasts beside their truth: read block by block and checked."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

import numpy as np
import xarray as xr

from weatherml.errors import Option, UserError
from weatherml.grid import REGRID, LatLonGrid
from weatherml.references import (
    DatedReference,
    Reference,
    as_reference,
    as_slice,
    narrowed,
    require_fields,
    require_times,
    time_index,
    time_places,
    values_of,
)
from weatherml.state import Channel, on_grid, spec_of
from weatherml.verification.pairing.axes import require_axes
from weatherml.verification.pairing.domain import Domain, levels_with_values
from weatherml.verification.pairing.pair import Pair
from weatherml.verification.pairing.refusals import COUNT_MISSING, holes, keep, of_holes, refuse_absent_members, text

BLOCK_BYTES = 64 << 20
"""Most bytes of forecast read at once, unless one lead time of one variable is larger."""

Missing = Literal["refuse", "count"]
"""What becomes of values that are not there: an error, or they do not count and it is told how many."""

_STILL = ("land_sea_mask",)
"""Of the truth beside what is judged: regions ask for it."""
_ONE_GRID = Option(
    "grid", "truth", "to regrid the forecast, or forecast, or 1.5deg", "weatherml.align(forecast, truth, grid='truth')"
)


@dataclass(frozen=True)
class Judged:
    """One channel of a block.

    Attributes:
        channel: Which.
        pair: Fields `[lead, lat, lon]`; 0 where `mask` is not.
        mask: Points that count, `[lead, lat, lon]`, or `[1, lat, lon]` where they are the same at all leads.
    """

    channel: Channel
    pair: Pair
    mask: np.ndarray


@dataclass(frozen=True)
class Block:
    """Some variables at some leads of one initial time.

    Attributes:
        init: Position of the initial time.
        leads: Positions of the leads that have a truth.
        judged: The channels of each variable.
    """

    init: int
    leads: np.ndarray
    judged: Mapping[str, Sequence[Judged]]


@dataclass(frozen=True)
class Matched:
    """A forecast, its truth, and references or none, on one grid, at the forecast's valid times.

    A point counts where the truth is defined at the first valid time. That mask must hold at every valid time, and
    forecast and references must be finite wherever it does: a hole elsewhere is an error, not a point to skip. Where
    what is missing may be counted, a point counts wherever all are finite, and valid times without truth are left out.

    Attributes:
        forecast: Dims (init_time, lead_time, number, level, latitude, longitude); no number where deterministic.
        truth: Dims (time, level, latitude, longitude).
        references: By name, what is asked for its fields block by block, such as a `Climatology`, or a dataset like the
            truth or without time.
        within: What is judged where this is a part of a forecast; what the first of it has when None.
        missing: What becomes of what is not there.
        compared: Variables that each reference is asked for, by its name; all of them where it is not among these.

    Raises:
        UserError: A dimension, channel or valid time is missing, or the grids differ.
    """

    forecast: xr.Dataset
    truth: xr.Dataset
    references: Mapping[str, xr.Dataset | Reference] = field(default_factory=dict)
    within: Domain | None = None
    missing: Missing = "refuse"
    compared: Mapping[str, Collection[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        require_axes(self.forecast, self.truth)
        self._require_channels("the truth", self.truth, self.levels)
        for name, reference in ((name, own) for name, own in self._asked.items() if self._compared(name)):
            first = reference.at(self._valid_times[:1, 0])
            self._require_channels(f"the {name}", on_grid(first, self.grid), self._compared(name))
            require_fields(first, self._compared(name), f"the {name}")
            require_times(reference, self._valid_times)

    @cached_property
    def grid(self) -> LatLonGrid:
        """The grid of forecast and truth."""
        return LatLonGrid.from_dataset(self.forecast)

    @cached_property
    def levels(self) -> dict[str, tuple[int, ...]]:
        """Levels of each variable, empty where it has none; without those that are NaN throughout (ragged sets)."""
        return levels_with_values(self.forecast) if self.within is None else self.within.levels

    @cached_property
    def left_out(self) -> dict[str, tuple[int, ...]]:
        """Levels in hPa of each variable that it has no values at, as others do; of those variables that lack some."""
        given = {name: own for name, own in spec_of(self.forecast).variables.items() if name in self.levels}
        apart = {name: tuple(level for level in own if level not in self.levels[name]) for name, own in given.items()}
        return {name: own for name, own in apart.items() if own}

    @cached_property
    def channels(self) -> tuple[str, ...]:
        """Names of the forecast's channels."""
        return tuple(str(Channel(name, level)) for name, levels in self.levels.items() for level in levels or (None,))

    @cached_property
    def shape(self) -> tuple[int, int, int]:
        """(init, lead, channel)."""
        return self.forecast.sizes["init_time"], self.forecast.sizes["lead_time"], len(self.channels)

    def only(self, places: Sequence[int]) -> "Matched":
        """Keep some initial times, and of truth and references what these need; judged is on the points of all."""
        times, index = self._valid_times[places], self._truth_index[places]
        held = [*self.levels, *(name for name in _STILL if name in self.truth)]
        return replace(
            self,
            forecast=self.forecast.isel(init_time=as_slice(np.asarray(places))),
            truth=self.truth[held].isel(time=as_slice(np.unique(index[index >= 0]))),
            references={name: _within(own, times) for name, own in self._asked.items()},
            within=self.domain,
        )

    def known_at(self, time: np.datetime64) -> dict[str, list[np.ndarray]]:
        """Return fields of the truth and of each reference at a time, by what they are; of those that know it.

        They are those of each variable, at one level of it.
        """
        place = int(time_places(self.truth, np.array([time]))[0])
        truth = {name: self.truth[name].isel(time=place) for name in self.levels if place >= 0}
        known = {"the truth": [values_of(own, self.levels[name][-1:]) for name, own in truth.items()]} if truth else {}
        for name in (name for name in self.references if self._compared(name)):
            try:
                own = [self._expected(name, variable, np.array([time]))[:, -1] for variable in self._compared(name)]
            except UserError:
                continue  # it does not know the time
            known[f"the {name}"] = own
        return known

    def require_truth(self) -> None:
        """Require a truth at every valid time, unless it may be missing.

        Raises:
            UserError: There is none at one.
        """
        if self.missing == "refuse":
            time_index(self.truth, self._valid_times, "the truth", COUNT_MISSING)

    def blocks(self, init: int, names: Sequence[str]) -> Iterator[Block]:
        """Read variables together, block by block of leads.

        Raises:
            UserError: Something is missing that may not be.
        """
        there = np.flatnonzero(self._truth_index[init] >= 0)
        n_levels = sum(max(len(self.levels[name]), 1) for name in names)
        n_leads = self._leads_at_once(n_levels)
        for first in range(0, len(there), n_leads):
            leads = there[first : first + n_leads]
            yield Block(init, leads, {name: list(self._read(name, init, leads)) for name in names})

    @cached_property
    def _valid_times(self) -> np.ndarray:
        """`[init, lead]`."""
        times: np.ndarray = self.forecast["init_time"].values[:, None] + self.forecast["lead_time"].values
        return times

    @cached_property
    def _truth_index(self) -> np.ndarray:
        """Where the truth of each valid time is, `[init, lead]`; -1 where it may be missing and is."""
        if self.missing == "count":
            return time_places(self.truth, self._valid_times)
        return time_index(self.truth, self._valid_times, "the truth", COUNT_MISSING)

    @cached_property
    def _asked(self) -> dict[str, Reference]:
        return {name: as_reference(own, f"the {name}") for name, own in self.references.items()}

    @cached_property
    def _asked_of(self) -> dict[tuple[str, str], Reference]:
        """What each variable is compared with, which computes no other."""
        return {
            (name, variable): narrowed(own, {variable: levels})
            for name, own in self._asked.items()
            for variable, levels in self.levels.items()
            if variable in self._compared(name)
        }

    def _compared(self, reference: str) -> list[str]:
        """Return the variables that a reference is asked for."""
        return [name for name in self.levels if name in self.compared.get(reference, self.levels)]

    @cached_property
    def domain(self) -> Domain:
        """Levels and points that are judged: where what is missing is counted, all of them may be.

        Raises:
            UserError: A channel of the truth is NaN everywhere.
        """
        if self.within is not None:
            return self.within
        first, since = self.first_truth, self._valid_times.ravel()[self._first]
        if self.missing == "count":  # whatever the first truth lacks, another may have
            sizes = {name: (max(len(own), 1), *self.grid.shape) for name, own in self.levels.items()}
            return Domain(self.levels, {name: np.ones(own, bool) for name, own in sizes.items()}, since)
        masks = {name: np.isfinite(values_of(first[name], levels)) for name, levels in self.levels.items()}
        for channel in np.flatnonzero(~np.concatenate(list(masks.values())).any(axis=(1, 2))):
            raise UserError(
                f"the truth of {self.channels[channel]} is NaN everywhere at {text(since)}",
                "mend the truth",
                self._others_than(self.channels[channel]),
            )
        return Domain(self.levels, masks, since)

    def first_of_truth(self, name: str) -> Iterator[np.ndarray]:
        """Yield a variable of the truth at one level, at the first valid time that has one."""
        yield values_of(self.first_truth[name], self.levels[name][-1:])

    def first_expected(self, reference: str, name: str) -> Iterator[np.ndarray]:
        """Yield a variable of a reference at one level, at the first valid time; nothing that it is not asked for."""
        if name in self._compared(reference):
            yield self._expected(reference, name, self._valid_times[0, :1])[:, -1:]

    @property
    def first_truth(self) -> xr.Dataset:
        """The truth of the first valid time that has one."""
        return self.truth.isel(time=self._truth_index.ravel()[self._first])

    @property
    def _first(self) -> int:
        return int(np.argmax(self._truth_index.ravel() >= 0))

    def _require_channels(self, owner: str, dataset: xr.Dataset, variables: Collection[str]) -> None:
        levels = {name: own for name, own in self.levels.items() if name in variables}
        channels = [str(Channel(name, level)) for name, own in levels.items() for level in own or (None,)]
        try:
            grid = spec_of(dataset, channels).grid
        except UserError as error:
            raise UserError(
                f"{owner} lacks what the forecast has: {error}", keep(self._shared(dataset), "pass one that has it")
            ) from None
        if not grid.is_same(self.grid):
            raise UserError(
                f"{owner} lies on another grid than the forecast, {_extent(grid)} instead of {_extent(self.grid)}",
                _ONE_GRID if owner == "the truth" else REGRID,
            )

    def _leads_at_once(self, n_levels: int) -> int:
        n_members = self.forecast.sizes.get("number", 1)
        return max(1, BLOCK_BYTES // (4 * n_members * n_levels * self.grid.n_lat * self.grid.n_lon))

    def _read(self, name: str, init: int, leads: np.ndarray) -> Iterator[Judged]:
        """Yield the channels of one variable."""
        levels, times = self.levels[name], self._valid_times[init, leads]
        chosen = self.forecast[name].isel(init_time=init, lead_time=as_slice(leads))
        self._require_empty(chosen, times)
        members = values_of(chosen, levels, "number", "lead_time")
        truth = values_of(self.truth[name].isel(time=as_slice(self._truth_index[init, leads])), levels, "time")
        references = {
            own: np.broadcast_to(self._expected(own, name, times), truth.shape)
            for own in self.references
            if name in self._compared(own)
        }
        for place, level in enumerate(levels or (None,)):
            expected = {own: field[:, place] for own, field in references.items()}
            pair = Pair(members[:, :, place], truth[:, place], expected, self.grid)
            channel = Channel(name, level)
            mask = self._mask_of(channel, place, pair, times)
            yield Judged(channel, pair if mask.all() else _filled(pair, mask), mask)

    def _expected(self, reference: str, name: str, times: np.ndarray) -> np.ndarray:
        """Read what a variable is compared with, `[lead, level, lat, lon]`."""
        at = on_grid(self._asked_of[reference, name].at(times), self.grid)
        return values_of(at[name], self.levels[name], "time")

    def _mask_of(self, channel: Channel, place: int, pair: Pair, times: np.ndarray) -> np.ndarray:
        """Return which points count.

        Raises:
            UserError: Something is missing that may not be.
        """
        finite = {"the truth": np.isfinite(pair.truth), "the forecast": np.isfinite(pair.members).all(axis=0)}
        finite |= {f"the {name}": np.isfinite(own) for name, own in pair.references.items()}
        if self.missing == "count":
            everything: np.ndarray = np.logical_and.reduce(list(finite.values()))
            return everything
        mask: np.ndarray = self.domain.masks[channel.variable][place]
        for owner, own in finite.items():
            wrong = own != mask if owner == "the truth" else ~own & mask
            if not wrong.any():
                continue
            if owner == "the forecast" and len(pair.members) > 1:
                there = np.isfinite(pair.members[..., mask]).any(axis=-1)
                refuse_absent_members(there, self.forecast["number"].values, str(channel), times)
            remedies = of_holes(owner, len(pair.members), self._others_than(str(channel)))
            raise holes(wrong, mask, owner, str(channel), times, self.domain.since, *remedies)
        return mask[None]

    def _require_empty(self, chosen: xr.DataArray, times: np.ndarray) -> None:
        """Require that levels which are left out are NaN at these times `[lead]`, too.

        Raises:
            UserError: One is not, and would vanish from the scores.
        """
        name = str(chosen.name)
        for level in self.left_out.get(name, ()):
            there = np.isfinite(values_of(chosen, (level,), "lead_time", "number")).any(axis=(1, 2, 3, 4))
            if there.any():
                raise UserError(
                    f"the forecast of {Channel(name, level)} is NaN at the first times that were read, but not where it"
                    f" is valid at {text(times[there][0])}; begin with a forecast that has it",
                    keep(list(self.channels), "leave the level out"),
                )

    def _shared(self, dataset: xr.Dataset) -> list[str]:
        """Return the channels of the forecast that a dataset has, too."""
        return [name for name in self.channels if _has(dataset, Channel.parse(name))]

    def _others_than(self, channel: str) -> str | Option:
        return keep([name for name in self.channels if name != channel], "")


def _within(reference: Reference, times: np.ndarray) -> Reference:
    """Keep of dated fields those of some times."""
    if not isinstance(reference, DatedReference):
        return reference
    return replace(reference, dataset=reference.at(np.unique(times)))


def _has(dataset: xr.Dataset, channel: Channel) -> bool:
    if channel.variable not in dataset.data_vars:
        return False
    return channel.level is None or channel.level in np.atleast_1d(dataset[channel.variable].coords.get("level", ()))


def _filled(pair: Pair, mask: np.ndarray) -> Pair:
    """Return a pair that is 0 where points do not count, so that nothing that is missing spreads."""
    references = {name: np.where(mask, own, 0) for name, own in pair.references.items()}
    return Pair(np.where(mask, pair.members, 0), np.where(mask, pair.truth, 0), references, pair.grid)


def _extent(grid: LatLonGrid) -> str:
    return f"{grid.n_lat} x {grid.n_lon} from {grid.latitude[0]:g} N {grid.longitude[0]:g} E"
