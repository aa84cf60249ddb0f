"""Fields that do not lie where their labels say, by what is known of the Earth."""

from collections.abc import Iterator

from weatherml.data.quality.evidence import Evidence
from weatherml.data.quality.finding import Finding
from weatherml.data.quality.place.standing import Fit, fits
from weatherml.data.quality.rules.registry import RULES


@RULES.register("latitude-flipped")
def latitude_flipped(evidence: Evidence) -> Iterator[Finding]:
    """Rows run from south to north under labels from north to south."""
    remedy = "ds.isel(latitude=slice(None, None, -1)).assign_coords(latitude=ds.latitude)"
    for subject, fit in _elsewhere(evidence):
        if fit.placement.is_flipped:
            text = f"latitudes look flipped: {_shown(fit)} with its rows from south to north; reverse them: {remedy}"
            yield Finding("error", subject, text, "latitude-flipped")


@RULES.register("longitude-shifted")
def longitude_shifted(evidence: Evidence) -> Iterator[Finding]:
    """Fields lie too far east or west, as where columns begin at 180 degrees west under labels from 0."""
    for subject, fit in _elsewhere(evidence):
        columns = fit.placement.columns
        # Mirrored about one column or another is the same mistake.
        if columns and not (fit.placement.is_mirrored and abs(columns) <= 1):
            degrees = abs(columns) * 360 / evidence.coarse.n_lon
            back = -round(columns * evidence.grid.n_lon / evidence.coarse.n_lon)
            where = f"{degrees:g} degrees too far {'east' if columns > 0 else 'west'}"
            text = f"longitudes look shifted: {_shown(fit)} {where}; move it back: ds.roll(longitude={back})"
            yield Finding("error", subject, text, "longitude-shifted")


@RULES.register("longitude-mirrored")
def longitude_mirrored(evidence: Evidence) -> Iterator[Finding]:
    """Columns run from east to west under labels from west to east."""
    remedy = "ds.isel(longitude=slice(None, None, -1)).assign_coords(longitude=ds.longitude)"
    for subject, fit in _elsewhere(evidence):
        if fit.placement.is_mirrored:
            text = f"columns look mirrored: {_shown(fit)} with its columns from east to west; reverse them: {remedy}"
            yield Finding("error", subject, text, "longitude-mirrored")


@RULES.register("rows-off")
def rows_off(evidence: Evidence) -> Iterator[Finding]:
    """Rows lie one too far north or south."""
    for subject, fit in _elsewhere(evidence):
        rows = fit.placement.rows
        if rows and not fit.placement.is_flipped:
            where = f"{abs(rows) * evidence.coarse.resolution:.3g} degrees too far {'south' if rows > 0 else 'north'}"
            text = f"rows look shifted: {_shown(fit)} {where}; check the first latitude of the file"
            yield Finding("error", subject, text, "rows-off")


def _elsewhere(evidence: Evidence) -> Iterator[tuple[str, Fit]]:
    yield from ((subject, fit) for subject, fit in fits(evidence).items() if fit.is_elsewhere)


def _shown(fit: Fit) -> str:
    fits_so = f"correlation {fit.best:.2f}, where its labels put it {fit.labelled:.2f}"
    return f"it fits the ground of the Earth ({fits_so}) if it lies"
