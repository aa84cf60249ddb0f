"""weatherml: data-driven global weather forecasting in JAX, from ERA5 to ensemble forecasts and verdicts on extremes.

The names below are loaded when they are first used, so that importing the package is quick and needs no optional extra.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from weatherml.process.libproj import load_pyproj

if TYPE_CHECKING:
    from weatherml import plot as plot
    from weatherml.checkpoint import Checkpoint as Checkpoint
    from weatherml.config import load_yaml as load_yaml
    from weatherml.data.quality.check import check_dataset as check_dataset
    from weatherml.data.reading.opening import open_files as open_files
    from weatherml.data.regrid import regrid as regrid
    from weatherml.data.statistics.channel_statistics import Statistics as Statistics
    from weatherml.data.statistics.climatology import Climatology as Climatology
    from weatherml.data.store.ingest import ingest as ingest
    from weatherml.data.store.opening import open_store as open_store
    from weatherml.errors import UserError as UserError
    from weatherml.experiment import Experiment as Experiment
    from weatherml.experiment import ExperimentConfig as ExperimentConfig
    from weatherml.experiment import demonstration as demonstration
    from weatherml.extremes import local_quantile as local_quantile
    from weatherml.extremes import verdict as verdict
    from weatherml.forecast import Forecaster as Forecaster
    from weatherml.grid import LatLonGrid as LatLonGrid
    from weatherml.products import align as align
    from weatherml.products import open_forecast as open_forecast
    from weatherml.products import read_forecast as read_forecast
    from weatherml.state import StateSpec as StateSpec
    from weatherml.training import train as train
    from weatherml.verification import baselines as baselines
    from weatherml.verification.judging import evaluate as evaluate

_HOMES = {
    "Checkpoint": "checkpoint",
    "Climatology": "data.statistics.climatology",
    "Experiment": "experiment",
    "ExperimentConfig": "experiment",
    "Forecaster": "forecast",
    "LatLonGrid": "grid",
    "StateSpec": "state",
    "Statistics": "data.statistics.channel_statistics",
    "UserError": "errors",
    "align": "products",
    "baselines": "verification",
    "check_dataset": "data.quality.check",
    "demonstration": "experiment",
    "evaluate": "verification",
    "ingest": "data.store.ingest",
    "load_yaml": "config",
    "local_quantile": "extremes",
    "open_files": "data.reading.opening",
    "open_forecast": "products",
    "open_store": "data.store.opening",
    "read_forecast": "products",
    "regrid": "data.regrid",
    "train": "training",
    "verdict": "extremes",
}

__all__ = sorted([*_HOMES, "plot"])

load_pyproj()  # before or after ecCodes, whoever loads that: maps and GRIB files then go together in one process


def __getattr__(name: str) -> Any:
    if name == "plot":
        return import_module("weatherml.plot")
    if name in _HOMES:
        return getattr(import_module(f"weatherml.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'weatherml' has no attribute {name!r}")


def __dir__() -> list[str]:
    return list(__all__)
