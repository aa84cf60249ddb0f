"""The length that a classic NetCDF header promises is the length of the file."""

import netCDF4
import numpy as np
import pytest

from weatherml.data.reading.formats.classic import expected_size

FORMATS = ("NETCDF3_CLASSIC", "NETCDF3_64BIT_OFFSET", "NETCDF3_64BIT_DATA")


@pytest.mark.parametrize("n_record_variables", [0, 1, 3])
@pytest.mark.parametrize("kind", FORMATS)
def test_expected_size_is_the_size_of_a_whole_file(tmp_path, kind, n_record_variables):
    path = tmp_path / "whole.nc"
    with netCDF4.Dataset(path, "w", format=kind) as file:
        file.title = "odd length"
        for name, size in {"time": None, "latitude": 3, "longitude": 5}.items():
            file.createDimension(name, size)
        still = file.createVariable("orography", "f4", ("latitude", "longitude"))
        still.units, still.levels = "m", np.array([1, 2, 3], "i2")
        still[:] = np.ones((3, 5))
        for number in range(n_record_variables):
            # 15 values of 2 bytes: padded, unless it is the only one.
            file.createVariable(f"v{number}", "i2", ("time", "latitude", "longitude"))[:] = np.ones((7, 3, 5))
    # The last record's padding may or may not have been written.
    assert 0 <= path.stat().st_size - expected_size(path) < 4


@pytest.mark.parametrize(
    "name", ["era_tz_850_500_1deg_20070101.nc", "erainterim_sst_daily_2p5deg_2012.nc", "era5_msl_0p25deg_20251201.nc"]
)
def test_expected_size_of_real_files_is_exact(shared, name):
    path = shared(f"reanalysis/{name}")
    assert expected_size(path) == path.stat().st_size
