"""Where presets get their channels from, as the page on regridding says."""

import pytest
from docs_page import DOCS

from weatherml.data.derived import DERIVATIONS
from weatherml.state import Channel
from weatherml.variables import PRESETS, find

# What each archive holds of the vocabulary, read from its published list of variables.
_LEVELS = {"geopotential", "temperature", "u_component_of_wind", "v_component_of_wind", "specific_humidity"}
_SURFACE = {
    "2m_temperature", "10m_u_component_of_wind", "10m_v_component_of_wind", "surface_pressure",
    "mean_sea_level_pressure", "total_column_water_vapour", "geopotential_at_surface", "land_sea_mask",
}  # fmt: skip
_HUNDRED = {"100m_u_component_of_wind", "100m_v_component_of_wind"}
ARCHIVES = {
    "CDS": _LEVELS | _SURFACE | _HUNDRED | {"relative_humidity", "total_precipitation"},
    "ARCO-ERA5": _LEVELS | _SURFACE | _HUNDRED | {"total_precipitation"},
    "WeatherBench 2": _LEVELS | _SURFACE | {"total_precipitation_6hr", "total_precipitation_24hr"},
}


def found_on_the_page():
    """Return what the page says, by preset and archive."""
    head, _, *lines = (DOCS / "regridding.md").read_text().split("\n| preset ")[1].split("\n\n")[0].splitlines()
    archives = [cell.strip() for cell in head.strip("|").split("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {
        (row[0].strip("`"), archive): cell for row in cells for archive, cell in zip(archives, row[1:], strict=True)
    }


@pytest.mark.parametrize("archive", ARCHIVES)
@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_made_from_every_archive_as_the_page_says(preset, archive):
    wanted = [find(Channel.parse(name).variable).name for name in PRESETS[preset]]
    absent = [name for name in dict.fromkeys(wanted) if name not in ARCHIVES[archive]]
    derived = [n for n in absent if any({*way.inputs} <= ARCHIVES[archive] for way in DERIVATIONS.get(n, ()))]
    lacking = [name for name in absent if name not in derived]
    said = {"derive: ": derived, "lacks ": lacking}
    words = [word + ", ".join(f"`{name}`" for name in names) for word, names in said.items() if names]
    assert found_on_the_page()[preset, archive] == ("; ".join(words) or "all there")


@pytest.mark.parametrize("archive", ARCHIVES)
def test_rain_of_six_hours_is_had_from_every_archive(archive):
    name = "total_precipitation_6hr"
    assert name in ARCHIVES[archive] or {*DERIVATIONS[name][0].inputs} <= ARCHIVES[archive]
