"""How often intervals of 95 % hold the truth, when forecasts that follow one another fail together.

Two systems are judged at n initial times, half a day apart. A forecast's mean square error is 1 (1.1 for the second
system) times the exponential of a series that both share and of one that each has of its own: white noise, or
autoregressive of first or second order, the same for all three. The difference of the root-mean-square errors is
judged, whose truth is known exactly.

python benchmarks/interval_coverage.py > benchmarks/interval_coverage.md
"""

import sys

import numpy as np
from scipy.signal import lfilter

from weatherml.verification.significance.bootstrap import Circular, Cluster, Moving, Stationary
from weatherml.verification.significance.sample import Sample
from weatherml.verification.significance.student import Cosines, Independent, LagOne, SecondOrder

EXPERIMENTS = 4000
SIZES = (30, 60, 100, 200)
PROCESSES = {  # coefficients, and by how much correlation inflates the variance of a mean
    "white": (0.0, 0.0),
    "AR(1) 0.5": (0.5, 0.0),
    "AR(1) 0.7": (0.7, 0.0),
    "AR(2) 0.9, -0.3": (0.9, -0.3),
    "AR(2) 0.5, 0.2": (0.5, 0.2),
    "AR(2) 0.6, 0.2": (0.6, 0.2),
}
METHODS = {
    "independent": Independent(),
    "lag1": LagOne(),
    "ar2": SecondOrder(),
    "cosines": Cosines(),
    "circular, five days": Circular(),
    "moving, five days": Moving(),
    "stationary, five days": Stationary(),
    "circular, automatic": Circular(length="automatic"),
    "stationary, automatic": Stationary(length="automatic"),
    "cluster of weeks": Cluster(),
}
SPREAD = 0.5  # standard deviation of the logarithm


def series(coefficients, n_init, n_experiments, rng):
    """Return an autoregressive process of unit variance, `[init, experiment]`."""
    first, second = coefficients
    noise = rng.standard_normal((n_init + 200, n_experiments))
    at_one = first / (1 - second)
    variance = 1 / (1 - first * at_one - second * (first * at_one + second))
    return lfilter([1], [1, -first, -second], noise, axis=0)[200:] / np.sqrt(variance)


def sample(coefficients, n_init, n_experiments, seed=0):
    """Return paired systems, and the true difference of their rmse."""
    rng = np.random.default_rng(seed)
    shared, *own = (SPREAD * series(coefficients, n_init, n_experiments, rng) for _ in range(3))
    errors = [size * np.exp(shared + each) for size, each in zip((1.0, 1.1), own, strict=True)]
    mean = np.exp(SPREAD**2)  # of the exponential of two series, whose variances add
    truth = np.sqrt(mean) - np.sqrt(1.1 * mean)
    times = np.datetime64("2020-01-01", "ns") + np.arange(n_init) * np.timedelta64(12, "h")
    weights = np.ones((n_init, n_experiments))
    return Sample(errors, [weights] * 2, lambda one, other: np.sqrt(one) - np.sqrt(other), times), truth


def coverage(method, coefficients, n_init, n_experiments=EXPERIMENTS):
    """Return the share of intervals that hold the truth, and their mean width."""
    drawn, truth = sample(coefficients, n_init, n_experiments)
    bounds = method.judge(drawn)
    return np.mean((bounds.lower <= truth) & (truth <= bounds.upper)), np.mean(bounds.upper - bounds.lower)


def inflation(first, second):
    """Return by how much the variance of a long mean exceeds that of independent values."""
    at_one = first / (1 - second)
    return (1 - first * at_one - second * (first * at_one + second)) / (1 - first - second) ** 2


def main():
    n_experiments = int(sys.argv[1]) if len(sys.argv) > 1 else EXPERIMENTS
    purpose, set_up, command = __doc__.strip().split("\n\n")
    print(f"# Coverage of intervals\n\n{purpose} {set_up}\n\n    {command}\n")
    print(f"Share (%) of {n_experiments} intervals that hold the truth, two standard errors of which are", end=" ")
    print(
        f"{200 * np.sqrt(0.95 * 0.05 / n_experiments):.1f}; in brackets their mean width, in that of `independent`.\n"
    )
    print(f"| process (inflation of variance) | n | {' | '.join(METHODS)} |\n|---|---|{'---|' * len(METHODS)}")
    for name, coefficients in PROCESSES.items():
        for n_init in SIZES:
            found = [coverage(method, coefficients, n_init, n_experiments) for method in METHODS.values()]
            cells = " | ".join(f"{100 * share:.1f} ({width / found[0][1]:.2f})" for share, width in found)
            print(f"| {name} ({inflation(*coefficients):.1f}) | {n_init} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
