"""What a forecast says of the members that guards have stopped: coordinates for programs, sentences for people."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from weatherml.durations import format_duration
from weatherml.forecast.guards.step_modifiers import describe_failure
from weatherml.forecast.plan.batches import Layout
from weatherml.forecast.workdir import Stopped
from weatherml.state import Channel


def sentences(layout: Layout, stopped: Sequence[Stopped]) -> list[str]:
    """Return when and by what each member stopped: the attribute `failed`."""
    return [_sentence(layout.init_times[own.init], own) for own in stopped]


def coordinates(layout: Layout, stopped: Sequence[Stopped]) -> dict[str, xr.Variable]:
    """Return when and by what members stopped along `(init_time, number)`; nothing where all went on.

    `stopped_lead` is the first lead that is missing, NaT for a member that went on; `stopped_channel` counts the words
    of its attribute `flag_meanings`, -1 for a member that went on; `stopped_value` is in that channel's SI units.
    """
    if not stopped:
        return {}
    shape, names = (len(layout.init_times), len(layout.numbers)), sorted({own.channel for own in stopped})
    lead, channel = np.full(shape, np.timedelta64("NaT", "ns")), np.full(shape, -1, np.int16)
    value = np.full(shape, np.nan, np.float32)
    for own in stopped:
        place = own.init, int(np.searchsorted(layout.numbers, own.number))
        lead[place], channel[place] = np.timedelta64(own.lead, "ns"), names.index(own.channel)
        value[place] = own.value
    flags = {"flag_values": list(range(len(names))), "flag_meanings": " ".join(names)}
    return {
        "stopped_lead": _variable(lead, "first lead time that is missing"),
        "stopped_channel": _variable(channel, "channel by which the member stopped", **flags),
        "stopped_value": _variable(value, "value of that channel, SI units"),
    }


def _variable(values: np.ndarray, long_name: str, **attributes: Any) -> xr.Variable:
    return xr.Variable(("init_time", "number"), values, {"long_name": long_name, **attributes})


def _sentence(init_time: np.datetime64, own: Stopped) -> str:
    lead_time = np.timedelta64(own.lead, "ns")
    when = f"{init_time + lead_time:.16} (lead {format_duration(lead_time)})"
    what = describe_failure(Channel.parse(own.channel), own.value)
    return f"init_time {init_time:.16} number {own.number} at {when} by {what}"
