"""What counts as extreme at each place."""

import numpy as np
import xarray as xr

from weatherml.errors import UserError
from weatherml.times import Period, parse_period, write_period


def local_quantile(dataset: xr.Dataset, q: float, period: Period) -> xr.Dataset:
    """Return the quantile over time of each grid point, computed variable by variable.

    Args:
        dataset: Analyses, dims (time, level, latitude, longitude). A point that is NaN at any time has no quantile:
            NaN.
        q: Between 0 and 1, for example 0.95.
        period: First and last time that count, both included, for example ("2012", "2014"); none that will be judged.

    Returns:
        Dims (level, latitude, longitude), units of the data; attributes `quantile` and `period`.

    Raises:
        UserError: `q` is out of range, or the dataset has no time in the period.
    """
    if not 0 < q < 1:
        raise UserError(f"a quantile must lie between 0 and 1, got {q}; write 0.95 for the 95th percentile")
    chosen = dataset.sel(time=slice(*parse_period(period)))
    if not chosen.sizes["time"]:
        times = dataset.indexes["time"]
        raise UserError(
            f"no data from {period[0]} to {period[1]}; they cover {times[0]} .. {times[-1]}: choose a period inside"
        )
    fields = {name: field for name, field in chosen.data_vars.items() if "time" in field.dims}
    quantiles = {
        name: field.load().quantile(q, "time", skipna=False, keep_attrs=True) for name, field in fields.items()
    }
    return (
        xr.Dataset(quantiles)
        .drop_vars("quantile")
        .astype(np.float32)
        .assign_attrs(quantile=q, period=" to ".join(write_period(period)))
    )
