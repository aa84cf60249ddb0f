"""Times that are not those of the fields: exchanged, of another step, or of another hour of the day."""

from collections.abc import Iterator

import numpy as np

from weatherml.data.notes import iso
from weatherml.data.quality.evidence import Evidence
from weatherml.data.quality.finding import Finding
from weatherml.data.quality.rules.continuity import Breaks, breaks
from weatherml.data.quality.rules.kinds import varying
from weatherml.data.quality.rules.registry import RULES
from weatherml.wording import listed

_MOST = 3
"""Times that a message names."""


@RULES.register("exchanged")
def exchanged(evidence: Evidence) -> Iterator[Finding]:
    """Find times that are exchanged, alone or in blocks: where a field changes far more than it does around then."""
    for variable, channels in varying(evidence).items():
        found = [(channel.channel, breaks(channel, evidence.times)) for channel in channels]
        broken = [(channel, own) for channel, own in found if own]
        if broken:
            subject = str(broken[0][0]) if len(broken) == 1 else variable
            # The channel that shows most says it for all.
            worst = max((own for _, own in broken), key=lambda own: len(own.foreign + own.swapped + own.borders))
            text = "; ".join(_told(worst, evidence.times))
            yield Finding("error", subject, f"{text}; put the times in order, or read them again", "exchanged")


def _told(found: Breaks, times: np.ndarray) -> Iterator[str]:
    """Say what is out of order."""
    if len(found.foreign) == 2:
        yield f"the fields at {' and '.join(iso(times[i]) for i in found.foreign)} look exchanged: both are out of turn"
    elif found.foreign:
        yield f"out of turn, unlike the times before and after, is the field at {_named(found.foreign, times)}"
    if found.swapped:
        pairs = listed(f"{iso(times[i])} and {iso(times[i + 1])}" for i in found.swapped[:_MOST])
        yield f"the fields at {pairs} are exchanged"
    if len(found.borders) > 1:
        yield f"blocks of times are exchanged or from elsewhere: the weather jumps at {_named(found.borders, times)}"
    elif found.borders:
        yield (
            f"the weather jumps at {_named(found.borders, times)}: what follows is of another time or another version"
        )


def _named(places: tuple[int, ...], times: np.ndarray) -> str:
    more = f" and at {len(places) - _MOST} more" if len(places) > _MOST else ""
    return listed(iso(times[i]) for i in places[:_MOST]) + more
