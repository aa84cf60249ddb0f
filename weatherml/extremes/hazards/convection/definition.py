"""What makes severe convection likely."""

from dataclasses import dataclass
from typing import Literal

from weatherml.errors import UserError

Parcel = Literal["surface", "mixed_layer", "most_unstable"]
"""The air that rises: that at the ground; that of the lowest layer, mixed; or the warmest and moistest of the layers
near the ground, by equivalent potential temperature."""


@dataclass(frozen=True)
class Definition:
    """Thresholds of severe convection.

    Attributes:
        parcel: Which air rises.
        mixed_depth: Of the layer that is mixed, hPa.
        search_depth: Of the layers among which the most unstable is looked for, hPa.
        shear_height: Above the ground, m, up to which the wind's change counts.
        severe: Least product of convective available potential energy and that change, m3 s-3: Craven and Brooks (2004,
            Nat. Wea. Digest 28, 13-24) found 20 000 to tell significant severe storms, ExtremeWeatherBench says 22 500.

    Raises:
        UserError: A depth or a height is not above zero.
    """

    parcel: Parcel = "mixed_layer"
    mixed_depth: float = 100.0
    search_depth: float = 300.0
    shear_height: float = 6000.0
    severe: float = 22_500.0

    def __post_init__(self) -> None:
        for name in ("mixed_depth", "search_depth", "shear_height"):
            if getattr(self, name) <= 0:
                raise UserError(f"{name} must be above zero, got {getattr(self, name)}; leave it out for the usual")
