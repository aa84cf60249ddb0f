"""What one of several processes does of something that they make together."""

import re
from dataclasses import dataclass
from typing import Self

import numpy as np

from weatherml.errors import UserError


@dataclass(frozen=True)
class Share:
    """What one of several processes does of a whole: every `count`-th piece from `index` on.

    Raises:
        UserError: There is no such share.
    """

    index: int = 0
    count: int = 1

    def __post_init__(self) -> None:
        _require_share(self.index, self.count, "share")

    @classmethod
    def parse(cls, text: str, called: str = "share") -> Self:
        """Read `2/8`.

        Args:
            text: Index and count.
            called: What a share is where it is asked for, such as `part`.

        Raises:
            UserError: It is none.
        """
        match = re.fullmatch(r"(\d+)/(\d+)", text)
        if match is None:
            raise UserError(f"{called} {text!r} must read INDEX/COUNT, for example 0/8 to 7/8 in eight processes")
        index, count = int(match[1]), int(match[2])
        _require_share(index, count, called)
        return cls(index, count)

    @property
    def name(self) -> str:
        """What files of this share begin with."""
        return f"share-{self.index}-of-{self.count}"

    def of(self, n_pieces: int) -> range:
        """Return the positions of the pieces."""
        return range(self.index, n_pieces, self.count)


def _require_share(index: int, count: int, called: str) -> None:
    for number in (own for own in (index, count) if not isinstance(own, int | np.integer) or own < 0):
        raise UserError(
            f"{called} {index}/{count} is no {called}, as {number!r} is no number of pieces; give 0, 1, 2 ..."
        )
    if not count:
        raise UserError(f"{called} {index}/0 is no {called}; 0/1 is all of it")
    if not index < count:
        known = f"0/{count} to {count - 1}/{count}" if count > 1 else "0/1 is all of it"
        raise UserError(f"there is no {called} {index} of {count} ({index}/{count}); count from 0: {known}")


WHOLE = Share()
"""All of it."""
