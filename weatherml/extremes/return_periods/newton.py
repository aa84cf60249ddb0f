"""Maximum likelihood of many records at once, by Newton's steps on analytic derivatives."""

from dataclasses import dataclass

import numpy as np

from weatherml.extremes.return_periods.families import GEV, Family

Array = np.ndarray

_N_STEPS = 60
_NEAR = 1e-9  # of the last step, in units of the scale: the next would be of its square
_FLATTEST = 1e-8  # curvature, beside the greatest, that a step trusts
_LONGEST = 0.5  # of a step, in units of the scale
LEAST_SHAPE = -1.0
"""At and below it the likelihood has no largest value."""
MOST_SHAPE = 1.0
"""From there on a distribution has no mean (Coles and Dixon 1999, doi:10.1023/A:1009905222644); a likelihood that rises
up to it often rises without end."""
_OFF = 1e-6  # how far inside of these ends a largest value lies at least
_LEVEL = 1e-6  # a slope a value that is none, by parameters in units of the scale
_SERIES = 0.01  # below it differences of nearly equal numbers lose digits that terms of a series keep
_N_TERMS = 10


def likeliest(records: Array, family: Family, start: Array) -> tuple[Array, Array]:
    """Return the likeliest parameters `[parameter, record]` of records `[record, value]`, each from its start.

    Steps are Newton's where the likelihood is curved as at a maximum, else along its slope, halved until it rises.

    Args:
        records: NaN where one has fewer values than another.
        family: The generalized extreme value or the generalized Pareto distribution.
        start: Parameters `[parameter, record]` that allow all values.

    Returns:
        Also which records have got to a largest value, bool `[record]`: there the likelihood is level and curved
        downward; it is not where it rises up to an end, and steps end for want of a shorter one.
    """
    unit = start[-2].copy()
    at = np.concatenate([start[:-2] / unit, np.log(start[-2:-1] / unit), start[-1:]]).T
    values, done = records / unit[:, None], np.zeros(len(unit), bool)
    costs, open_ = _cost(values, family, at), np.arange(len(unit))
    for _ in range(_N_STEPS):
        step, is_level = _step(values[open_], family, at[open_])
        at[open_], costs[open_], step = _downhill(values[open_], family, at[open_], step, costs[open_])
        is_still = np.abs(step).max(axis=1) < _NEAR
        done[open_] = is_still & is_level
        open_ = open_[~is_still]
        if not len(open_):
            break
    done &= np.isfinite(costs) & (at[:, -1] > LEAST_SHAPE + _OFF) & (at[:, -1] < MOST_SHAPE - _OFF)
    scale = np.exp(at[:, -2]) * unit
    return np.stack([*(own * unit for own in at.T[:-2]), scale, at[:, -1]]), done


def information(records: Array, family: Family, parameters: Array) -> Array:
    """Return the observed information of parameters `[record, parameter, parameter]`, at the likeliest ones.

    Args:
        records: `[record, value]`, NaN where one has fewer values than another.
        family: Their distribution.
        parameters: `[parameter, record]`.
    """
    scale = parameters[-2]
    at = np.concatenate([parameters[:-2] / scale, np.zeros((1, len(scale))), parameters[-1:]]).T
    _, curvature = _derivatives(records / scale[:, None], family, at)
    units = np.stack([*(scale for _ in parameters[:-1]), np.ones_like(scale)], axis=1)
    return np.asarray(curvature / units[:, :, None] / units[:, None, :])


def _step(values: Array, family: Family, at: Array) -> tuple[Array, Array]:
    """Return Newton's step `[record, parameter]`, downhill whatever the curvature is, and where the cost is least.

    That is bool `[record]`: the slope is known and next to none, and the curvature is upward.
    """
    slope, curvature = _derivatives(values, family, at)
    with np.errstate(invalid="ignore"):
        is_known = np.isfinite(curvature).all(axis=(1, 2)) & np.isfinite(slope).all(axis=1)
    curvature[~is_known], slope[~is_known] = np.eye(at.shape[1]), 0
    sizes, ways = np.linalg.eigh(curvature)
    steepest = np.abs(slope[:, :-2] * np.exp(at[:, -2:-1])).max(axis=1, initial=0), np.abs(slope[:, -2:]).max(axis=1)
    is_level = is_known & (np.maximum(*steepest) < _LEVEL * values.shape[1]) & (sizes[:, 0] > 0)
    sizes = np.abs(sizes)
    sizes = np.maximum(sizes, _FLATTEST * sizes.max(axis=1, keepdims=True))
    step = -np.einsum("rij,rj->ri", ways, np.einsum("rij,ri->rj", ways, slope) / sizes)
    longest = np.abs(step).max(axis=1, keepdims=True)
    return np.asarray(step * np.minimum(1, _LONGEST / np.maximum(longest, np.finfo(float).tiny))), is_level


