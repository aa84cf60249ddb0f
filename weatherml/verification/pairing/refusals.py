"""What is said where values are missing that may not be."""

from collections.abc import Sequence

import numpy as np

from weatherml.errors import Option, UserError
from weatherml.errors.wording import counted, listed

_DROP_STOPPED = Option(
    "drop_stopped",
    purpose="to leave out the members that stopped",
    python="weatherml.products.without_stopped(forecast)",
)
COUNT_MISSING = Option("missing", "count", purpose="to judge what is there and be told how much that is")
_MOST_NAMED = 3  # channels in a remedy


def holes(
    wrong: np.ndarray,
    mask: np.ndarray,
    owner: str,
    channel: str,
    times: np.ndarray,
    since: np.datetime64,
    *remedies: str | Option,
) -> UserError:
    """Return what is said of fields that lack other points than the truth does.

    Args:
        wrong: Where, bool `[lead, lat, lon]`.
        mask: Where the truth is defined, bool `[lat, lon]`.
        owner: Whose fields they are, such as `the truth`.
        channel: Of the fields.
        times: At which they are valid, `[lead]`.
        since: The valid time at which it was looked where the truth is defined.
        *remedies: What can be done about it.
    """
    lead = np.flatnonzero(wrong.any(axis=(1, 2)))[0]
    lost, new = (int((wrong[lead] & own).sum()) for own in (mask, ~mask))
    what = f"not finite at {counted(lost, 'point')}" if lost else f"finite at {counted(new, 'point')}"
    where = f"it is{' not' * (not lost)} at {text(since)}" if owner == "the truth" else "the truth is"
    return UserError(
        f"{owner} of {channel} valid at {text(times[lead])} is {what} where {where}; all times must lack the same"
        " points",
        *remedies,
    )


def refuse_absent_members(there: np.ndarray, numbers: np.ndarray, channel: str, times: np.ndarray) -> None:
    """Refuse members that are NaN throughout where others are not.

    Args:
        there: Whether a member has any value, bool `[member, lead]`.
        numbers: Of the members, `[member]`.
        channel: Of the fields.
        times: At which they are valid, `[lead]`.

    Raises:
        UserError: There is such a member.
    """
    gone, at = np.nonzero(~there & there.any(axis=0))
    if not gone.size:
        return
    absent = numbers[np.unique(gone)]
    kept = listed([str(own) for own in np.setdiff1d(numbers, absent)])
    raise UserError(
        f"number {listed([str(own) for own in absent])} of the forecast of {channel} valid at {text(times[at.min()])}"
        " is NaN throughout and others are not; all times must have the same",
        _DROP_STOPPED,
        f"judge those that all times have (here {kept})",
        COUNT_MISSING,
    )


def of_holes(owner: str, n_members: int, others: str | Option) -> list[str | Option]:
    """Return what can be done about fields that lack other points than the truth does.

    Args:
        owner: Whose fields they are.
        n_members: Of the forecast.
        others: How to judge the other channels.
    """
    may_have_stopped = owner == "the forecast" and n_members > 1
    return [*([_DROP_STOPPED] if may_have_stopped else []), "mend it", COUNT_MISSING, others]


def keep(channels: Sequence[str], otherwise: str) -> str | Option:
    """Return how to judge these channels alone, the first of them named."""
    if not channels:
        return otherwise
    named = [*channels[:_MOST_NAMED], *(["..."] if len(channels) > _MOST_NAMED else [])]
    purpose = "to leave the others out"
    return Option("channels", ",".join(named), purpose, f"products.convert.select(forecast, {named})")


def text(time: object) -> str:
    """Return a time to the minute, as ISO 8601."""
    return str(np.datetime64(time, "m"))  # type: ignore[call-overload]
