"""Forecasts beside their truth: read block by block and checked, one channel of one init time at once."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import xarray as xr

from weatherml import scores
from weatherml.errors import Option, UserError
from weatherml.grid import REGRID, LatLonGrid
from weatherml.references import Reference, as_reference, as_slice, narrowed, require_times, time_index, values_of
from weatherml.state import Channel, on_grid, spec_of

BLOCK_BYTES = 128 << 20
"""Most bytes of forecast read at once, unless one lead time of one variable is larger."""

_DROP_STOPPED = Option(
    "drop_stopped",
    purpose="to leave out the members that stopped",
    python="weatherml.products.without_stopped(forecast)",
)
_MOST_NAMED = 3  # channels in a remedy


@dataclass(frozen=True)
class Fields:
    """One channel of one forecast beside its truth, at the points where the truth is defined, in SI units.

    Attributes:
        members: `[member, lead, point]`; one member where the forecast is deterministic.
        truth: `[lead, point]`.
        reference: `[lead, point]`, the climatology or the threshold that a metric asks for; NaN where none was given.
        weights: Cell areas, `[point]`.
    """

    members: np.ndarray
    truth: np.ndarray
    reference: np.ndarray
    weights: np.ndarray

    @cached_property
    def ensemble_mean(self) -> np.ndarray:
        """Mean of the members, float64 `[lead, point]`."""
        mean: np.ndarray = self.members.mean(axis=0, dtype=np.float64)
        return mean

    @cached_property
    def ensemble_variance(self) -> np.ndarray:
        """Unbiased variance of the members, `[lead, point]`."""
        return np.asarray(scores.ensemble_variance(self.members - self.truth))  # of errors: small numbers keep digits

    @cached_property
    def error(self) -> np.ndarray:
        """Ensemble mean less truth, float64 `[lead, point]`."""
        return np.asarray(self.ensemble_mean - self.truth)

    @cached_property
    def forecast_anomaly(self) -> np.ndarray:
        """Ensemble mean less climatology, float64 `[lead, point]`."""
        return np.asarray(self.ensemble_mean - self.reference)

    @cached_property
    def truth_anomaly(self) -> np.ndarray:
        """Truth less climatology, float64 `[lead, point]`."""
        return np.asarray(self.truth.astype(np.float64) - self.reference)

    def area_mean(self, field: np.ndarray) -> np.ndarray:
        """Average `[..., point]` over the area of the points."""
        return np.asarray(scores.area_mean(field, self.weights))


@dataclass(frozen=True, eq=False)
class Domain:
    """What is judged: it is found once, where a forecast is read in parts.

    Attributes:
        levels: Of each variable, hPa; empty where it has one height.
        masks: Where the truth of each variable is defined, `[level, lat, lon]`.
        since: The valid time at which it was looked.
    """

    levels: dict[str, tuple[int, ...]]
    masks: dict[str, np.ndarray]
    since: np.datetime64

    def only(self, names: Iterable[str]) -> "Domain":
        """Keep some variables."""
        names = list(names)
        return replace(
            self, levels={name: self.levels[name] for name in names}, masks={name: self.masks[name] for name in names}
        )


@dataclass(frozen=True)
class Matched:
    """A forecast, its truth, and a reference or none, on one grid, at the forecast's valid times.

    A point counts where the truth is defined at the first valid time. That mask must hold at every valid time, and
    forecast and reference must be finite wherever it does: a hole elsewhere is an error, not a point to skip.

    Attributes:
        forecast: Dims (init_time, lead_time, number, level, latitude, longitude); no number where deterministic.
        truth: Dims (time, level, latitude, longitude).
        reference: What is asked for its fields block by block, such as a `Climatology`, or a dataset like the truth or
            without time; None where no metric needs one.
        within: What is judged where this is a part of a forecast; what the first of it has when None.

    Raises:
        UserError: A dimension, channel or valid time is missing, or the grids differ.
    """

    forecast: xr.Dataset
    truth: xr.Dataset
    reference: xr.Dataset | Reference | None = None
    within: Domain | None = None

    def __post_init__(self) -> None:
        for dim in ("init_time", "lead_time"):
            if dim not in self.forecast.dims:
                raise UserError(
                    f"the forecast has no dimension {dim!r}, only {sorted(map(str, self.forecast.dims))}; "
                    "add it with expand_dims"
                )
        self._require_channels("the truth", self.truth)
        if self._expected is not None:
            first = self._expected.at(self._valid_times[:1, 0])
            self._require_channels("the climatology or threshold", on_grid(first, self.grid))
            require_times(self._expected, self._valid_times)

    @cached_property
    def grid(self) -> LatLonGrid:
        """The grid of forecast and truth."""
        return LatLonGrid.from_dataset(self.forecast)

    @cached_property
    def levels(self) -> dict[str, tuple[int, ...]]:
        """Levels of each variable, empty where it has none; without those that are NaN throughout (ragged sets)."""
        if self.within is not None:
            return self.within.levels
        levels = dict(spec_of(self.forecast).variables)
        first = self.forecast.isel(init_time=0, lead_time=0)
        for name in (name for name in levels if len(levels[name]) > 1):
            defined = np.isfinite(values_of(first[name], levels[name], "number")).any(axis=(0, 2, 3))
            if defined.any():
                levels[name] = tuple(np.asarray(levels[name])[defined].tolist())
        return levels

    @cached_property
    def channels(self) -> tuple[str, ...]:
        """Names of the forecast's channels."""
        return tuple(str(Channel(name, level)) for name, levels in self.levels.items() for level in levels or (None,))

    @cached_property
    def shape(self) -> tuple[int, int, int]:
        """(init, lead, channel)."""
        return self.forecast.sizes["init_time"], self.forecast.sizes["lead_time"], len(self.channels)

    def fields(self, init: int) -> Iterator[tuple[slice, int, Fields]]:
        """Yield one init time block by block: the lead times, the position of the channel, and its fields."""
        channel = 0
        for name, levels in self.levels.items():
            for leads in self._lead_blocks(max(len(levels), 1)):
                block = self._read(name, init, leads)
                for level in range(max(len(levels), 1)):
                    yield (
                        leads,
                        channel + level,
                        self._checked(init, leads, channel + level, [array[..., level, :, :] for array in block]),
                    )
            channel += max(len(levels), 1)

    @cached_property
    def _valid_times(self) -> np.ndarray:
        """`[init, lead]`."""
        times: np.ndarray = self.forecast["init_time"].values[:, None] + self.forecast["lead_time"].values
        return times

    @cached_property
    def _truth_index(self) -> np.ndarray:
        return time_index(self.truth, self._valid_times, "the truth")

    @cached_property
    def _expected(self) -> Reference | None:
        return None if self.reference is None else as_reference(self.reference)

    @cached_property
    def _expected_of(self) -> dict[str, Reference]:
        """What each variable is compared with, which computes no other."""
        if self._expected is None:
            return {}
        return {name: narrowed(self._expected, {name: levels}) for name, levels in self.levels.items()}

    @cached_property
    def _areas(self) -> np.ndarray:
        """Cell areas, `[lat, lon]`."""
        return np.broadcast_to(self.grid.cell_areas()[:, None], self.grid.shape)

    @cached_property
    def domain(self) -> Domain:
        """Levels and points that are judged.

        Raises:
            UserError: A channel of the truth is NaN everywhere.
        """
        if self.within is not None:
            return self.within
        first, since = self.truth.isel(time=self._truth_index[0, 0]), self._valid_times[0, 0]
        masks = {name: np.isfinite(values_of(first[name], levels)) for name, levels in self.levels.items()}
        for channel in np.flatnonzero(~np.concatenate(list(masks.values())).any(axis=(1, 2))):
            raise UserError(
                f"the truth of {self.channels[channel]} is NaN everywhere at {_text(since)}",
                "mend the truth",
                self._others_than(int(channel)),
            )
        return Domain(self.levels, masks, since)

    @cached_property
    def _masks(self) -> np.ndarray:
        """Where the truth is defined, `[channel, lat, lon]`."""
        return np.concatenate(list(self.domain.masks.values()))

    def _require_channels(self, owner: str, dataset: xr.Dataset) -> None:
        try:
            grid = spec_of(dataset, self.channels).grid
        except UserError as error:
            raise UserError(
                f"{owner} lacks what the forecast has: {error}", _keep(self._shared(dataset), "pass one that has it")
            ) from None
        if not grid.is_same(self.grid):
            raise UserError(
                f"{owner} lies on another grid than the forecast, {_extent(grid)} instead of {_extent(self.grid)};"
                f" {REGRID}"
            )

    def _lead_blocks(self, n_levels: int) -> Iterator[slice]:
        n_members = self.forecast.sizes.get("number", 1)
        n_leads = max(1, BLOCK_BYTES // (4 * n_members * n_levels * self.grid.n_lat * self.grid.n_lon))
        return (slice(start, start + n_leads) for start in range(0, self.shape[1], n_leads))

    def _read(self, name: str, init: int, leads: slice) -> list[np.ndarray]:
        """Read one variable: `[member, lead, level, lat, lon]`, truth and reference `[lead, level, lat, lon]`."""
        levels = self.levels[name]
        members = values_of(self.forecast[name].isel(init_time=init, lead_time=leads), levels, "number", "lead_time")
        truth = values_of(self.truth[name].isel(time=as_slice(self._truth_index[init, leads])), levels, "time")
        if self._expected is None:
            return [members, truth, np.broadcast_to(np.float32("nan"), truth.shape)]
        expected = on_grid(self._expected_of[name].at(self._valid_times[init, leads]), self.grid)
        return [members, truth, np.broadcast_to(values_of(expected[name], levels, "time"), truth.shape)]

    def _checked(self, init: int, leads: slice, channel: int, arrays: list[np.ndarray]) -> Fields:
        mask = self._masks[channel]
        times = self._valid_times[init, leads]
        self._refuse((np.isfinite(arrays[1]) != mask).any(axis=(1, 2)), "the truth", channel, times)
        fields = Fields(*(_points(array, mask) for array in [*arrays, self._areas]))
        self._refuse(~np.isfinite(fields.members).all(axis=(0, 2)), "the forecast", channel, times)
        if self.reference is not None:
            self._refuse(~np.isfinite(fields.reference).all(axis=1), "the climatology or threshold", channel, times)
        return fields

    def _refuse(self, wrong: np.ndarray, owner: str, channel: int, times: np.ndarray) -> None:
        if wrong.any():
            is_forecast = owner == "the forecast"
            raise UserError(
                f"{owner} of {self.channels[channel]} valid at {_text(times[wrong][0])} is not finite where the truth "
                f"is at {_text(self.domain.since)}, or the reverse",
                *([_DROP_STOPPED] if is_forecast else []),
                "mend it",
                self._others_than(channel),
            )

    def _shared(self, dataset: xr.Dataset) -> list[str]:
        """Return the channels of the forecast that a dataset has, too."""
        return [name for name in self.channels if _has(dataset, Channel.parse(name))]

    def _others_than(self, channel: int) -> str | Option:
        return _keep([name for name in self.channels if name != self.channels[channel]], "")


def _has(dataset: xr.Dataset, channel: Channel) -> bool:
    if channel.variable not in dataset.data_vars:
        return False
    return channel.level is None or channel.level in np.atleast_1d(dataset[channel.variable].coords.get("level", ()))


def _keep(channels: Sequence[str], otherwise: str) -> str | Option:
    """Return how to judge these channels alone, the first of them named."""
    if not channels:
        return otherwise
    named = [*channels[:_MOST_NAMED], *(["..."] if len(channels) > _MOST_NAMED else [])]
    purpose = "to leave the others out"
    return Option("channels", ",".join(named), purpose, f"products.convert.select(forecast, {named})")


def _points(array: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Gather `[..., lat, lon]` at the mask's points, `[..., point]`."""
    flat = array.reshape(*array.shape[:-2], -1)
    return flat if mask.all() else flat[..., mask.ravel()]


def _extent(grid: LatLonGrid) -> str:
    return f"{grid.n_lat} x {grid.n_lon} from {grid.latitude[0]:g} N {grid.longitude[0]:g} E"


def _text(time: object) -> str:
    """Return a time to the minute, as ISO 8601."""
    return str(np.datetime64(time, "m"))  # type: ignore[call-overload]
