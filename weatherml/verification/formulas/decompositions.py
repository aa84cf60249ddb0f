"""What a score is made of: reliability, resolution and uncertainty."""

from typing import Any

from weatherml.verification.formulas.ensembles import in_order

Array = Any
"""A numpy or jax array."""


def crps_terms(members: Array, truth: Array) -> Array:
    """Return what the decomposition of the CRPS is made of, at each point (Hersbach 2000, equations 26 and 27).

    Sorted, M members bound M + 1 intervals, the outer ones open.

    Args:
        members: `[member, ...]`.
        truth: `[...]` in the same units.

    Returns:
        `[3, interval, ...]`: how much of each interval lies below the truth, how much above (of the outer ones the
        distance from the truth to the next member, where it lies there), both in the units of the fields; and whether
        the truth lies in an outer interval.
    """
    xp = members.__array_namespace__()
    errors = in_order(members - truth)
    below, above = xp.minimum(errors, 0), xp.maximum(errors, 0)
    nothing = xp.zeros_like(errors[:1])
    under = xp.concat([nothing, xp.diff(below, axis=0), -below[-1:]])
    over = xp.concat([above[:1], xp.diff(above, axis=0), nothing])
    inside = xp.zeros_like(errors[1:])
    outer = xp.concat([xp.sign(above[:1]), inside, -xp.sign(below[-1:])])
    return xp.stack([under, over, outer])


def crps_reliability(terms: Array) -> tuple[Array, Array]:
    """Return the reliability of an ensemble, and the CRPS that it would have were it reliable; both add up to `crps`.

    Hersbach 2000, doi:10.1175/1520-0434(2000)015<0559:DOTCRP>2.0.CO;2, equations 28 to 37.

    Args:
        terms: Means of `crps_terms`, `[..., 3, interval]`.

    Returns:
        Reliability and potential, `[...]`, in the units of the fields.
    """
    xp = terms.__array_namespace__()
    under, over, outer = terms[..., 0, :], terms[..., 1, :], terms[..., 2, :]
    first, inner, last = (..., slice(0, 1)), (..., slice(1, -1)), (..., slice(-1, None))
    width = [_over(over[first], outer[first]), (under + over)[inner], _over(under[last], outer[last])]
    # How often the truth lies below the middle of each interval.
    frequency = [outer[first], _over(over[inner], (under + over)[inner]), 1 - outer[last]]
    width, frequency = xp.concat(width, axis=-1), xp.concat(frequency, axis=-1)
    probability = xp.linspace(0.0, 1.0, terms.shape[-1])
    reliability = xp.sum(width * (frequency - probability) ** 2, axis=-1)
    return reliability, xp.sum(width * frequency * (1 - frequency), axis=-1)


def crps_uncertainty(counts: Array, lowest: float, highest: float) -> Array:
    """Return the CRPS of forecasting the distribution of all truths together, from a histogram of these.

    Within a bin they are taken as evenly spread, which is exact to the square of a bin's width over their spread.

    Args:
        counts: Area or number of cases, `[..., bin]`: below `lowest`, in even bins from there to `highest`, above.
        lowest: In the units of the truth.
        highest: In the units of the truth.

    Returns:
        `[...]` in these units; NaN where some lie outside.
    """
    xp = counts.__array_namespace__()
    shares = counts / xp.sum(counts, axis=-1, keepdims=True)
    after = xp.cumulative_sum(shares[..., 1:-1], axis=-1)
    before = after - shares[..., 1:-1]
    width = (highest - lowest) / (counts.shape[-1] - 2)
    inside = (before + after) / 2 - (before**2 + before * after + after**2) / 3
    outside = shares[..., 0] + shares[..., -1]
    return xp.where(outside > 0, xp.nan, width * xp.sum(inside, axis=-1))


def brier_parts(counts: Array, n_cases: float | None = None) -> tuple[Array, Array, Array]:
    """Return reliability, resolution and uncertainty; the Brier score is the first less the second plus the third.

    Murphy 1973, doi:10.1175/1520-0450(1973)012<0595:ANVPOT>2.0.CO;2. Each forecast probability k / M is a class of its
    own, so the sum is exact. Few cases make all classes look better resolved and worse calibrated than they are: less
    that bias, where the number of cases is given (Ferro and Fricker 2012, doi:10.1002/qj.1924, equations 9 to 11); the
    sum is the same.

    Args:
        counts: Area or number of cases, `[..., event, class]` as in `brier`.
        n_cases: How many independent cases they stand for; a field has fewer than points.

    Returns:
        Three of `[...]`.
    """
    xp = counts.__array_namespace__()
    shares = counts / xp.sum(counts, axis=(-2, -1), keepdims=True)
    cases, events = xp.sum(shares, axis=-2), shares[..., 1, :]
    observed, base_rate = _over(events, cases), xp.sum(events, axis=-1)
    probability = xp.linspace(0.0, 1.0, counts.shape[-1])
    reliability = xp.sum(cases * (probability - observed) ** 2, axis=-1)
    resolution = xp.sum(cases * (observed - base_rate[..., None]) ** 2, axis=-1)
    uncertainty = base_rate * (1 - base_rate)
    if n_cases is None:
        return reliability, resolution, uncertainty
    of_classes = xp.sum(_over(cases * observed * (1 - observed), xp.maximum(n_cases * cases - 1, 1)), axis=-1)
    of_all = uncertainty / (n_cases - 1)
    return reliability - of_classes, resolution - of_classes + of_all, uncertainty + of_all


def _over(part: Array, whole: Array) -> Array:
    """Divide; 0 where there is nothing."""
    xp = part.__array_namespace__()
    return xp.where(whole == 0, 0.0, part / xp.where(whole == 0, 1.0, whole))
