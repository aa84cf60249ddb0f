"""Many files as one canonical dataset by their index: joined as `open_files` joins them, and read field by field."""

import json
import math
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from weatherml.data.notes import join_notes, notes
from weatherml.data.reading.copies import NONE, Copies, Difference, difference
from weatherml.data.reading.file_index import cache
from weatherml.data.reading.file_index.alike import Portion, put_together
from weatherml.data.reading.file_index.contents import Contents
from weatherml.data.reading.file_index.entry import FileEntry, FileToRead
from weatherml.data.reading.file_index.reader import FieldReader, lazy_field
from weatherml.data.reading.file_index.rows import Place, Rows
from weatherml.data.reading.file_index.scan import index_files
from weatherml.data.reading.file_index.stamps import stamp_of_all
from weatherml.data.reading.merge import Part, join
from weatherml.data.reading.selection import FORMAT, on_levels, require_read, require_renamed, tell_what_was_passed_over
from weatherml.errors import UserError
from weatherml.grid import LatLonGrid
from weatherml.state import with_metadata

_BLOCK_BYTES = 16 * 2**20


class IndexedFiles:
    """Files of one grid, joined along time, across levels, variable beside variable.

    A variable is told by its rows: the numbers of its fields, `(time, number, level)` each where it has it.

    Attributes:
        files: The files.
        entries: What each of them holds.
    """

    def __init__(
        self,
        files: Sequence[FileToRead],
        variables: Collection[str] | None = None,
        levels: Sequence[int] | None = None,
        folder: Path | None = None,
    ) -> None:
        """Look at the files that have not been looked at before.

        Args:
            files: The files.
            variables: Canonical names to keep; all when None. What is left out need not fit the rest.
            levels: Pressure levels to keep, hPa; all when None.
            folder: Where the index is kept; nowhere when None.

        Raises:
            UserError: A file cannot be read, or nothing that is in them.
        """
        self.files, self._variables, self._levels, self._folder = files, variables, levels, folder
        self.entries = index_files(files, variables, folder)
        if variables is not None and not _hold_something(self.entries):
            variables = None  # so that messages can tell what there is
            self.entries = index_files(files, None, folder)
        if not _hold_something(self.entries):
            raise UserError(next(message for entry in self.entries for message, _ in entry.passed))
        self._numbers, self._n_compared = Rows(), 0
        self._notes_on_copies: list[str] = []
        self._reader = FieldReader(files, self.entries, variables, self._numbers)

    @cached_property
    def rows(self) -> dict[str, xr.DataArray]:
        """The variables by name, each of its own times.

        Raises:
            UserError: The files do not fit together.
        """
        parts = [self._part(group) for group in put_together(self._portions)]
        rows = self._join(on_levels(parts, self._levels))
        require_read(self._variables or (), xr.Dataset(dict.fromkeys(rows, 0), attrs=self.attrs))
        self._require_renamed()
        return rows

    def _require_renamed(self) -> None:
        renamed = {item: None for file in self.files for item in file.rename.items()}
        if renamed:
            fields = (field.attrs for portion in self._portions for field in portion.structure.fields.values())
            told = notes(xr.Dataset(attrs=self.attrs))
            require_renamed(renamed, fields, told, self._variables or ())

    @cached_property
    def attrs(self) -> dict[str, Any]:
        """What was put right or passed over, and the formats of the files."""
        own = (self._contents(portion.place).attrs for portion in self._portions)
        told = (xr.Dataset(attrs=attrs) for attrs in {json.dumps(attrs): attrs for attrs in own}.values())
        passed = (note for entry in self.entries for _, note in entry.passed)
        dataset = tell_what_was_passed_over(xr.Dataset(attrs=join_notes(told)), passed)
        return {**dataset.attrs, FORMAT: sorted({entry.kind for entry in self.entries})}

    @cached_property
    def grid(self) -> LatLonGrid:
        """The one grid of all files."""
        first = self._portions[0].structure.coordinates
        return LatLonGrid.from_coordinates(first["latitude"], first["longitude"])

    def read(self, rows: Mapping[str, xr.DataArray]) -> xr.Dataset:
        """Return the values behind rows of the same times, lazy without dask: what is selected of them is read."""
        fields = {name: lazy_field(self._reader, field, self.grid.shape) for name, field in rows.items()}
        horizontal = {"latitude": np.asarray(self.grid.latitude), "longitude": np.asarray(self.grid.longitude)}
        dataset = xr.Dataset(fields, {**xr.Dataset(rows).coords, **horizontal}, self.attrs)
        return with_metadata(tell_what_was_passed_over(dataset, self._notes_on_copies))

    def block_lengths(self, rows: Mapping[str, xr.DataArray]) -> tuple[int, ...]:
        """Return in how many times each to read rows of the same times so that no chunk of a file is read twice.

        Blocks have some 16 MiB of the largest variable, or one chunk of its file where that is larger.
        """
        varying = [field for field in rows.values() if "time" in field.dims]
        starts = [set(self.piece_starts(field).tolist()) for field in varying]
        common = sorted(set.intersection(*starts))
        n_times = varying[0].sizes["time"]
        most = max(field.size for field in varying) // n_times * math.prod(self.grid.shape) * 4
        length = max(1, _BLOCK_BYTES // most)
        chosen = [0]
        for start, following in zip(common, [*common[1:], n_times], strict=True):
            if following - chosen[-1] > length and start > chosen[-1]:
                chosen.append(start)
        return tuple(np.diff([*chosen, n_times]).tolist())

    def piece_starts(self, field: xr.DataArray) -> npt.NDArray[np.int64]:
        """Return the positions in time at which other files, or other chunks of a file, begin in rows."""
        numbers = field.transpose("time", ...).values.reshape(field.sizes["time"], -1)
        pieces = self.pieces(np.fmax.reduce(numbers, axis=1).astype(np.int64))  # NaN: a level that it lacks
        return np.flatnonzero(np.diff(pieces, prepend=-1))

    def pieces(self, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return which chunk of which file holds each field `[field]`, as numbers that are equal for equal chunks."""
        found = np.full((numbers.size, 3), -1)
        for slab in self._numbers.find(numbers):
            length = self._contents(slab.place).read_structure().fields[slab.variable].piece
            found[slab.target, :2] = slab.place.file, slab.place.number
            found[slab.target, 2] = slab.positions[0] // length
        return np.unique(found, axis=0, return_inverse=True)[1].ravel()

    @cached_property
    def _portions(self) -> list[Portion]:
        """The canonical datasets of all files."""
        return [
            _portion(file, number, contents)
            for file, entry in enumerate(self.entries)
            for number, contents in enumerate(entry.contents)
            if contents is not None
        ]

    def _part(self, group: Sequence[Portion]) -> Part:
        first = min(group, key=lambda portion: portion.place[:2]).place.file
        dataset = self._numbers.dataset(group[0].structure, [portion.place for portion in group])
        return Part(str(self.files[first].path), dataset)

    def _join(self, parts: Sequence[Part]) -> dict[str, xr.DataArray]:
        """Join parts; that copies of fields are equal is remembered as long as no file changes."""
        copies = Copies(self._difference)
        rows, self._notes_on_copies = join(parts, copies), copies.notes
        if self._n_compared and self._folder is not None:
            if self._known_notes is None:
                cache.keep_notes_on_copies(self._folder, self._claim, copies.notes)
            else:
                self._notes_on_copies = self._known_notes
        return rows

    @cached_property
    def _known_notes(self) -> list[str] | None:
        """What was said of copies in these files; None where they have not been compared before."""
        return None if self._folder is None else cache.notes_on_copies(self._folder, self._claim)

    @cached_property
    def _claim(self) -> str:
        """The files as they are now, any value of theirs; asked for where there are copies alone."""
        stamps = [
            [str(file.path.absolute()), entry.stamp, stamp_of_all(file.path)]
            for file, entry in zip(self.files, self.entries, strict=True)
        ]
        return json.dumps([stamps, self._variables and sorted(self._variables), self._levels])

    def _difference(self, one: xr.DataArray, two: xr.DataArray) -> Difference:
        """Return by how much two fields differ; what is known of them spares reading them."""
        if not one.dims and not two.dims and (digest := self._reader.digest(int(one))):
            if digest == self._reader.digest(int(two)):
                return NONE
        self._n_compared += 1
        if self._known_notes is not None:
            return NONE
        return difference(*(self.read({str(rows.name): rows})[str(rows.name)] for rows in (one, two)))

    def _contents(self, place: Place) -> Contents:
        contents = self.entries[place.file].contents[place.number]
        assert contents is not None
        return contents


def _hold_something(entries: Sequence[FileEntry]) -> bool:
    return any(contents is not None for entry in entries for contents in entry.contents)


def _portion(file: int, number: int, contents: Contents) -> Portion:
    times = None if contents.times is None else np.array(contents.times, np.int64)
    return Portion(Place(file, number, times), contents.structure, contents.read_structure())
