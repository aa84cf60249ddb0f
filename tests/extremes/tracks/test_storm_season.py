"""Ten days of a real winter: the lows that TRACK has found in the same analyses."""

import numpy as np
import pytest
import xarray as xr

from weatherml.extremes.tracks import FILTERED_LOWS, FILTERED_VORTICES, imilast, track
from weatherml.extremes.tracks.density import lasting
from weatherml.extremes.tracks.filtering import Band, band_passed
from weatherml.extremes.tracks.matching import Matching, match, match_rates

TEN_DAYS = slice("2025-12-01", "2025-12-10")
CELL = 278  # km, 2.5 degrees


@pytest.fixture(scope="module")
def theirs(shared):
    tracks = imilast.read(shared("reference/cyclones/era5_msl_2025-2026_djf_2.5x2.5_hodges_imilast.txt"))
    early = tracks["time"].values < np.datetime64("2025-12-11")
    # At the pole itself each column of the row has a copy of a storm.
    return tracks.isel(record=early & (tracks["latitude"].values < 90))


@pytest.fixture(scope="module")
def pressure(shared):
    with xr.open_zarr(shared("reanalysis/era5_msl_2025-2026_djf_2.5x2.5.zarr"), chunks=None) as store:
        field = store["msl"].rename(valid_time="time").sel(time=TEN_DAYS).load()
    return field.rename("mean_sea_level_pressure")


def test_nine_in_ten_storms_of_track_are_found_within_a_tenth_of_a_cell(theirs, pressure):
    ours = track(band_passed(pressure, Band(5, 36)).to_dataset(), *FILTERED_LOWS)
    pairs = match(theirs, ours, Matching(separation=CELL))
    rates = match_rates(lasting(theirs, 2), lasting(ours, 2), pairs)
    assert rates["n_first"] > 50
    assert rates["first"] > 0.9
    assert rates["second"] > 0.9
    assert rates["separation"] < CELL / 10


def test_vorticity_of_the_same_days_turns_cyclonically_and_has_most_of_the_deep_storms(theirs, shared):
    with xr.open_zarr(shared("reanalysis/era5_vo850_2025-2026_djf_2.5x2.5.zarr"), chunks=None) as store:
        field = store["vo"].rename(valid_time="time", pressure_level="level").sel(time=TEN_DAYS, level=850).load()
    ours = track(band_passed(field.rename("vorticity")).to_dataset(), *FILTERED_VORTICES)
    off_equator = np.abs(ours["latitude"].values) > 2.5
    turning = (ours["vorticity_850_anomaly"] * np.sign(ours["latitude"])).values
    assert (turning[off_equator] >= 1e-5).all()
    pairs = match(theirs, ours, Matching(overlap=0.5, share_of="shorter"))
    depth = theirs["mean_sea_level_pressure_anomaly"].groupby(theirs["track_id"]).min()
    deep = depth["track_id"].values[depth < -3000]
    assert len(deep) > 10
    assert np.isin(deep, pairs["first"]).mean() > 0.8
