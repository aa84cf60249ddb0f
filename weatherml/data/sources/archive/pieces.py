"""Pieces of fields that were fetched and will be asked for again, in a bounded memory."""

import threading
from collections import OrderedDict
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float32]


class PieceKey(NamedTuple):
    """A variable's times that are stored together.

    Attributes:
        variable: Canonical name.
        first: The first of its times, as a position among those of the source.
        n_times: How many of them are kept.
    """

    variable: str
    first: int
    n_times: int


class Piece(NamedTuple):
    """Values that are kept, float32 `[time, ...]`, and at which times they were read already, `[time]`."""

    values: Values
    is_read: npt.NDArray[np.bool_]


class PieceCache:
    """Pieces that were read, as many as fit: those used last, and rather those not yet read whole. Safe for threads.

    Args:
        n_bytes: What they may take together.
    """

    def __init__(self, n_bytes: int) -> None:
        self.n_bytes = n_bytes
        self._pieces: OrderedDict[PieceKey, Piece] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def n_used(self) -> int:
        """Bytes of the pieces that are kept."""
        return sum(piece.values.nbytes for piece in self._pieces.values())

    def take(self, key: PieceKey, chosen: npt.NDArray[np.int64], is_shared: bool = False) -> Values | None:
        """Return a piece at some of its times, None where it is not kept.

        Once all were taken it is the first to go, unless it is shared by several readers.
        """
        with self._lock:
            piece = self._pieces.get(key)
            if piece is None:
                return None
            piece.is_read[chosen] = True
            self._pieces.move_to_end(key, last=is_shared or not piece.is_read.all())
            return piece.values[chosen]

    def keep(self, key: PieceKey, values: Values, chosen: npt.NDArray[np.int64]) -> None:
        """Keep a piece that was read at some of its times, if there is room; let go of others for it."""
        if values.nbytes > self.n_bytes:
            return
        is_read = np.isin(np.arange(len(values)), chosen)
        with self._lock:
            self._pieces[key] = Piece(values, is_read)
            self._let_go()

    def limit(self, n_bytes: int) -> None:
        """Keep no more than so many bytes from now on."""
        with self._lock:
            self.n_bytes = n_bytes
            self._let_go()

    def _let_go(self) -> None:
        while self.n_used > self.n_bytes:
            self._pieces.popitem(last=False)
