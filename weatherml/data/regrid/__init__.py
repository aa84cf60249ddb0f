"""Fields on another grid: weights of rows and columns, what they do to a dataset, and a source that does it."""

from weatherml.data.regrid.config import RegridConfig
from weatherml.data.regrid.regridding import regrid
from weatherml.data.regrid.source import RegriddedSource

__all__ = ["RegridConfig", "RegriddedSource", "regrid"]
