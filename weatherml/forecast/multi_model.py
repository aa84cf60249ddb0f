"""Ensembles of several models: members take turns among them."""

import json
from collections.abc import Sequence

import xarray as xr

from weatherml.errors import UserError
from weatherml.forecast.ensemble import ForecastConfig
from weatherml.forecast.forecaster import Forecaster
from weatherml.forecast.init_times import InitTimes


def forecast_in_turn(
    forecasters: Sequence[Forecaster], analysis: xr.Dataset, init_time: InitTimes, config: ForecastConfig
) -> xr.Dataset:
    """Make an ensemble whose member k is member k of forecaster k modulo their number.

    Members differ by model even where a perturbation of scale 0 leaves their initial states alike. Each is what its
    forecaster alone gives, whatever the others do.

    Args:
        forecasters: Of checkpoints of different seeds, ages or networks; their states and diagnostics agree.
        analysis: Canonical analyses that hold the initial times.
        init_time: One or more.
        config: Leads, members, and what is kept.

    Returns:
        The forecast, in memory; of each attribute that differs between models, a JSON list.

    Raises:
        UserError: Forecasters do not give the same channels on the same grid; or as `Forecaster.run`.
    """
    _require_agreement(forecasters)
    numbers = config.member_numbers()
    parts = []
    for position, forecaster in enumerate(forecasters):
        own = numbers[numbers % len(forecasters) == position]
        if len(own):
            asked = config.model_copy(update={"numbers": tuple(own.tolist())})
            parts.append(forecaster.run(analysis, init_time, asked))
    joined = xr.concat(parts, "number", combine_attrs="drop_conflicts").sortby("number")
    differing = set(parts[0].attrs) - set(joined.attrs)
    lists = {name: json.dumps([part.attrs[name] for part in parts]) for name in differing - {"failed"}}
    failed = [line for part in parts for line in part.attrs["failed"]]
    return joined.assign_attrs(lists, forecast_config=config.model_dump_json(), failed=failed)


def _require_agreement(forecasters: Sequence[Forecaster]) -> None:
    if not forecasters:
        raise UserError("an ensemble of several models needs at least one; pass forecasters")
    first = forecasters[0].output_spec
    for position, forecaster in enumerate(forecasters):
        spec = forecaster.output_spec
        differing = sorted(set(first.names) ^ set(spec.names))
        if differing:
            raise UserError(f"models 0 and {position} differ in channel {differing[0]!r}, which one of them lacks")
        if spec.grid != first.grid:
            raise UserError(f"models 0 and {position} lie on different grids, {first.grid.shape} and {spec.grid.shape}")
