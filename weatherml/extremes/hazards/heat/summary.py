"""How forecasts of heat waves were on the whole, and how sure that is: intervals over initial times."""

import numpy as np
import xarray as xr

from weatherml.errors import UserError
from weatherml.verification.significance.method import Method
from weatherml.verification.significance.methods import method_named
from weatherml.verification.significance.sample import Sample

_BOUNDS = ("estimate", "lower", "upper")


def summarize(compared: xr.Dataset, interval: str | Method = "circular") -> xr.Dataset:
    """Return means over all pairs of heat waves, and the shares that were hit and that were false alarms.

    Args:
        compared: From `compare`, of several initial times for intervals; members of one initial time are one forecast,
            as they met the same weather.
        interval: How intervals are had, as in `verification.evaluate`.

    Returns:
        Dims (bound): `hit_rate`, hits by heat waves that came; `false_alarm_ratio`, false alarms by heat waves that
        were forecast; and the mean of each error, such as `onset_error`. Estimate, and lower and upper bound of the
        95 % interval over initial times, NaN where these are too few, or all say
        the same, which tells of no spread; all NaN where there is nothing to take a mean of.

    Raises:
        UserError: The table has no initial times, or the interval is unknown.
    """
    if "run_init_time" not in compared.coords:
        raise UserError("heat waves were compared of no forecasts with initial times; pass what heat.compare returns")
    init_times, of_run = np.unique(compared["run_init_time"].values, return_inverse=True)
    hits, misses, false_alarms = (compared[name].values for name in ("hits", "misses", "false_alarms"))
    method, n_init = method_named(interval), len(init_times)
    table = {
        "hit_rate": _bounded(hits, hits + misses, of_run, init_times, method),
        "false_alarm_ratio": _bounded(false_alarms, hits + false_alarms, of_run, init_times, method),
    }
    of_pair = np.searchsorted(init_times, compared["init_time"].values) if n_init else of_run
    for name in (str(name) for name in compared if str(name).endswith("_error")):
        values = compared[name].values
        table[name] = _bounded(np.nan_to_num(values), np.isfinite(values), of_pair, init_times, method)
    summary = xr.Dataset({name: ("bound", own) for name, own in table.items()}, {"bound": list(_BOUNDS)})
    for name in (name for name in table if name in compared):
        summary[name].attrs = compared[name].attrs
    return summary


def _bounded(
    values: np.ndarray, weights: np.ndarray, forecast: np.ndarray, init_times: np.ndarray, method: Method
) -> np.ndarray:
    """Return estimate, lower and upper bound of the sum of values by the sum of weights, forecast by forecast."""
    sums, counts = (np.bincount(forecast, own, len(init_times))[:, None] for own in (values, weights))
    if not counts.any():
        return np.full(3, np.nan)
    shares = sums[counts > 0] / counts[counts > 0]
    if np.ptp(shares) <= 1e-12 * np.abs(shares).max():  # none differs, so how far others would is not known
        return np.array([shares[0], np.nan, np.nan])
    bounds = method.judge(Sample([sums], [counts], lambda mean: mean, init_times))
    return np.array([getattr(bounds, name)[0] for name in _BOUNDS])
