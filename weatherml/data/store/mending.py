"""Files of a store that has changed since it was made, made again from all that it was made from."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import xarray as xr

from weatherml.data.source import Source, SourceAround, bytes_of_a_time
from weatherml.data.store.layout import Layout, has_checksums
from weatherml.data.store.making.cutting import Part
from weatherml.data.store.making.engine import Progress
from weatherml.data.store.making.parts import read, write
from weatherml.data.store.making.workspace import FOLDER, Workspace
from weatherml.data.store.manifest import FileNote, Manifest, fitting
from weatherml.errors import UserError
from weatherml.storage.places import Place, Root, place_at
from weatherml.storage.share import WHOLE

_MOST_WORDS = 160


def mend(store: Root, sources: Sequence[Source], memory: int, progress: Progress | None = None) -> int:
    """Make missing and damaged files of a store again, to the bytes that were noted; return how many there were.

    Args:
        store: A complete store, that may have grown or been refreshed since it was made.
        sources: What it was made from, the latest first: each time is read from the first that has it.
        memory: Bytes to be held.
        progress: Told how many files are done, and how many there are.

    Raises:
        NoFieldError: A file tells what the store is.
        UserError: Files cannot be made again as they were; those before them are.
    """
    workspace = Workspace(place_at(store))
    place = workspace.place
    with workspace.taking_part(WHOLE):
        workspace.finish()
        manifest = Manifest.load(place)
        damaged = sorted(set(manifest.files) - fitting(place, manifest.files))
        if damaged:
            mender = _Mender(place, manifest, sources, memory)
            mender.require_fields(damaged)
            for number, file in enumerate(damaged):
                mender.mend(file)
                if progress is not None:
                    progress(number + 1, len(damaged))
    return len(damaged)


class NoFieldError(UserError):
    """A damaged file does not hold values of a field: it tells what the store is."""


class _Mender:
    """Makes files of one store again."""

    def __init__(self, place: Place, manifest: Manifest, sources: Sequence[Source], memory: int) -> None:
        self._place, self._manifest, self._memory = place, manifest, memory
        try:
            stored = xr.open_zarr(place.zarr, chunks=None, consolidated=True)
            self._source = _Origins(sources, stored)
        except Exception as error:  # whatever its libraries make of damaged metadata
            raise self._beyond(NoFieldError, "what declares it", error) from error
        layouts = [
            Layout.of(stored[name], manifest.n_times, manifest.shard_length, has_checksums(place, name))
            for name in manifest.variables
        ]
        self._layouts = {layout.file(index): (layout, index) for layout in layouts for index in range(layout.n_files)}

    def require_fields(self, files: Sequence[str]) -> None:
        """Require that files hold values of fields."""
        for file in files:
            if file not in self._layouts:
                raise self._beyond(NoFieldError, file, "the store has changed since it was made")

    def mend(self, file: str) -> None:
        """Make a file again, to the bytes that were noted."""
        layout, index = self._layouts[file]
        key = f"{FOLDER}/mended/{file}"
        try:
            with self._place.explaining_errors():
                note = self._write_static(layout, key) if layout.is_static else self._write(layout, index, key)
            if note.checksum != self._manifest.files[file].checksum:
                raise self._beyond(UserError, file, "what it was made from gives other values now")
            with self._place.explaining_errors():
                self._place.move({key: file})
        finally:
            self._place.remove_folder(f"{FOLDER}/mended")

    def _write(self, layout: Layout, index: int, key: str) -> FileNote:
        part = Part(layout, index, index + 1)
        first = self._source.read(self._source.times()[part.times][:1], [layout.name])[layout.name].isel(time=0)
        missing = np.isnan(first.values) if np.isnan(first.values).any() else None
        with self._place.writing() as path_of:
            blocks = read(self._source, part, missing, self._memory)
            return write(part, blocks, {layout.file(index): path_of(key)})[layout.file(index)]

    def _write_static(self, layout: Layout, key: str) -> FileNote:
        content = layout.compress(self._source.static(layout.name))
        self._place.write(key, content)
        return FileNote.of(content)

    def _beyond(self, kind: type[UserError], what: str, reason: object) -> UserError:
        told = " ".join(str(reason).split())[:_MOST_WORDS]
        return kind(f"{self._place}: {what} cannot be made again as it was: {told}; ingest into another store")


class _Origins(SourceAround):
    """Several sources as one, which has the times of a store."""

    def __init__(self, sources: Sequence[Source], stored: xr.Dataset) -> None:
        super().__init__(sources[0])
        self._sources, self._times = sources, stored["time"].values
        self._varying = {str(name) for name, field in stored.data_vars.items() if "time" in field.dims}

    def times(self) -> npt.NDArray[np.datetime64]:
        """Times of the store, `datetime64[ns]` [time]."""
        return self._times

    def piece_starts(self, variable: str) -> npt.NDArray[np.int64]:
        """Return that of pieces nothing is known."""
        return np.arange(len(self._times))

    def bytes_of_a_time(self, variable: str) -> int:
        """Return the most bytes that one of the sources holds for a time of a variable."""
        return max(bytes_of_a_time(one, variable) for one in self._sources if variable in one.variables())

    def static(self, name: str) -> np.ndarray:
        """Return a field without time, float32 `[lat, lon]`, as the first source that has it tells it with others.

        Raises:
            UserError: None has it.
        """
        for source in (one for one in self._sources if name in one.variables()):
            others = [other for other in source.variables() if other in self._varying]
            return np.asarray(source.read(source.times()[:1], [name, *others[:1]])[name].values, np.float32)
        raise UserError(f"nothing that the store was made from has {name} any more")

    def read(self, times: npt.NDArray[np.datetime64], variables: Sequence[str]) -> xr.Dataset:
        """Return variables at times, each from the first source that has it.

        Raises:
            UserError: None has it.
        """
        parts, left = list[xr.Dataset](), times
        for source in (one for one in self._sources if set(variables) <= set(one.variables())):
            own = np.isin(left, source.times())
            parts += [source.read(left[own], variables)] if own.any() else []
            left = left[~own]
        if left.size:
            raise UserError(f"nothing that the store was made from has {variables[0]} at {left[0]:.16} any more")
        joined = xr.concat(parts, "time", data_vars="minimal", coords="minimal", compat="override", join="exact")
        return joined.sortby("time")
