"""What makes an atmospheric river."""

from dataclasses import dataclass

from weatherml.errors import UserError


@dataclass(frozen=True)
class Definition:
    """Thresholds of an atmospheric river; the defaults are Guan and Waliser's (2015, doi:10.1002/2015JD024257).

    Attributes:
        percentile: Of the climatology of vapour transport at each place and season, in %, that it exceeds there; None
            where `transport` alone counts.
        window_days: Of the season around each date, where the climatology is computed: five months.
        transport: kg m-1 s-1 that it exceeds, too.
        least_latitude: Degrees; nearer to the equator no cell counts. Theirs leaves the tropics to `poleward`.
        length: Least length of its axis, km.
        length_to_width: Least length over width, where the width is the area over the length.
        poleward: Least poleward part of the mean transport, kg m-1 s-1.
        coherent_share: Least part of its area where transport points within `angle` of the mean transport.
        angle: Degrees.
        axis_angle: Most degrees between the mean transport and the line from one end of the axis to the other.

    Raises:
        UserError: A threshold is out of range.
    """

    percentile: float | None = 85.0
    window_days: int = 151
    transport: float = 100.0
    least_latitude: float = 0.0
    length: float = 2000.0
    length_to_width: float = 2.0
    poleward: float = 50.0
    coherent_share: float = 0.5
    angle: float = 45.0
    axis_angle: float = 45.0

    def __post_init__(self) -> None:
        if self.percentile is not None and not 0 < self.percentile < 100:
            raise UserError(f"percentile must lie between 0 and 100, got {self.percentile}; write 85, or None for none")
        if (
            not self.transport >= 0
            or not self.length >= 0
            or not self.length_to_width >= 0
            or self.window_days % 2 != 1
        ):
            raise UserError(
                f"{self} is no atmospheric river: transport, length and length_to_width are 0 or more,"
                " window_days is odd"
            )
        if not 0 <= self.coherent_share <= 1:
            raise UserError(f"coherent_share must lie between 0 and 1, got {self.coherent_share}; write 0.5 for a half")


FIXED = Definition(percentile=None, transport=250.0, least_latitude=15.0)
"""Transport above 250 kg m-1 s-1 (as Rutz et al. 2014, doi:10.1175/MWR-D-13-00168.1) poleward of 15 degrees (as
TempestExtremes' rivers, Ullrich et al. 2021, doi:10.5194/gmd-14-5023-2021), with Guan and Waliser's geometry; where
there is no climatology."""

STRONG = Definition(percentile=None, transport=500.0, least_latitude=15.0)
"""As `FIXED`, above 500 kg m-1 s-1."""
