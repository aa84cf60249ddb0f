"""The requests that a period is fetched with: of one month each, of few enough fields, and the same from run to run."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from weatherml.config import Config
from weatherml.data.reading.canonical import STATIC
from weatherml.data.sources.cds.catalogue import PRESSURE, RESOLUTION, SINGLE, grib_name, service_name
from weatherml.data.sources.cds.config import CdsConfig

Pair = tuple[str, int | None]
"""A variable and its level in hPa; None at one height."""

_HEADER_BYTES = 200
_BYTES_A_VALUE = 2  # ERA5 is packed with 16 bits


class Month(NamedTuple):
    """Times of one month: `2020-01`, days and hours; all hours of all days."""

    name: str
    days: tuple[int, ...]
    hours: tuple[int, ...]


_FIXED = Month("2000-01", (1,), (0,))
"""When fields that do not change are asked for, so that another period does not ask for them again."""


class Unit(Config):
    """One request, and the files that answer it.

    Attributes:
        dataset: Which of the service's data sets.
        variables: Canonical names.
        levels: Pressure levels in hPa, rising; empty at one height.
        month: `2020-01`.
        days: Of the month.
        hours: Of each day.
        grid: Distance between points in degrees; the service's own when None.
        area: North, west, south, east; the whole Earth when None.
    """

    dataset: str
    variables: tuple[str, ...]
    levels: tuple[int, ...]
    month: str
    days: tuple[int, ...]
    hours: tuple[int, ...]
    grid: float | None
    area: tuple[float, float, float, float] | None

    @cached_property
    def name(self) -> str:
        """Begins the names of its files."""
        kind = "levels" if self.dataset == PRESSURE else "single"
        short = "-".join(map(grib_name, self.variables[:6]))
        return f"{self.month}_{kind}_{short}_{hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:8]}"

    @property
    def pairs(self) -> set[Pair]:
        """What it holds at every time."""
        return set(product(self.variables, self.levels or (None,)))

    @property
    def times(self) -> npt.NDArray[np.datetime64]:
        """Its times, `datetime64[ns]` [time]."""
        days = (f"{self.month}-{day:02}" for day in self.days)
        moments = [f"{day}T{hour:02}" for day, hour in product(days, self.hours)]
        return np.array(moments, "datetime64[ns]")

    @property
    def n_fields(self) -> int:
        """Fields that it asks for."""
        return len(self.pairs) * len(self.days) * len(self.hours)

    def n_bytes(self, n_points: int) -> int:
        """Return about how many bytes answer it, for fields of so many points."""
        return self.n_fields * (n_points * _BYTES_A_VALUE + _HEADER_BYTES)

    def request(self) -> dict[str, Any]:
        """Return the request as the service takes it."""
        year, month = self.month.split("-")
        asked: dict[str, Any] = {
            "product_type": ["reanalysis"],
            "variable": [service_name(variable) for variable in self.variables],
            "year": [year],
            "month": [month],
            "day": [f"{day:02}" for day in self.days],
            "time": [f"{hour:02}:00" for hour in self.hours],
            "data_format": "grib",
            "download_format": "unarchived",
        }
        if self.levels:
            asked["pressure_level"] = list(map(str, self.levels))
        if self.grid not in (None, RESOLUTION):
            asked["grid"] = [self.grid, self.grid]
        return asked if self.area is None else asked | {"area": list(self.area)}

    def serves(self, config: CdsConfig, month: Month) -> bool:
        """Return whether its files hold all times of a month as a configuration wants them."""
        same = (self.grid, self.area) == (config.grid, config.area) and self.month == month.name
        return same and set(month.days) <= set(self.days) and set(month.hours) <= set(self.hours)


def plan(config: CdsConfig, *held: Iterable[Unit]) -> list[Unit]:
    """Return the units that hold all that a configuration asks for, and no field twice.

    Args:
        config: What is asked for.
        held: Units that are there, then those that were only asked for; of each, those that are preferred first. What
            they hold is not asked for again.

    Raises:
        UserError: The service has not all of it.
    """
    by_month = [_by_month(units) for units in held]
    months = ((month, wanted, [units[month.name] for units in by_month]) for month, wanted in _wanted(config))
    planned = (unit for month, wanted, units in months for unit in _plan_month(config, month, wanted, units))
    return list(dict.fromkeys(planned))  # one may hold hours that are summed up and fields that are not


def _by_month(units: Iterable[Unit]) -> dict[str, list[Unit]]:
    by_month = defaultdict(list)
    for unit in units:
        by_month[unit.month].append(unit)
    return by_month


def _wanted(config: CdsConfig) -> Iterator[tuple[Month, set[Pair]]]:
    """Yield months with what is to be had of them: fields that do not change, then those with the same times."""
    pairs = {(channel.variable, channel.level) for channel in config.parsed}
    fixed = {(variable, level) for variable, level in pairs if variable in STATIC}
    yield _FIXED, fixed
    summed = {(variable, level) for variable, level in pairs if variable in config.windows}
    for month in _months(config.times()):
        yield month, pairs - fixed - summed
    for pair in sorted(summed, key=str):
        for month in _months(config.times_of(pair[0])):
            yield month, {pair}


def _plan_month(config: CdsConfig, month: Month, wanted: set[Pair], held: Iterable[list[Unit]]) -> Iterator[Unit]:
    covered: set[Pair] = set()
    for units in held:
        serving = [unit for unit in units if unit.serves(config, month) and unit.pairs & wanted]
        for unit in _chosen(serving, wanted, covered):
            covered |= unit.pairs
            yield unit
    yield from _new_units(config, month, wanted - covered)


def _chosen(units: list[Unit], wanted: set[Pair], covered: set[Pair]) -> list[Unit]:
    """Return units that hold no field twice: the preferred ones, unless the largest hold more of what is wanted."""
    orders = units, sorted(units, key=lambda unit: -len(unit.pairs & wanted))
    return max((_apart(order, covered) for order in orders), key=lambda some: sum(len(u.pairs & wanted) for u in some))


def _apart(units: Iterable[Unit], covered: set[Pair]) -> list[Unit]:
    """Return units, each unless one before it, or what is covered already, has a field of it."""
    apart, taken = [], set(covered)
    for unit in units:
        if not unit.pairs & taken:
            taken |= unit.pairs
            apart.append(unit)
    return apart


def _months(times: npt.NDArray[np.datetime64]) -> list[Month]:
    names, first = np.unique(times.astype("datetime64[M]"), return_index=True)
    return [_month(str(name), part) for name, part in zip(names, np.split(times, first[1:]), strict=True)]


def _month(name: str, times: npt.NDArray[np.datetime64]) -> Month:
    """Return the month that holds times: where its days differ, all hours of any."""
    hours = (times - np.datetime64(name, "ns")) // np.timedelta64(1, "h")
    days = np.unique(hours // 24 + 1).tolist()
    return Month(name, tuple(map(int, days)), tuple(map(int, np.unique(hours % 24).tolist())))


def _new_units(config: CdsConfig, month: Month, wanted: set[Pair]) -> Iterator[Unit]:
    """Yield requests for pairs: variables with the same levels together, as many as a request may hold."""
    most = max(config.fields_per_request // (len(month.days) * len(month.hours)), 1)
    for levels, variables in _groups(wanted):
        for some in _split(levels, most) if levels else [()]:
            for few in _split(variables, max(most // max(len(some), 1), 1)):
                dataset = PRESSURE if some else SINGLE
                yield Unit(
                    dataset=dataset,
                    variables=few,
                    levels=some,
                    month=month.name,
                    days=month.days,
                    hours=month.hours,
                    grid=config.grid,
                    area=config.area,
                )


def _groups(wanted: set[Pair]) -> list[tuple[tuple[int, ...], tuple[str, ...]]]:
    """Return variables, in alphabetical order, by their levels."""
    levels: dict[str, list[int]] = defaultdict(list)
    for variable, level in wanted:
        levels[variable] += [] if level is None else [level]
    together: dict[tuple[int, ...], list[str]] = defaultdict(list)
    for variable in sorted(levels):
        together[tuple(sorted(levels[variable]))].append(variable)
    return [(key, tuple(names)) for key, names in sorted(together.items())]


def _split(values: tuple[Any, ...], size: int) -> list[tuple[Any, ...]]:
    return [values[i : i + size] for i in range(0, len(values), size)]
