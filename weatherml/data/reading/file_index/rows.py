"""Fields by number: files are joined as numbers of their fields first, and values are read where they are asked for.

A field is one variable at one time, of one member, at one level. A dataset of rows has the dimensions of its values
without latitude and longitude, and holds the number of each field; NaN where there is none.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import xarray as xr

from weatherml.data.reading.file_index.contents import HORIZONTAL, Structure


class Place(NamedTuple):
    """A canonical dataset of a file.

    Attributes:
        file: Position of the file among all.
        number: Position of the dataset in the file.
        times: Nanoseconds since 1970 `[time]`; None where it has no time.
    """

    file: int
    number: int
    times: npt.NDArray[np.int64] | None

    @property
    def n_times(self) -> int:
        """Number of times."""
        return 0 if self.times is None else self.times.size


class Run(NamedTuple):
    """Consecutive fields of one variable, out of files alike.

    Attributes:
        first: Number of the first field.
        shape: Sizes of time, number and level, 1 where the variable has none.
        variable: Canonical name.
        places: Where the times come from, in order.
        starts: Position of each place's first time.
    """

    first: int
    shape: tuple[int, int, int]
    variable: str
    places: Sequence[Place]
    starts: npt.NDArray[np.int64]


class Hyperslab(NamedTuple):
    """Fields of one variable in one file.

    Attributes:
        place: Where they are.
        variable: Canonical name.
        positions: Of time, number and level `[3, field]`.
        target: Which of the fields asked for each is `[field]`.
    """

    place: Place
    variable: str
    positions: npt.NDArray[np.int64]
    target: npt.NDArray[np.int64]


class Rows:
    """Numbers for fields, and where each field lies."""

    def __init__(self) -> None:
        self._runs: list[Run] = []
        self._end = 0

    def dataset(self, structure: Structure, places: Sequence[Place]) -> xr.Dataset:
        """Return the rows of files alike, one after the other in time.

        Args:
            structure: What they have in common.
            places: The files, with rising times that do not overlap; one where there is no time.
        """
        coordinates = {name: (name, values) for name, values in structure.coordinates.items()}
        if places[0].times is not None:
            times = np.concatenate([place.times for place in places if place.times is not None])
            coordinates["time"] = ("time", times.view("datetime64[ns]"))
        fields = {}
        for name, field in structure.fields.items():
            dims = tuple(dim for dim in field.dims if dim not in HORIZONTAL)
            sizes = {**structure.sizes, "time": sum(place.n_times for place in places)}
            fields[name] = (dims, self._number(name, {dim: sizes[dim] for dim in dims}, places), field.attrs)
        return xr.Dataset(fields, coordinates)

    def find(self, numbers: npt.NDArray[np.int64]) -> Iterable[Hyperslab]:
        """Yield where fields `[field]` lie, file by file; numbers below 0 are passed over."""
        firsts = np.array([run.first for run in self._runs])
        runs = np.searchsorted(firsts, numbers, side="right") - 1
        for index in np.unique(runs[numbers >= 0]):
            run = self._runs[index]
            target = np.flatnonzero((runs == index) & (numbers >= 0))
            positions = np.array(np.unravel_index(numbers[target] - run.first, run.shape))
            files = np.searchsorted(run.starts, positions[0], side="right") - 1
            for file in np.unique(files):
                here = np.flatnonzero(files == file)
                place, own = run.places[file], positions[:, here]
                own[0] -= run.starts[file]
                yield Hyperslab(place, run.variable, own, target[here])

    def _number(self, name: str, sizes: dict[str, int], places: Sequence[Place]) -> npt.NDArray[np.int64]:
        shape = (sizes.get("time", 1), sizes.get("number", 1), sizes.get("level", 1))
        lengths = [place.n_times if "time" in sizes else 1 for place in places]
        self._runs.append(Run(self._end, shape, name, places, np.cumsum([0, *lengths[:-1]])))
        count = int(np.prod(shape))
        numbers = np.arange(self._end, self._end + count).reshape(tuple(sizes.values()))
        self._end += count
        return numbers
