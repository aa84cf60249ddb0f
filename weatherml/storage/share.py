"""What one of several processes does of something that they make together."""

import re
from dataclasses import dataclass
from typing import Self

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
        if not self.count:
            raise UserError(f"share {self.index}/0 is no share; 0/1 is all of it")
        if not self.index < self.count:
            last = f"{self.count - 1}/{self.count}"
            raise UserError(f"share {self.index}/{self.count} must be one of 0/{self.count} to {last}; count from 0")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `2/8`.

        Raises:
            UserError: It is none.
        """
        match = re.fullmatch(r"(\d+)/(\d+)", text)
        if match is None:
            raise UserError(f"share {text!r} must read INDEX/COUNT, for example 0/8 to 7/8 in eight processes")
        return cls(int(match[1]), int(match[2]))

    @property
    def name(self) -> str:
        """What files of this share begin with."""
        return f"share-{self.index}-of-{self.count}"

    def of(self, n_pieces: int) -> range:
        """Return the positions of the pieces."""
        return range(self.index, n_pieces, self.count)


WHOLE = Share()
"""All of it."""
