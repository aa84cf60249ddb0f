"""How often calibrated probabilities, warnings and cones keep what they promise, with and without serial dependence.

python benchmarks/conformal_coverage.py > benchmarks/conformal_coverage.md

Truth is known. Twice-daily forecasts of n initial times; what a forecast gets wrong is one Gaussian series, white or
autoregressive (0.5, 0.8 and 0.95 from one forecast to the next). Each experiment calibrates anew, and is judged on
forecasts far from the period of calibration, drawn from the same process.
"""

import numpy as np
from scipy.signal import lfilter
from scipy.stats import norm

from weatherml.extremes.calibration.conformal import block_quantile, controlled_level
from weatherml.extremes.calibration.isotonic import isotonic, merged, venn_abers

EXPERIMENTS = 500
PROCESSES = {"white": 0.0, "AR(1) 0.5": 0.5, "AR(1) 0.8": 0.8, "AR(1) 0.95": 0.95}
SIZES = (60, 200, 730)
BLOCK = 10  # initial times, five days
MEMBERS, PLACES, LATER = 10, 40, 50
COVERAGE, RISK = 0.9, 0.1


def series(rng, n, phi, shape=()):
    """Stationary, unit variance, `[n, *shape]`."""
    noise = rng.standard_normal((n, *shape)) * np.sqrt(1 - phi**2)
    noise[0] /= np.sqrt(1 - phi**2)
    return lfilter([1], [1, -phi], noise, axis=0)


def cone(rng, n, phi, block):
    """Coverage on later forecasts of the radius learnt on n, and whether it is finite."""
    errors = np.hypot(series(rng, n, phi), series(rng, n, phi))
    radius = block_quantile(errors, np.arange(n) // block, COVERAGE)
    return 1 - np.exp(-(radius**2) / 2), np.isfinite(radius)  # of a Rayleigh distribution, exactly


def event_fields(rng, n, phi):
    """Share of members above and whether the truth is, `[n, place]`: forecasts are biased and too sure.

    All places of a time share a part of what the forecast misses.
    """
    signal = series(rng, n, phi, (PLACES,))
    missed = 0.6 * series(rng, n, phi)[:, None] + 0.5 * rng.standard_normal((n, PLACES))
    threshold = 1.3
    chance = norm.sf((threshold - signal - 0.4) / 0.45)
    return rng.binomial(MEMBERS, chance), signal + missed > threshold


def counts(members, event):
    """Area of events and of all, `[time, class]` each, a time's area one."""
    number = members + (MEMBERS + 1) * np.arange(len(members))[:, None]
    size = len(members) * (MEMBERS + 1)
    both = (np.bincount(number.ravel(), own.ravel(), size) for own in (event, np.ones_like(event, float)))
    return [own.reshape(len(members), -1) / PLACES for own in both]


def in_blocks(values, block):
    n = len(values) // block * block
    return values[:n].reshape(-1, block, values.shape[1]).mean(axis=1)


def missed_share(events, level):
    """Of each row's events, the share below a level; rows without events are left out."""
    total = events.sum(axis=1)
    return events[total > 0, :level].sum(axis=1) / total[total > 0]


def warnings(rng, n, phi, block):
    """Share of events missed later, and whether anything was promised."""
    events = in_blocks(counts(*event_fields(rng, n, phi))[0], block)
    some = events[events.sum(axis=1) > 0]
    losses = np.stack([missed_share(some, level) for level in range(MEMBERS + 1)], axis=1)
    level = controlled_level(losses, RISK)
    later = in_blocks(counts(*event_fields(rng, BLOCK * LATER, phi))[0], block)
    return missed_share(later, max(level, 0)).mean(), level >= 0


def reliability(rng, n, phi):
    """Root of the mean square difference between probability and frequency of a class, known from many cases."""
    events, cases = (own.sum(axis=0) for own in counts(*event_fields(rng, n, phi)))
    lower, upper = venn_abers(cases / BLOCK, events / BLOCK)
    kinds = [np.arange(MEMBERS + 1) / MEMBERS, isotonic(cases, events), merged(lower, upper)]
    share, happened = KNOWN
    width = (share * (upper - lower)).sum()
    inside = (share * ((lower <= happened) & (happened <= upper))).sum()
    return [*(np.sqrt((share * (kind - happened) ** 2).sum()) for kind in kinds), width, inside]


def known():
    """Share of cases and frequency of the event in each class, of a million cases."""
    events, cases = (own.sum(axis=0) for own in counts(*event_fields(np.random.default_rng(9), 25_000, 0.0)))
    return cases / cases.sum(), events / cases


KNOWN = known()


def told(results):
    """Mean in per cent, between experiments its spread, and how many promised nothing."""
    values, finite = np.array(results, float).T
    text = f"{100 * values.mean():.1f} ± {100 * values.std():.1f}"
    return text + (f" ({100 * (1 - finite.mean()):.0f} % none)" if finite.mean() < 1 else "")


HEAD = f"""# Coverage of calibration

{__doc__.splitlines()[0]}

    {__doc__.splitlines()[2]}

{" ".join(__doc__.splitlines()[4:])}

Mean over {EXPERIMENTS} experiments, ± the standard deviation between them: how far off a single calibration may be.
Blocks are of five days. `none`: experiments in which too few blocks promise nothing, so that the radius is infinite, or
all is warned of; they count as kept.

A cone that holds {100 * COVERAGE:.0f} %, and the share of the area of events missed by warnings that may miss
{100 * RISK:.0f} %, per cent:
"""
LATER_HEAD = """
Probabilities: root-mean-square difference from how often the event follows, per cent; the mean width of the Venn-Abers
interval of blocks, and the share of cases whose frequency lies inside it:
"""


def main():
    print(HEAD)
    head = " | ".join(f"{name}, {kind}" for name in ("cone", "missed") for kind in ("forecasts", "blocks"))
    print(f"| process | n | {head} |\n|---|---|---|---|---|---|")
    for name, phi in PROCESSES.items():
        for n in SIZES:
            cells = [
                told([judge(np.random.default_rng([number, n]), n, phi, block) for number in range(EXPERIMENTS)])
                for judge in (cone, warnings)
                for block in (1, BLOCK)
            ]
            print(f"| {name} | {n} | {' | '.join(cells)} |", flush=True)
    print(LATER_HEAD)
    print("| process | n | raw | isotonic | Venn-Abers | width | inside |\n|---|---|---|---|---|---|---|")
    for name, phi in PROCESSES.items():
        for n in SIZES:
            found = [reliability(np.random.default_rng([number, n]), n, phi) for number in range(EXPERIMENTS // 5)]
            print(f"| {name} | {n} | {' | '.join(f'{100 * own:.1f}' for own in np.mean(found, axis=0))} |", flush=True)


main()
