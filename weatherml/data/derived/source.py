"""A source and what follows from it."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt
import xarray as xr

from weatherml.data.derived.accumulation import Accumulated
from weatherml.data.derived.column import OverColumn
from weatherml.data.derived.derivation import Derivation, Request
from weatherml.data.derived.derivations import ACCUMULATIONS, DERIVATIONS, Sum
from weatherml.data.pieces import read_in_pieces, times_of
from weatherml.data.source import Source, SourceAround, bytes_of_a_time, inputs_of, piece_starts_among, read_levels
from weatherml.durations import format_duration
from weatherml.errors import UserError
from weatherml.errors.wording import listed
from weatherml.registry import nearest
from weatherml.state import LEADING, with_metadata
from weatherml.times import parse_times
from weatherml.variables import find

_DIMS = (*LEADING, "level", "latitude", "longitude")


class DerivedSource(SourceAround):
    """Another source with variables that it lacks, made when they are read."""

    def __init__(
        self,
        source: Source,
        names: Sequence[str],
        accumulated: Accumulated = "hourly",
        kept: Sequence[str] | None = None,
        levels: Sequence[int] | None = None,
    ) -> None:
        """Derive nothing yet.

        Args:
            source: What to derive from.
            names: Variables to derive, in any vocabulary; what the source has already stays as it is there.
            accumulated: What the source's accumulations stand for. Other than hourly ones are told only as what is
                derived from them.
            kept: Variables to tell; all of the source and all derived when None.
            levels: Pressure levels to tell, hPa; all of the source when None. What is summed over levels is summed over
                all of the source's.

        Raises:
            UserError: There is no way to derive one of the names.
        """
        super().__init__(source)
        self.names = canonical_names(names)
        self.accumulated: Accumulated = accumulated
        self._kept = None if kept is None else tuple(find(name).name for name in kept)
        self._kept_levels = None if levels is None else tuple(sorted(set(levels)))

    @property
    def levels(self) -> tuple[int, ...]:
        """Pressure levels in hPa, ascending."""
        own = self.source.levels
        if self._kept_levels is None or not own:
            return own
        absent = [level for level in self._kept_levels if level not in own]
        if absent:
            raise UserError(f"the {self.name} data have no level {absent[0]} hPa; they have {listed(own)}")
        return self._kept_levels

    def digest(self) -> str:
        """Fingerprint of the source and of what is derived from it."""
        parts = [
            self.source.digest(),
            *self.names,
            self.accumulated,
            repr(self._kept),
            *map(str, self._kept_levels or ()),
        ]
        return hashlib.sha256(" ".join(parts).encode()).hexdigest()

    def times(self) -> npt.NDArray[np.datetime64]:
        """Times of the source at which every derived variable can be made, `datetime64[ns]` `[time]`."""
        return self._times

    def variables(self) -> tuple[str, ...]:
        """Canonical names of the source's variables and of the derived ones."""
        names = tuple(dict.fromkeys([*self._own, *self.names]))
        return names if self._kept is None else tuple(name for name in names if name in self._kept)

    def piece_starts(self, variable: str) -> npt.NDArray[np.int64]:
        """Return where pieces begin of the first that a variable is made from."""
        way = self._derivations.get(variable)
        if way is not None and not way.inputs:
            return np.arange(len(self.times()))
        if way is None or isinstance(way, Sum):
            return piece_starts_among(self.source, variable if way is None else way.inputs[0], self.times())
        return self.piece_starts(way.inputs[0])

    def read(self, times: npt.NDArray[np.datetime64], variables: Sequence[str]) -> xr.Dataset:
        """Return the named variables at the named times, lazily.

        Raises:
            UserError: A variable or a time is not there.
        """
        times = parse_times(times)
        absent = np.setdiff1d(times, self.times())
        if absent.size:
            raise UserError(
                f"{self.name} with derived variables has no time {absent[0]:.16};"
                f" it has {self.times()[0]:.16} .. {self.times()[-1]:.16}"
            )
        request = Request(times, self.grid, self.accumulated)
        read = self._read_inputs(variables, times)
        fields = {name: self._field(name, read, request, self._kept_levels) for name in variables}
        return with_metadata(xr.Dataset(fields, attrs=read.attrs))

    @cached_property
    def _own(self) -> tuple[str, ...]:
        """What the source tells under names that mean the same here."""
        hidden = () if self.accumulated == "hourly" else ACCUMULATIONS
        return tuple(name for name in self.source.variables() if name not in hidden)

    @cached_property
    def _derivations(self) -> dict[str, Derivation]:
        found: dict[str, Derivation] = {}
        for name in self.names:
            self._choose(name, found, ())
        for way in found.values():
            way.require(self.source.levels)
        return found

    def bytes_of_a_time(self, variable: str) -> int:
        """Return how many bytes are held at once for each time of a variable: those of all that it is made of."""
        return sum(bytes_of_a_time(self.source, name) for name in self._made_of(variable))

    def inputs(self, variable: str) -> frozenset[str]:
        """Return which variables are read at the origin for one."""
        return frozenset[str]().union(*(inputs_of(self.source, name) for name in self._made_of(variable)))

    def hold_within(self, memory: int, shared: frozenset[str] = frozenset()) -> int:
        """Keep the source's own memory within a part of what there is; return what is left, bytes."""
        readers = Counter(name for variable in self.variables() for name in self.inputs(variable))
        return super().hold_within(memory, shared | {name for name, n in readers.items() if n > 1})

    def _made_of(self, variable: str) -> tuple[str, ...]:
        """Return variables of the source: the one itself, or what it is made of, be it through others."""
        way = self._derivations.get(variable)
        if way is None:
            return (variable,)
        names = way.inputs if isinstance(way, Sum) else [name for one in way.inputs for name in self._made_of(one)]
        return tuple(dict.fromkeys(names))

    def _choose(self, name: str, found: dict[str, Derivation], beneath: tuple[str, ...]) -> bool:
        """Find the first way to make a variable that the source allows, those of its inputs too, and enter them."""
        if name in self._own or name in found:
            return True
        for way in DERIVATIONS.get(name, ()) if name not in beneath else ():
            if self._allows(way, found, (*beneath, name)):
                found[name] = way
                return True
        if not beneath:
            raise UserError(self._why_not(name))
        return False

    def _allows(self, way: Derivation, found: dict[str, Derivation], beneath: tuple[str, ...]) -> bool:
        if isinstance(way, Sum):
            is_there = way.inputs[0] in self.source.variables()
            return is_there and bool(self._can_be_made(way).any())
        return all(self._choose(name, found, beneath) for name in way.inputs)

    def _why_not(self, name: str) -> str:
        way = DERIVATIONS[name][0]
        absent = [i for i in way.inputs if i not in self.source.variables()]
        if absent:
            return f"{name} is derived from {', '.join(way.inputs)}; the {self.name} data lack {', '.join(absent)}"
        have = f"{name} is {way.how}, but the {self.name} data ({self.accumulated}) have {way.inputs[0]}"
        if isinstance(way, Sum) and (step := self._too_coarse_for(way)):
            return f"{have} every {step} only; derive sums over multiples of {step}, or read data of every hour"
        return f"{have} at no time for all of that; read all hours, and choose among them by source.every"

    def _too_coarse_for(self, way: Sum) -> str:
        """Return the step of sums since a reset that no difference of two of them can resolve; else nothing."""
        known = times_of(self.source, way.inputs[0])
        if self.accumulated == "hourly" or len(known) < 2:
            return ""
        step = np.diff(known).min()
        return format_duration(step) if way.window % step else ""

    @cached_property
    def _times(self) -> npt.NDArray[np.datetime64]:
        times = self.source.times()
        made = [self._can_be_made(way) for way in self._derivations.values() if isinstance(way, Sum)]
        kept: npt.NDArray[np.datetime64] = times[np.logical_and.reduce([np.ones(len(times), bool), *made])]
        if not len(kept):
            raise UserError(f"{', '.join(self.names)}: the {self.name} data have no time at which all can be derived")
        return kept

    def _can_be_made(self, way: Sum) -> npt.NDArray[np.bool_]:
        """Return at which times of the source a sum can be made, bool `[time]`."""
        return way.can_be_made(self.source.times(), times_of(self.source, way.inputs[0]), self.accumulated)

    def _read_inputs(self, variables: Sequence[str], times: np.ndarray) -> xr.Dataset:
        """Read at once what the source itself has at the times asked for."""
        wanted, queue = dict[str, None](), list(variables)
        while queue:
            name = queue.pop(0)
            way = self._derivations.get(name)
            if way is None:
                wanted[name] = None
            elif not isinstance(way, Sum):
                queue += way.inputs
        unknown = [name for name in wanted if name not in self._own]
        if unknown:
            raise UserError(
                f"the {self.name} data have no variable {unknown[0]!r}{nearest(unknown[0], self.variables())}"
            )
        return read_in_pieces(self.source, times, tuple(wanted)) if wanted else xr.Dataset()

    def _field(self, name: str, read: xr.Dataset, request: Request, levels: tuple[int, ...] | None) -> xr.DataArray:
        """Return a variable of the source or one that is made, on some levels in hPa; on all when None."""
        way = self._derivations.get(name)
        if way is None:
            return (
                read[name]
                if levels is None or "level" not in read[name].dims
                else self._on(levels, read[name], request)
            )
        if isinstance(way, Sum):
            inputs = read_in_pieces(self.source, way.times_needed(request.times, self.accumulated), way.inputs)
        else:
            needed = None if isinstance(way, OverColumn) else levels
            inputs = xr.Dataset({i: self._field(i, read, request, needed) for i in way.inputs})
        field = way.derive(inputs, request).astype(np.float32)
        field.attrs = way.attributes(inputs)
        return field.transpose(*(dim for dim in _DIMS if dim in field.dims))

    def _on(self, levels: tuple[int, ...], field: xr.DataArray, request: Request) -> xr.DataArray:
        """Return a field of the source on some of its levels, of which a lazy source reads no others."""
        places = np.searchsorted(field["level"].values, levels)
        if field.chunks is None:
            return field.isel(level=places)
        return read_levels(self.source, request.times, str(field.name), places)


def canonical_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return canonical names of variables that can be derived.

    Raises:
        UserError: One cannot, or nobody knows it.
    """
    canonical = tuple(dict.fromkeys(find(name).name for name in names))
    for name in canonical:
        if name not in DERIVATIONS:
            raise UserError(f"there is no way to derive {name!r}{nearest(name, DERIVATIONS)}")
    return canonical
