"""Files as they are, by their formats: GRIB, NetCDF, zarr, references, stores behind a URL."""