def _downhill(values: Array, family: Family, at: Array, step: Array, costs: Array) -> tuple[Array, Array, Array]:
    """Return where steps lead, what it costs there, and the steps: each is halved until it costs no more."""
    length, found, cost = np.ones(len(at)), at.copy(), costs.copy()
    left = np.arange(len(at))
    for _ in range(40):
        tried = at[left] + length[left, None] * step[left]
        new = _cost(values[left], family, tried)
        good = new <= costs[left] + 1e-12 * np.abs(costs[left])
        found[left[good]], cost[left[good]] = tried[good], new[good]
        left = left[~good]
        if not len(left):
            break
        length[left] /= 2
    return found, cost, step * length[:, None]


@dataclass(frozen=True, eq=False)
class _Reduced:
    """Values `[record, value]` on the scale on which they are Gumbel's, or exponential, with derivatives.

    Attributes:
        z: Less the location, by the scale.
        scale: `[record, 1]`.
        shape: `[record, 1]`.
        y: log(1 + shape z) / shape.
        inside: 1 + shape z.
    """

    z: Array
    scale: Array
    shape: Array
    y: Array
    inside: Array

    @classmethod
    def of(cls, values: Array, at: Array) -> "_Reduced":
        scale, shape = np.exp(at[:, -2:-1]), at[:, -1:]
        z = (values - (at[:, :1] if at.shape[1] == 3 else 0)) / scale
        t = shape * z
        with np.errstate(invalid="ignore", divide="ignore"):
            y = z * np.where(t == 0, 1.0, np.log1p(t) / np.where(t == 0, 1.0, t))
        return cls(z, scale, shape, y, 1 + t)

    def by_shape(self) -> tuple[Array, Array]:
        """Return the first and the second derivative of y by the shape."""
        t = self.shape * self.z
        small = np.abs(t) < _SERIES
        safe = np.where(small, 1.0, t)
        with np.errstate(invalid="ignore", divide="ignore"):
            first = (safe / (1 + safe) - np.log1p(safe)) / safe**2
            second = -(1 / (1 + safe) ** 2 + 2 * first) / safe
        of_series = np.where(small, t, 0.0)
        one, two = np.zeros_like(t), np.zeros_like(t)
        for k in range(_N_TERMS, -1, -1):  # Horner's scheme
            one = one * of_series + (-1) ** (k + 1) * (k + 1) / (k + 2)
            two = two * of_series + (-1) ** k * (k + 1) * (k + 2) / (k + 3)
        return self.z**2 * np.where(small, one, first), self.z**3 * np.where(small, two, second)


def _cost(values: Array, family: Family, at: Array) -> Array:
    """Return the negative logarithm of the likelihood `[record]`; infinite where a value is not allowed."""
    own = _Reduced.of(values, at)
    with np.errstate(over="ignore", invalid="ignore"):
        each = at[:, -2:-1] + (1 + own.shape) * own.y + (np.exp(-own.y) if family is GEV else 0)
    is_there = ~np.isnan(values)
    total = np.where(is_there, each, 0).sum(axis=1)
    allowed = (~is_there | (own.inside > 0)).all(axis=1) & (at[:, -1] > LEAST_SHAPE) & (at[:, -1] < MOST_SHAPE)
    return np.where(allowed & np.isfinite(total), total, np.inf)


def _derivatives(values: Array, family: Family, at: Array) -> tuple[Array, Array]:
    """Return the first `[record, parameter]` and second derivatives of the cost; parameters have the scale's log."""
    own = _Reduced.of(values, at)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        tail = np.exp(-own.y) if family is GEV else np.zeros_like(own.y)
        by_y, w, z = 1 + own.shape - tail, 1 / own.inside, own.z
        first, second = own.by_shape()
        shifts = [-1 / own.scale, -z] if at.shape[1] == 3 else [-z]  # of z by the location and the scale's logarithm
        twice = [[0 * z, 1 / own.scale + 0 * z], [1 / own.scale + 0 * z, z]] if at.shape[1] == 3 else [[z]]
        bent = tail * w**2 - by_y * own.shape * w**2
        slope = [by_y * w * own_shift for own_shift in shifts] + [own.y + by_y * first]
        slope[-2] = slope[-2] + 1
        rows = [
            [bent * one * two + by_y * w * twice[i][j] for j, two in enumerate(shifts)]
            + [one * (tail * w * first - by_y * z * w**2 + w)]
            for i, one in enumerate(shifts)
        ]
        rows.append([row[-1] for row in rows] + [tail * first**2 + by_y * second + 2 * first])
    is_there = ~np.isnan(values)
    curvature = np.stack([[np.where(is_there, part, 0).sum(axis=1) for part in row] for row in rows])
    return np.stack([np.where(is_there, part, 0).sum(axis=1) for part in slope], axis=1), np.moveaxis(curvature, -1, 0)
