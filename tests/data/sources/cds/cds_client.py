"""What tests of downloads ask for, and what they require of what comes."""

import json

import cds_server
import numpy as np

from weatherml.config import from_mapping
from weatherml.data.sources import CdsConfig
from weatherml.data.sources.cds.ledger import Ledger


def config(**changes):
    chosen = {
        "channels": ["t500", "t850", "msl"],
        "periods": [["2020-01-30", "2020-02-01"]],
        "every": "12h",
        "grid": 30,
    }
    return from_mapping(CdsConfig, chosen | changes)


ONE = {"channels": ["t500"], "periods": [["2020-01-01", "2020-01-02"]]}
"""What one request answers."""

POINTS = np.arange(90, -91, -30), np.arange(0, 360, 30)
"""Latitudes and longitudes of the grid of `config`."""


def truth(short_name, level, time):
    return cds_server.values(short_name, level, time, *POINTS)


def assert_true(source):
    """Require that all values are those of the service, to the precision of its packing."""
    dataset = source.read(source.times(), source.variables())
    for name, short in (("temperature", "t"), ("mean_sea_level_pressure", "msl")):
        for time_ in source.times() if name in dataset else ():
            for level in source.levels if short == "t" else (None,):
                field = dataset[name].sel(time=time_) if level is None else dataset[name].sel(time=time_, level=level)
                expected = truth(short, level, time_)
                np.testing.assert_allclose(field.values, expected, rtol=0, atol=np.ptp(expected) * 2**-15)


def left_over(folder):
    """Return files that are neither records, whole or not, nor told by one."""
    told = {name for record in Ledger(folder).records.values() for name in record.files}
    return {path.name for path in folder.iterdir() if ".json" not in path.name and path.suffix != ".lock"} - told


def write_settings(tmp_path):
    """Write a file for the verb, which downloads `ONE` into `files`, and return it."""
    chosen = config(**ONE, folder=str(tmp_path / "files")).model_dump(mode="json")
    (tmp_path / "era5.json").write_text(json.dumps({"source": chosen}))
    return tmp_path / "era5.json"
