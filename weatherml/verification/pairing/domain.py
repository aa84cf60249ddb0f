"""What of a forecast is judged: the levels of its variables, and the points where the truth is defined."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np


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
