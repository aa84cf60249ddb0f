"""Maximum likelihood of records, the covariance of its parameters, and the profile of a return level."""

from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize
from scipy.stats import chi2

from weatherml.extremes.return_periods.families import Family
from weatherml.extremes.return_periods.newton import LEAST_SHAPE, MOST_SHAPE, information, likeliest

Array = np.ndarray

_PRECISE = {"xatol": 1e-7, "fatol": 1e-9, "maxiter": 2000, "maxfev": 2000}
_ROUGH = {"xatol": 1e-4, "fatol": 1e-6, "maxiter": 1000, "maxfev": 1000}  # a level's bound is told to some digits
_MOST_STEPS = 60
_HALVINGS = 10  # of a step, a tenth of the spread


def fit(values: Array, family: Family, start: Array) -> Array:
    """Return the likeliest parameters `[parameter]` of a record `[value]`, looked for from a start.

    Shapes are those between -1 and 1; at an end of these the likelihood may have no largest value.
    """
    unit = np.where(np.array(family.parameters) == "shape", 1.0, start[family.parameters.index("scale")])

    def cost(scaled: Array) -> float:
        return _cost(values, family, scaled * unit) if scaled[-1] < MOST_SHAPE else np.inf

    begin = start if np.isfinite(cost(start / unit)) else _inside(values, family, start)
    simplex = begin / unit + np.vstack([np.zeros(len(unit)), 0.1 * np.eye(len(unit))])
    found = minimize(cost, begin / unit, method="Nelder-Mead", options=_PRECISE | {"initial_simplex": simplex})
    return np.asarray(found.x * unit)


def fit_all(records: Array, family: Family, start: Array) -> tuple[Array, Array]:
    """Return the likeliest parameters `[parameter, record]` of records `[record, value]`, from starts of that shape.

    All at once by Newton's steps; of records that these do not bring to a maximum one by one, and by steps from there.

    Returns:
        Also of which records the likelihood has a largest value, bool `[record]`; of others it rises up to an end of
        the shapes from -1 to 1, near which the parameters are.
    """
    begin = start.copy()
    for number in np.flatnonzero(~np.isfinite(_costs(records, family, start))):
        begin[:, number] = _inside(_known(records[number]), family, start[:, number])
    found, done = likeliest(records, family, begin)
    left = np.flatnonzero(~done)
    for number in left:
        values = _known(records[number])
        searched = fit(values, family, start[:, number])
        if not _cost(values, family, searched) > _cost(values, family, found[:, number]):
            found[:, number] = searched
    if len(left):
        found[:, left], done[left] = likeliest(records[left], family, found[:, left])
    return found, done


def _costs(records: Array, family: Family, parameters: Array) -> Array:
    """Return the negative logarithm of the likelihood of each record."""
    density = np.where(np.isnan(records), 0.0, family.log_density(records, parameters[..., None]))
    shape = parameters[-1]
    allowed = (parameters[-2] > 0) & (shape > LEAST_SHAPE) & (shape < MOST_SHAPE)
    return np.where(allowed, -density.sum(axis=-1), np.inf)


def _known(record: Array) -> Array:
    return np.asarray(record[~np.isnan(record)])


def covariance(values: Array, family: Family, parameters: Array) -> Array:
    """Return that of the parameters `[parameter, parameter]`: the inverse of the observed information."""
    try:
        return np.linalg.inv(information(values[None], family, parameters[:, None])[0])
    except np.linalg.LinAlgError:
        return np.full((len(parameters),) * 2, np.nan)


def profile(
    values: Array, family: Family, parameters: Array, probability: float, confidence: float
) -> tuple[float, float]:
    """Return the levels between which the likelihood of a quantile falls less than chance has it, given a confidence.

    Each level is tried with the other parameters at their likeliest (Coles 2001, section 2.6.6). An end that is not met
    within 60 steps, of which each is a twentieth longer, is infinite.

    Args:
        values: `[value]`.
        family: Their distribution.
        parameters: The likeliest.
        probability: Of lower values than the level.
        confidence: Such as 0.95.
    """
    level = float(family.quantile(np.asarray(probability), parameters))
    most = _cost(values, family, parameters) + chi2.ppf(confidence, 1) / 2
    scale = parameters[family.parameters.index("scale")]
    spread = max(scale, abs(level - float(np.mean(values)))) / 10
    own = _Profile(values, family, probability, parameters)
    return tuple(_end(lambda z: own.cost(z) - most, level, sign * spread) for sign in (-1, 1))  # type: ignore[return-value]


class _Profile:
    """The likelihood of a level, with the scale that it and the other parameters leave."""

    def __init__(self, values: Array, family: Family, probability: float, parameters: Array) -> None:
        self.values, self.family = values, family
        self.probability, self.last = np.asarray(probability), self._free(parameters)

    def cost(self, level: float) -> float:
        """Return the least cost of a level; it begins where the last one ended."""
        found = minimize(lambda free: self._of(free, level), self.last, method="Nelder-Mead", options=_ROUGH)
        if np.isfinite(found.fun):
            self.last = found.x
        return float(found.fun)

    def _free(self, parameters: Array) -> Array:
        """Return what is free beside the level: the logarithm of the scale, and the shape; of excesses the shape."""
        scale, shape = parameters[-2:]
        return np.array([np.log(scale), shape]) if len(parameters) == 3 else np.array([shape])

    def _of(self, free: Array, level: float) -> float:
        shape = free[-1]
        if len(free) == 2:
            scale = np.exp(free[0])
            above = float(self.family.quantile(self.probability, np.array([0.0, scale, shape])))
            return _cost(self.values, self.family, np.array([level - above, scale, shape]))
        of_one = float(self.family.quantile(self.probability, np.array([1.0, shape])))
        return _cost(self.values, self.family, np.array([level / of_one, shape]))


def _end(excess: Callable[[float], float], level: float, step: float) -> float:
    """Return where an excess crosses 0 from below, by halving: a search that ends too early does no harm to that."""
    inner = level
    for _ in range(_MOST_STEPS):
        outer = inner + step
        if excess(outer) > 0:
            for _ in range(_HALVINGS):
                middle = (inner + outer) / 2
                inner, outer = (inner, middle) if excess(middle) > 0 else (middle, outer)
            return (inner + outer) / 2
        inner, step = outer, 1.05 * step
    return float(np.copysign(np.inf, step))


def _cost(values: Array, family: Family, parameters: Array) -> float:
    """Return the negative logarithm of the likelihood."""
    if parameters[-2] <= 0 or parameters[-1] <= LEAST_SHAPE:
        return np.inf
    return -float(family.log_density(values, parameters).sum())


def _inside(values: Array, family: Family, start: Array) -> Array:
    """Return parameters that allow all values, where those of the L-moments do not."""
    widened = start.copy()
    widened[-1] = 0.1
    widened[-2] = max(float(np.std(values)), np.finfo(float).tiny)
    return widened
