"""Baselines by name, made like a forecast that is judged beside them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr

from weatherml.errors import Option, UserError
from weatherml.errors.wording import listed
from weatherml.references import Reference
from weatherml.registry import Registry
from weatherml.state import spec_of
from weatherml.verification.baselines.damping import LATER, fit_damping
from weatherml.verification.baselines.drawn_forecasts import climatological_ensemble, persistence_ensemble
from weatherml.verification.baselines.reference_forecasts import climatology, damped_persistence, persistence
from weatherml.verification.pairing.notes import FITTED_ON


@dataclass(frozen=True)
class Recipe:
    """How a baseline is made.

    Attributes:
        make: From what it is made of, init times and lead times to a forecast.
        of: What that is, in the order in which it is taken.
    """

    make: Callable[..., xr.Dataset]
    of: Sequence[Literal["truth", "climatology"]] = ("truth",)


baselines: Registry[Recipe] = Registry("baseline")
"""What can be made of a truth and a climatology alone."""


def baseline(
    name: str,
    truth: xr.Dataset,
    climatology: xr.Dataset | Reference | None,
    like: xr.Dataset,
    init_times: np.ndarray | None = None,
) -> xr.Dataset:
    """Return a baseline of the variables, levels and lead times of a forecast.

    Args:
        name: Of the baseline.
        truth: With every init time.
        climatology: With every valid time, for baselines that need one.
        like: The forecast.
        init_times: `datetime64 [init]`; those of the forecast when None.

    Raises:
        UserError: The baseline is unknown, or needs a climatology or an init time that is not there.
    """
    recipe = baselines[name]
    init_times = like["init_time"].values if init_times is None else init_times
    try:
        given = [_part(truth, like) if own == "truth" else _required(name, climatology) for own in recipe.of]
        made = recipe.make(*given, init_times, like["lead_time"].values)
    except UserError as error:
        if repr(name) in str(error):
            raise
        others = listed(own for own in baselines if own != name)
        message, *remedies = error.args
        other = f"{'take' if remedies else 'or'} another baseline: {others}"
        raise UserError(f"baseline {name!r} cannot be made: {message}", *remedies, other) from None
    return _part(made, like)


def _fitted_and_damped(
    truth: xr.Dataset, normal: xr.Dataset | Reference, init_times: np.ndarray, lead_times: np.ndarray
) -> xr.Dataset:
    """Fit the damping on the truth before the first init time, which no forecast is judged by."""
    before = truth.isel(time=np.flatnonzero(truth["time"].values < init_times.min()))
    if not before.sizes["time"]:
        raise UserError(
            f"the truth has no time before the first init time, {init_times.min():.16}, to fit the damping on",
            "give a truth that begins earlier",
            LATER,
        )
    made = damped_persistence(truth, normal, fit_damping(before, normal, lead_times), init_times, lead_times)
    first, last = (np.datetime_as_string(own, "m") for own in before["time"].values[[0, -1]])
    return made.assign_attrs({FITTED_ON: f"{first} .. {last}"})


baselines.register("persistence")(Recipe(persistence))
baselines.register("climatology")(Recipe(climatology, ("climatology",)))
baselines.register("damped_persistence")(Recipe(_fitted_and_damped, ("truth", "climatology")))
baselines.register("climatological_ensemble")(Recipe(climatological_ensemble))
baselines.register("persistence_ensemble")(Recipe(persistence_ensemble))


def _required(name: str, own: xr.Dataset | Reference | None) -> xr.Dataset | Reference:
    if own is None:
        raise UserError(
            f"baseline {name!r} needs a climatology, got none",
            Option("climatology", "RUN/climatology.nc", python="climatology=Climatology.load(PATH)"),
        )
    return own


def _part(dataset: xr.Dataset, like: xr.Dataset) -> xr.Dataset:
    """Return the variables and levels of a forecast, of which a dataset may lack some."""
    variables = spec_of(like).variables
    part = dataset[[name for name in variables if name in dataset.data_vars]]
    levels = {level for name, own in variables.items() if name in part for level in own}
    return part.sel(level=[level for level in part["level"].values if level in levels]) if levels else part
