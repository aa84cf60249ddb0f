"""Members that guards have stopped, and a forecast without them."""

import re

import xarray as xr

from weatherml.errors import UserError


def without_stopped(forecast: xr.Dataset) -> xr.Dataset:
    """Return a forecast without the members that stopped, whatever their initial time.

    Scores of the others are those of members that behaved; the share of those that did not belongs beside them.

    Raises:
        UserError: All members stopped.
    """
    found = (re.search(r" number (\d+) ", story) for story in forecast.attrs.get("failed", ()))
    stopped = {int(match[1]) for match in found if match is not None}
    kept = [number for number in forecast["number"].values.tolist() if number not in stopped]
    if not kept:
        raise UserError(f"all {len(stopped)} members stopped; nothing of the forecast is left without them")
    return forecast.sel(number=kept)
