"""Forecasts as others read them: stores, NetCDF, GRIB2, WeatherBench 2, stations and selections. No jax."""

from weatherml.products.alignment import align
from weatherml.products.convert import convert
from weatherml.products.foreign.sums import window_sums
from weatherml.products.reading import is_forecast, read_forecast
from weatherml.products.store import open_forecast, without_stopped

__all__ = ["align", "convert", "is_forecast", "open_forecast", "read_forecast", "window_sums", "without_stopped"]
