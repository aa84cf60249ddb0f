"""The climate of a model: quantiles of re-forecasts at each lead time, with the model's own errors in them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from weatherml.errors import UserError
from weatherml.errors.wording import counted
from weatherml.extremes.thresholds.calendar_quantiles import ordered_quantiles, require_probabilities, rows_within
from weatherml.extremes.thresholds.local_quantiles import MEMORY


@dataclass(frozen=True, eq=False)
class ReforecastQuantiles:
    """Quantiles by lead time.

    Attributes:
        dataset: Dims (quantile, lead_time, level, latitude, longitude), in SI units.
        told: Of what re-forecasts it is.
    """

    dataset: xr.Dataset
    told: str

    def at_lead(self, lead_time: np.timedelta64) -> xr.Dataset:
        """Return the quantiles of a lead time, dims (quantile, level, latitude, longitude).

        Raises:
            UserError: The re-forecasts do not reach there.
        """
        index = self.dataset.indexes["lead_time"]
        if lead_time not in index:
            raise UserError(
                f"the re-forecasts have no lead time {lead_time}, only {index[0]} .. {index[-1]}; leave it out of the"
                " forecast, or pass re-forecasts that have it"
            )
        return self.dataset.isel(lead_time=int(index.get_loc(lead_time)), drop=True)


def reforecast_quantiles(
    reforecasts: xr.Dataset, probabilities: Sequence[float], memory: int = MEMORY
) -> ReforecastQuantiles:
    """Return quantiles over all runs and members of re-forecasts, for each lead time by itself, at each grid point.

    Args:
        reforecasts: Dims (init_time, lead_time, number, level, latitude, longitude): runs of past years from around the
            date of the forecast that is to be compared, of the same model.
        probabilities: Rising, from 0 to 1; `PERCENTILES` for an extreme forecast index.
        memory: Bytes to take, besides what is returned: the values of all runs of a lead time, for as many rows.

    Raises:
        UserError: A probability is none.
    """
    levels = require_probabilities(probabilities)
    fields = {name: field for name, field in reforecasts.data_vars.items() if "lead_time" in field.dims}
    quantiles = xr.Dataset({name: _over_runs(field, levels, memory // 4) for name, field in fields.items()})
    runs = reforecasts.indexes["init_time"]
    members = counted(reforecasts.sizes.get("number", 1), "member")
    told = f"re-forecasts: {counted(len(runs), 'run')} of {members}, {runs.min():%Y-%m-%d} to {runs.max():%Y-%m-%d}"
    return ReforecastQuantiles(quantiles.assign_attrs(climate=told), told)


def _over_runs(field: xr.DataArray, levels: np.ndarray, memory: int) -> xr.DataArray:
    """Return `(quantile, lead_time, [level,] latitude, longitude)` of one variable."""
    runs = [dim for dim in ("init_time", "number") if dim in field.dims]
    field = field.transpose("lead_time", *runs, ..., "latitude", "longitude")
    n_runs, rest = int(np.prod([field.sizes[dim] for dim in runs])), field.shape[1 + len(runs) :]
    found = np.empty((len(levels), field.sizes["lead_time"], *rest), np.float32)
    for lead in range(field.sizes["lead_time"]):
        for part in rows_within(rest, n_runs, memory):
            values = np.asarray(field[(lead, *[slice(None)] * len(runs), *part)].values, np.float32)
            shape = values.shape[len(runs) :]
            own = ordered_quantiles(np.ascontiguousarray(values.reshape(n_runs, -1).T), levels)
            found[(slice(None), lead, *part)] = own.reshape(-1, *shape)
    dims = ("quantile", "lead_time", *field.dims[1 + len(runs) :])
    kept = {dim: field[dim] for dim in dims[1:]}
    return xr.DataArray(found, kept | {"quantile": levels}, dims, attrs=field.attrs)
