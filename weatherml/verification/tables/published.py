"""Scores that others have published, to be laid beneath one's own."""

import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import xarray as xr

from weatherml.errors import UserError
from weatherml.verification.tables.tidy import LEAD, from_rows, read_tidy

# Precipitation is left out: the list has it in metres and in millimetres.
_CHANNELS = {"z": "geopotential_500", "t": "temperature_850", "t2m": "2m_temperature"}
_OTHERS = ("tp", "surface", "heightAboveGround", "number", "\\")
_COLUMNS = "|".join(re.escape(name) for name in (*_CHANNELS, *_OTHERS))

_SECTION = re.compile(r"## (\w+)")
_HEADER = re.compile(rf"(?P<system>.*?)\s*(?P<columns>(?:(?<!\S)(?:{_COLUMNS})(?!\S)\s*)+)$")
_NUMBERS = re.compile(r"(\d+)((?:\s+[-+.\deE]+)+)\s*$")
_CONSTANT_OF = re.compile(r"(.*?)\s*<xarray\.Dataset>")
_CONSTANT = re.compile(rf"\s+({'|'.join(_CHANNELS)})\s+float64\s+(\S+)")

Row = tuple[str, str, str, float | None, float]
"""Metric, system, channel, lead in hours (None: at every lead), value."""


def read_published(path: str | Path) -> xr.Dataset:
    """Read scores of others: a tidy table (`.csv`), or the list of WeatherBench 1 (Rasp et al. 2020,
    doi:10.1029/2020MS002203), as its notebook prints it.

    Returns:
        One variable a metric, dims (system, channel, lead_time), SI units.

    Raises:
        UserError: It is neither.
    """
    if Path(path).suffix == ".csv":
        return read_tidy(path)
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}") from None
    rows = list(_rows(text))
    if not rows:
        raise UserError(f"{path} holds no scores; give a table ending in .csv, or the list of WeatherBench 1")
    return from_rows(str(path), _spread(rows))


def _rows(text: str) -> Iterator[Row]:
    """Yield the numbers of the list: tables by lead under the name of a system, and constants of climatologies."""
    metric = system = ""
    columns: list[str] = []
    for line in text.splitlines():
        if section := _SECTION.match(line):
            metric, system, columns = section[1].lower(), "", []
        elif constant_of := _CONSTANT_OF.match(line):
            system, columns = constant_of[1], []
        elif constant := _CONSTANT.match(line):
            yield metric, system, _CHANNELS[constant[1]], None, float(constant[2])
        elif numbers := _NUMBERS.match(line):
            for name, value in zip(columns, numbers[2].split(), strict=False):
                if name in _CHANNELS:
                    yield metric, system, _CHANNELS[name], float(numbers[1]), float(value)
        elif header := _HEADER.fullmatch(line.rstrip()):
            system, columns = (
                header["system"] or system,
                header["columns"].split(),
            )  # a table that is wide goes on below


def _spread(rows: list[Row]) -> pd.DataFrame:
    """Return a table in which constants stand at every lead."""
    table = pd.DataFrame(rows, columns=["metric", "system", "channel", LEAD, "value"])
    at_leads, constants = table[table[LEAD].notna()], table[table[LEAD].isna()].drop(columns=LEAD)
    leads = at_leads[[LEAD]].drop_duplicates()
    return pd.concat([at_leads, constants.merge(leads, how="cross")], ignore_index=True)
