"""Members that come in batches, without a model; a program that reduces them and can be killed at any instant."""

import sys
import time
from pathlib import Path

import numpy as np
from tiny_forecast import TIME_STEP, TIMES

from weatherml.forecast.output.statistics import StatisticsOutput
from weatherml.forecast.plan.batches import Layout, plan_batches
from weatherml.forecast.statistics.accumulators import Counted
from weatherml.forecast.statistics.config import StatisticsConfig
from weatherml.forecast.workdir import Stopped, WorkDir
from weatherml.grid import LatLonGrid
from weatherml.state import StateSpec, parse_channels
from weatherml.storage.share import WHOLE

SPEC = StateSpec(parse_channels(["z500", "t850", "sst"]), LatLonGrid.regular(5, 8))
N_SLOTS = 4
# Groups of slots that are not full share batches, so an initial time may come twice in one.
LAYOUT = Layout(
    SPEC, TIMES[:2], np.arange(1, 4) * TIME_STEP, np.array([0, 1, 2, 3, 4, 6, 8, 9, 13, 14, 15, 17]), (2, N_SLOTS)
)
CONFIG = StatisticsConfig(
    minimum=True,
    maximum=True,
    quantiles=(0.2, 0.5),
    thresholds={"t850": (250.0, 260.0), "sst": (271.0,)},
    sketch_size=4,
)
ATTRIBUTES = {"title": "members that come in batches"}
BATCHES = plan_batches(LAYOUT.init_times, LAYOUT.numbers, N_SLOTS)


def stopped_in(position):
    """Return what is noted of a member at the end of each batch."""
    return Stopped(init=0, number=position, lead=6 * 3600 * 10**9, channel="temperature_850", value=400.0)


def sentence(position):
    """Return what the forecast says of it."""
    return f"init_time {TIMES[0]:.16} number {position} at {TIMES[1]:.16} (lead 6h) by temperature_850: 400 K above 350"


def members_of(init, numbers, leads):
    """Return `[lead, number, channel, lat, lon]`; sea surface temperature has a mask, and number 9 fails."""
    fields = []
    for number in numbers:
        rng = np.random.default_rng([init, number])
        member = rng.normal(255, 9, (3, *SPEC.shape)).astype(np.float32)
        member[:, SPEC.index("sst"), 2:4, 3:7] = np.nan
        member[1:] = np.nan if number == 9 else member[1:]
        fields.append(member)
    return np.stack(fields, axis=1)[leads]


def begin(path, overwrite=False, request="these batches", config=CONFIG, layout=LAYOUT, share=WHOLE, most_batches=1):
    work = WorkDir(path, request, Counted.nothing(len(layout.init_times)), overwrite)
    return StatisticsOutput(work, layout, ATTRIBUTES, config, most_batches, share)


def write(output, position, pause=0.0):
    """Write a batch, which is not ended."""
    for start, stop in ((0, 2), (2, 3)):
        for part in BATCHES[position]:
            values = members_of(part.init, part.numbers, slice(start, stop))
            output.write((part.init, start), part.places, values)
            time.sleep(pause)


def run(output, pause=0.0, batches=None):
    """Do what a stream does; finish unless only some batches are asked for."""
    for position in range(len(BATCHES)) if batches is None else batches:
        if position not in output.done:
            write(output, position, pause)
            output.end_batches((position,), [stopped_in(position)])
    output.close()
    return output.finish() if batches is None else None


if __name__ == "__main__":
    reduced = begin(Path(sys.argv[1]))
    print("begun", flush=True)
    run(reduced, pause=0.01)
