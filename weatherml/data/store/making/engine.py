"""Who makes the parts of a store: this process, or workers of dask. What they make has the same bytes."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from weatherml.data.source import Source
from weatherml.data.store.making.cutting import Part
from weatherml.data.store.making.parts import Block, read, read_ahead, write
from weatherml.data.store.making.workspace import Recorder, Workspace
from weatherml.process import workers
from weatherml.storage.places import Place


@dataclass(frozen=True)
class Task:
    """What a worker has to know beside the part.

    Attributes:
        place: Where the store is made.
        source: Where the values come from.
        request: What the workspace was begun for.
        memory: Bytes that a worker may hold.
        staged: Files that are replaced; their new versions wait.
    """

    place: Place
    source: Source
    request: Mapping[str, Any]
    memory: int
    staged: frozenset[str]

    def make(self, parts: "Group") -> Iterator[int]:
        """Make parts one after the other, the next block read while one is written; yield how many files each has."""
        with Recorder(Workspace(self.place), self.staged) as recorder, closing(read_ahead(self._read(parts))) as blocks:
            for position, own in groupby(blocks, key=itemgetter(0)):
                yield self._write(parts[position][0], (block for _, block in own), recorder)

    def make_all(self, parts: "Group") -> int:
        """Make parts one after the other; return how many files they have."""
        return sum(self.make(parts))

    def _read(self, parts: "Group") -> Iterator[tuple[int, Block]]:
        """Yield the blocks of all parts, with the position of the part."""
        for position, (part, missing) in enumerate(parts):
            yield from ((position, block) for block in read(self.source, part, missing, self.memory))

    def _write(self, part: Part, blocks: Iterable[Block], recorder: Recorder) -> int:
        """Write a part and note its files; return how many there are."""
        workspace = Workspace(self.place)
        with self.place.explaining_errors(), self.place.writing() as path_of:
            paths = {file: path_of(workspace.key(file, self.staged)) for file in part.files}
            notes = write(part, blocks, paths)
            workspace.require_request(self.request)
        recorder.add(notes)
        return len(notes)


Group = Sequence[tuple[Part, npt.NDArray[np.bool_] | None]]
"""Parts that one worker makes, and where their variables have no values."""
Work = Sequence[Group]


class Engine(Protocol):
    """Does the work of an ingestion."""

    def require_there(self) -> None:
        """Require, before anything is begun, that whoever does the work answers.

        Raises:
            UserError: They do not.
        """
        ...

    def run(self, task: Task, work: Work) -> Iterator[int]:
        """Make parts, in any order; yield how many files each has, once they are noted."""
        ...


class InProcess:
    """This process makes one part after the other, and reads the next block while it writes one."""

    def require_there(self) -> None:
        """Do nothing: it is there."""

    def run(self, task: Task, work: Work) -> Iterator[int]:
        """Make parts one after the other."""
        yield from task.make([part for group in work for part in group])


class Dask(workers.Dask):
    """Workers of a dask cluster make parts side by side; one that dies is replaced, and its part made again."""

    def run(self, task: Task, work: Work) -> Iterator[int]:
        """Make parts side by side.

        Raises:
            UserError: A package is missing, the scheduler does not answer, or a part cannot be made.
        """
        yield from self.map(task.make_all, work)


HERE = InProcess()
"""This process."""

Progress = Callable[[int, int], None]
"""Told the number of files done and of all files."""
