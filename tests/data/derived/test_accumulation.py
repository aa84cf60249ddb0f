"""Accumulations over windows, from every way in which archives accumulate."""

import numpy as np
import pytest
import xarray as xr

from weatherml.data.derived.accumulation import sums, terms_of

HOUR = np.timedelta64(1, "h")
HOURS = np.arange("2001-01-01T01", "2001-01-05T01", HOUR, "datetime64[ns]")
RATE = np.random.default_rng(0).random((96, 2, 3)).astype(np.float32)  # what falls in the hour before each of HOURS


def archive(accumulated, step=1):
    """What an archive holds every `step` hours of a rain that fell."""
    if accumulated == "hourly":
        values = RATE
    else:
        cycle = {"since 00 UTC": 24, "since 00 and 12 UTC": 12}[accumulated]
        values = np.concatenate([RATE[i : i + cycle].cumsum(axis=0) for i in range(0, 96, cycle)])
    field = xr.DataArray(values, {"time": HOURS}, ("time", "latitude", "longitude"))
    return field.isel(time=slice(step - 1, None, step))


@pytest.mark.parametrize(
    ("accumulated", "step"), [("hourly", 1), ("since 00 UTC", 1), ("since 00 UTC", 3), ("since 00 and 12 UTC", 3)]
)
@pytest.mark.parametrize("hours", [3, 6, 12, 24, 30])
@pytest.mark.parametrize("chunk", [None, 5])
def test_every_archive_gives_the_rain_that_fell(accumulated, step, hours, chunk):
    field, window = archive(accumulated, step), hours * HOUR
    field = field if chunk is None else field.chunk(time=chunk)
    times = field["time"].values
    times = times[terms_of(times, window, accumulated).are_among(times)]
    terms = terms_of(times, window, accumulated)
    found = sums(field.sel(time=terms.needed()), times, terms)
    assert found.dtype == np.float32 and found.dims == field.dims and (found.chunks is None) == (chunk is None)
    # All windows that begin with the first hour or later can be had.
    ends = [i for i, time in enumerate(HOURS) if time in field["time"].values and i + 1 >= hours]
    np.testing.assert_array_equal(times, HOURS[ends])
    fallen = [RATE[i + 1 - hours : i + 1].sum(axis=0) for i in ends]
    np.testing.assert_allclose(found.values, fallen, rtol=0, atol=1e-5)


def test_a_gap_is_felt_only_by_the_windows_it_lies_in():
    field = archive("hourly").copy(deep=True)
    field[10] = np.nan
    terms = terms_of(HOURS[6:24], 3 * HOUR, "hourly")
    found = sums(field.sel(time=terms.needed()), HOURS[6:24], terms)
    assert list(np.flatnonzero(np.isnan(found[:, 0, 0])) + 6) == [10, 11, 12]


def test_rounding_makes_no_negative_rain():
    field = archive("since 00 UTC").copy(deep=True)
    field[5] = field[4] - 1e-6  # as packed values do where none fell
    terms = terms_of(HOURS[5:6], HOUR, "since 00 UTC")
    assert (sums(field.sel(time=terms.needed()), HOURS[5:6], terms) == 0).all()


def test_six_hourly_samples_of_hourly_sums_give_no_six_hours():
    times = HOURS[5::6]
    assert not terms_of(times, 6 * HOUR, "hourly").are_among(times).any()
