"""What other libraries say of events; run by event_agreement.py in an environment of their own.

PEERS/bin/pip install xclim==0.62 scikit-image pysteps netCDF4
"""

import sys
import warnings
from importlib.metadata import version

import numpy as np
import xarray as xr
from pysteps.verification.salscores import sal
from skimage.measure import label, regionprops_table
from xclim import indices
from xclim.core.calendar import percentile_doy
from xclim.core.options import set_options


def labels(given):
    """Numbers of objects, in space and through time, and what each is like, in cells."""
    flat = label(given["mask"][0], connectivity=2)
    wanted = ("area", "axis_major_length", "axis_minor_length")
    like = regionprops_table(flat, properties=wanted)
    return {
        "labels": flat,
        "labels_in_time": label(given["mask"], connectivity=3),
        "labels_by_sides": label(given["mask"][0], connectivity=1),
        **{f"objects_{name}": like[name] for name in wanted},
    }


def spells(given):
    """Days in heat waves, how many there are, and the percentile of the date, at each place."""
    past, year = daily(given["maxima_2012"], 2011), daily(given["maxima_2015"], 2015)  # none of them a leap year
    with set_options(data_validation="log", cf_compliance="log"):
        percentile = percentile_doy(past, window=31, per=90.0, alpha=1.0, beta=1.0).sel(percentiles=90)
        percentile.attrs["units"] = "K"
        days = indices.warm_spell_duration_index(year, percentile, window=3, freq="YS")
        hot = indices.heat_wave_index(year, thresh="303.15 K", window=3, freq="YS")
        waves = indices.heat_wave_frequency(year, year, "200 K", "303.15 K", window=3, freq="YS")
    return {
        "percentile": percentile.transpose("dayofyear", ...).values,
        "dayofyear": percentile["dayofyear"].values,
        "percentile_days": days.values[0],
        "hot_days": hot.values[0],
        "waves": waves.values[0],
    }


def daily(values, year):
    times = np.datetime64(f"{year}-03-03", "ns") + np.arange(len(values)) * np.timedelta64(1, "D")
    places = {"lat": np.arange(values.shape[1]), "lon": np.arange(values.shape[2])}
    field = xr.DataArray(values.astype(np.float32), {"time": times} | places, ("time", "lat", "lon"))
    return field.assign_attrs(units="K", standard_name="air_temperature")


def structures(given):
    """SAL of pairs of fields of rain. Objects of fewer than 50 cells are left out, and such with two maxima are cut."""
    pairs = zip(given["rain_forecast"], given["rain_truth"], strict=True)
    return {"sal": np.array([sal(*pair, thr_factor=1 / 15, thr_quantile=0.95) for pair in pairs])}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    given = dict(np.load(sys.argv[1]))
    versions = {name: version(name) for name in ("xclim", "scikit-image", "pysteps")}
    np.savez(
        sys.argv[2], versions=np.array(list(versions.items())), **labels(given), **spells(given), **structures(given)
    )
