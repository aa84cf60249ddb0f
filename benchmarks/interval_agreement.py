"""Intervals and lengths of blocks against other software, on the same series: WeatherBench-X's tests and arch.

python3.11 -m venv PEERS
PEERS/bin/pip install arch jax xarray scipy      # and what the source of WeatherBench-X imports
git clone https://github.com/google-research/weatherbenchX SOURCE
PYTHONPATH=SOURCE python benchmarks/interval_agreement.py --peers PEERS/bin/python > benchmarks/interval_agreement.md
"""

import argparse
import subprocess
import tempfile
from pathlib import Path

import numpy as np

PROCESSES = ((0, 0), (0.5, 0), (0.8, 0), (0.9, -0.3), (0.5, 0.2))
OURS = {"independent": "IID", "ar2": "GeerAR2Corrected", "cosines": "LazarusHACEWC"}

WHY = """WeatherBench-X computes in float32. Of a ratio it takes the gradient, we the pseudo-values of the
jackknife, which are a little wider. `ar2` is wider on purpose: autocovariances about a sample's own mean
are too small, and degrees of freedom are lost (docs/significance.md). arch divides each autocorrelation
by the variances of the two parts that it is of, we by that of the whole series, so that at the edge
another lag is the first that is called small."""


def series(n_init=200, n_each=40):
    """Return two systems' errors, autoregressive and positive, much of which they share, `[init, series]`."""
    from scipy.signal import lfilter

    rng = np.random.default_rng(0)

    def one(process):
        noise = rng.standard_normal((n_init + 100, n_each))
        return 0.2 * lfilter([1], [1, -process[0], -process[1]], noise, axis=0)[100:]

    shared, first, second = (np.concatenate([one(own) for own in PROCESSES], axis=1) for _ in range(3))
    return np.exp(shared + first), np.exp(shared + second)


def judged_by_peers(folder):
    """Runs in the peers' environment."""
    import xarray as xr
    from arch.bootstrap import optimal_block_length
    from weatherbenchX.statistical_inference import t_test, test_utils

    given = np.load(folder / "series.npz")
    first, second = (xr.DataArray(given[name], dims=("init", "series")) for name in ("first", "second"))
    asked = {
        "difference": test_utils.metrics_and_agg_state_for_mean(first - second),
        "ratio": test_utils.metrics_and_agg_state_for_ratio_of_means(first, second),
    }
    found = {}
    for what, (metrics, state) in asked.items():
        for name in OURS.values():
            judged = getattr(t_test, name)(metrics=metrics, aggregated_statistics=state, experimental_unit_dim="init")
            bounds = (*judged.confidence_intervals(0.05), judged.p_values())
            found[f"{what} {name}"] = np.stack([next(iter(next(iter(own.values())).values())).values for own in bounds])
    lengths = optimal_block_length(given["first"])
    np.savez(folder / "peers.npz", **found, **{f"length {name}": lengths[name].values for name in lengths})


def compare(folder):
    from weatherml.verification.significance.block_length import automatic_length
    from weatherml.verification.significance.methods import method_named
    from weatherml.verification.significance.sample import Sample

    first, second = series()
    np.savez(folder / "series.npz", first=first, second=second)
    yield
    theirs = np.load(folder / "peers.npz")
    times = np.datetime64("2001-01-01", "ns") + np.arange(len(first)) * np.timedelta64(1, "D")
    for what, function in (("difference", np.subtract), ("ratio", np.divide)):
        for own, name in OURS.items():
            bounds = method_named(own).judge(Sample([first, second], [np.ones(first.shape)] * 2, function, times))
            lower, upper, _ = theirs[f"{what} {name}"]
            apart = (bounds.upper - bounds.lower) / (upper - lower) - 1
            yield f"| {what} of means, width by `{own}` | {name} | {np.median(apart):.1e} | {np.abs(apart).max():.1e} |"
    for name, spread in (("circular", 4 / 3), ("stationary", 2.0)):
        lengths, expected = automatic_length(first - first.mean(axis=0), spread), theirs[f"length {name}"].clip(1)
        apart = np.abs(lengths / expected - 1)
        same = f"the same in {(apart < 1e-6).sum()} of {len(apart)} series"
        yield f"| length of {name} blocks, `automatic` | arch, {same} | {np.median(apart):.1e} | {apart.max():.1e} |"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--peers", help="Python that has the others")
    parser.add_argument("--folder", type=Path, help="where it does as a peer")
    given = parser.parse_args()
    if given.folder:
        judged_by_peers(given.folder)
        return
    with tempfile.TemporaryDirectory() as folder:
        rows = compare(Path(folder))
        next(rows)
        subprocess.run([given.peers, __file__, "--folder", folder], check=True)
        print("# Intervals and lengths of blocks, against WeatherBench-X and arch\n")
        print(
            "The command is at the head of [interval_agreement.py](interval_agreement.py). 200 series of 200 values.\n"
        )
        print("| what | theirs | median relative difference | largest |\n|---|---|---|---|")
        print("\n".join(rows), WHY, sep="\n\n")


if __name__ == "__main__":
    main()
