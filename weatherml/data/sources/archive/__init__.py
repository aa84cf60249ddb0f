"""Archives in the cloud as a source: ARCO-ERA5, WeatherBench 2, ECMWF's own, and any other zarr store."""
