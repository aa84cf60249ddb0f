"""The whole road in seconds: a planet of seven waves, a network of one block, six optimiser steps."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from fake_data import analyses
from typer.testing import CliRunner

from weatherml.cli.app import app
from weatherml.grid import LatLonGrid

CONFIG = {
    "title": "A tiny planet",
    "source": {
        "name": "simulated",
        "truncation": 7,
        "n_levels": 5,
        "levels": [500, 850],
        "spin_up_days": 2,
        "days": 16,
    },
    "channels": ["z500", "t850", "u850"],
    "periods": {
        "training": ["2000-01-01", "2000-01-08"],
        "validation": ["2000-01-09", "2000-01-10"],
        "test": ["2000-01-11", "2000-01-16"],
    },
    "climatology": {"n_annual": 0, "n_diurnal": 0},
    "model": {"name": "fourcastnet", "patch": [2, 4], "width": 8, "depth": 1, "n_blocks": 2, "mlp_ratio": 2.0},
    "training": {
        "stages": [{"n_steps": 6, "learning_rate": 0.002}],
        "batch_size": 4,
        "optimizer": {"weight_decay": 0.05},
        "average_decay": 0.99,
        "log_every": 2,
        "validate_every": 3,
        "snapshot_every": 3,
    },
    "forecast": {
        "lead_time": "1d",
        "members": 3,
        "perturbation": {"name": "spherical", "scale": 1.0, "length": 1000.0, "unit": "tendency"},
        "channels": ["z500", "t850"],
        "rounding": 0.01,
    },
    "init_every": "1d",
    "extremes": {"channel": "t850"},
}


@dataclass(frozen=True)
class Finished:
    """What a whole run left."""

    config: Path
    folder: Path
    stdout: str
    stderr: str

    @property
    def store(self):
        return self.folder / "data.zarr"

    @property
    def forecast(self):
        return self.folder / "forecast.zarr"

    @property
    def checkpoint(self):
        return self.folder / "training" / "checkpoints" / "best"

    def copy_to(self, path, without=()):
        """Copy the run, less some of what it holds, to where a test may spoil it."""
        shutil.copytree(self.folder, path, ignore=shutil.ignore_patterns("planet", *without))
        return path


def weatherml(*words):
    """Run the program in this process."""
    return CliRunner().invoke(app, [str(word) for word in words])


def done(*words):
    """Run the program, which must succeed, and return what it prints."""
    result = weatherml(*words)
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(*words):
    """Run the program, which must refuse in one line, and return that line."""
    result = weatherml(*words)
    assert result.exit_code == 2, (result.exit_code, result.output, result.exception)
    assert result.stdout == ""
    assert result.stderr.startswith("weatherml: ")
    assert result.stderr.count("\n") == 1, result.stderr
    return result.stderr


def write_config(path, **changes):
    path.write_text(yaml.safe_dump(CONFIG | changes))
    return path


def write_files(folder):
    """Write 16 days of random weather as a file, and a configuration that reads it; return the configuration."""
    grid = LatLonGrid.regular(8, 12, poles=False)
    noise = analyses({"geopotential": (500,), "temperature": (850,)}, 64, start="2000-01-01", grid=grid)
    scale = {"geopotential": (5.5e4, 1e3), "temperature": (280, 9)}
    fields = {
        name: (mean + spread * noise[name]).astype(np.float32).assign_attrs(noise[name].attrs)
        for name, (mean, spread) in scale.items()
    }
    noise.assign(fields).to_netcdf(folder / "weather.nc")
    source = {"name": "files", "paths": [str(folder / "weather.nc")]}
    return write_config(folder / "files.yaml", source=source, channels=["z500", "t850"])
