"""What other libraries make of the arrays of verification_agreement.py; it runs in an environment that has them.

A row of the table is a function here: `@row(METRIC, LIBRARY)`, METRIC as `weatherml.verification.evaluate` takes it.
It is given the arrays and returns the library's number or numbers; where its library is not installed the row says so.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from types import SimpleNamespace

import numpy as np

THRESHOLD = 281.0
TILE = 30
UNWEIGHTED = "it takes no weights: one row of points"


@dataclass(frozen=True)
class Row:
    """A number of one library.

    Attributes:
        metric: As ours is called.
        library: Whose.
        compute: From the arrays to the number or numbers.
        init_times: How many of the first it is taken over.
        region: `all`, or `row`: one row of points, for what has no weights.
        note: How its definition differs.
    """

    metric: str
    library: str
    compute: Callable[[SimpleNamespace], object]
    init_times: int = 6
    region: str = "all"
    note: str = ""

    @property
    def key(self):
        return f"{self.metric} | {self.library} | {self.init_times} | {self.region}"


ROWS: list[Row] = []


def row(metric, library, **options):
    def enter(compute):
        ROWS.append(Row(metric, library, compute, **options))
        return compute

    return enter


def mean(case, values):
    """Average `[init, lat, lon]` over area and init times."""
    return np.average(values, weights=np.broadcast_to(case.areas, values.shape))


def weights(case):
    return np.broadcast_to(case.areas, case.truth.shape).ravel()


def labelled(case):
    """Truth and members as xskillscore takes them, and the areas."""
    import xarray as xr

    dims = ("init", "lat", "lon")
    return (
        xr.DataArray(case.truth, dims=dims),
        xr.DataArray(case.members, dims=("member", *dims)),
        xr.DataArray(np.broadcast_to(case.areas, case.truth.shape), dims=dims),
    )


def of_rows(case, counts):
    """Sum what a library counts in each row, `[lat, ...]`, by the area of the row's points."""
    return np.tensordot(case.areas[:, 0], counts, axes=1)


# One field: the ensemble mean


def _of_the_mean(metric, name):
    @row(metric, "xskillscore")
    def compute(case):
        import xskillscore

        truth, members, area = labelled(case)
        return getattr(xskillscore, name)(members.mean("member"), truth, dim=["init", "lat", "lon"], weights=area)


for _metric, _name in {"rmse": "rmse", "mse": "mse", "mae": "mae"}.items():
    _of_the_mean(_metric, _name)


@row("bias", "xskillscore")
def _(case):
    import xskillscore

    truth, members, _ = labelled(case)
    return mean(case, xskillscore.me(members.mean("member"), truth, dim=[]).values)


@row("acc_centred", "xskillscore", init_times=1)
def _(case):
    import xskillscore

    truth, members, area = labelled(case)
    anomalies = (members.mean("member") - case.climatology, truth - case.climatology)
    return xskillscore.pearson_r(*anomalies, dim=["init", "lat", "lon"], weights=area)


@row("rmse", "scikit-learn")
def _(case):
    from sklearn.metrics import root_mean_squared_error

    return root_mean_squared_error(case.truth.ravel(), case.members.mean(0).ravel(), sample_weight=weights(case))


# Ensembles


@row("crps", "xskillscore")
def _(case):
    import xskillscore

    truth, members, area = labelled(case)
    return xskillscore.crps_ensemble(truth, members, dim=["init", "lat", "lon"], weights=area)


@row("crps", "properscoring")
def _(case):
    import properscoring

    return mean(case, properscoring.crps_ensemble(case.truth, case.members, axis=0))


def _crps(metric, estimator):
    @row(metric, "scoringrules")
    def compute(case):
        import scoringrules

        return mean(case, scoringrules.crps_ensemble(case.truth, case.members, m_axis=0, estimator=estimator))


_crps("crps", "nrg")
_crps("crps_fair", "fair")


def _weighted(metric, bounds, estimator):
    @row(metric, "scoringrules")
    def compute(case):
        import scoringrules

        found = scoringrules.twcrps_ensemble(case.truth, case.members, *bounds, m_axis=0, estimator=estimator)
        return mean(case, found)


_weighted(f"twcrps(threshold={THRESHOLD})", (THRESHOLD, np.inf), "nrg")
_weighted(f"twcrps_fair(threshold={THRESHOLD}, tail='lower')", (-np.inf, THRESHOLD), "fair")


@row("quantile_score(quantile=0.9)", "scoringrules")
def _(case):
    import scoringrules

    return mean(case, scoringrules.quantile_score(case.truth, np.quantile(case.members, 0.9, axis=0), 0.9))


@row("quantile_score(quantile=0.9)", "scikit-learn")
def _(case):
    from sklearn.metrics import mean_pinball_loss

    quantile = np.quantile(case.members, 0.9, axis=0)
    return mean_pinball_loss(case.truth.ravel(), quantile.ravel(), sample_weight=weights(case), alpha=0.9)


@row("rank_histogram", "xskillscore")
def _(case):
    import xskillscore

    truth, members, _ = labelled(case)
    counts = of_rows(case, xskillscore.rank_histogram(truth, members, dim=["init", "lon"]).transpose("lat", ...).values)
    return counts / counts.sum()


@row("rank_histogram", "xskillscore, of rain", note="ties at random there, shared out here")
def _(case):
    import xskillscore

    truth, members, _ = labelled(SimpleNamespace(truth=case.rain_truth, members=case.rain_members, areas=case.areas))
    np.random.seed(0)  # what it draws from
    counts = of_rows(case, xskillscore.rank_histogram(truth, members, dim=["init", "lon"]).transpose("lat", ...).values)
    return counts / counts.sum()


def _patterns(case):
    """Yield members, truth and areas of each tile."""
    rows = np.minimum((90 - case.latitude) // TILE, 180 // TILE - 1)
    columns = case.longitude // TILE
    for init in range(len(case.truth)):
        for i in np.unique(rows):
            for j in np.unique(columns):
                box = np.ix_(rows == i, columns == j)
                members = case.members[:, init][:, *box]
                yield members.reshape(len(members), -1), case.truth[init][box].ravel(), case.areas[box].ravel()


def _energy(metric, estimator):
    @row(metric, "scoringrules")
    def compute(case):
        import scoringrules

        found = []
        for members, truth, areas in _patterns(case):
            scale = np.sqrt(areas / areas.sum())
            score = scoringrules.es_ensemble(truth * scale, members * scale, m_axis=0, v_axis=-1, estimator=estimator)
            found.append((score, areas.sum()))
        return np.average(*np.array(found).T[:1], weights=np.array(found)[:, 1])


_energy(f"energy_score(tile={TILE})", "nrg")
_energy(f"energy_score_fair(tile={TILE})", "fair")


@row(f"variogram_score(tile={TILE})", "scoringrules")
def _(case):
    import scoringrules

    found = []
    for members, truth, areas in _patterns(case):
        pairs = np.outer(areas, areas) / areas.sum() ** 2
        found.append((scoringrules.vs_ensemble(truth, members, pairs, m_axis=0, v_axis=-1, p=0.5), areas.sum()))
    return np.average(*np.array(found).T[:1], weights=np.array(found)[:, 1])


# Probabilities of an event


def probability(case):
    return (case.members > THRESHOLD).mean(0)


@row(f"brier(threshold={THRESHOLD})", "xskillscore")
def _(case):
    import xskillscore

    truth, members, area = labelled(case)
    return xskillscore.threshold_brier_score(truth, members, THRESHOLD, dim=["init", "lat", "lon"], weights=area)


def _brier(metric, *, fair):
    @row(metric, "xskillscore, brier_score")
    def compute(case):
        import xskillscore

        truth, members, area = labelled(case)
        events = (truth > THRESHOLD, members > THRESHOLD)
        return xskillscore.brier_score(*events, dim=["init", "lat", "lon"], weights=area, fair=fair)


_brier(f"brier(threshold={THRESHOLD})", fair=False)
_brier(f"brier_fair(threshold={THRESHOLD})", fair=True)


@row(f"brier(threshold={THRESHOLD})", "properscoring")
def _(case):
    import properscoring

    return mean(case, properscoring.threshold_brier_score(case.truth, case.members, THRESHOLD, axis=0))


@row(f"brier(threshold={THRESHOLD})", "scoringrules")
def _(case):
    import scoringrules

    return mean(case, scoringrules.brier_score((case.truth > THRESHOLD).astype(float), probability(case)))


@row(f"brier(threshold={THRESHOLD})", "scikit-learn")
def _(case):
    from sklearn.metrics import brier_score_loss

    event = (case.truth > THRESHOLD).ravel()
    return brier_score_loss(event, probability(case).ravel(), sample_weight=weights(case))


@row(f"brier_skill(threshold={THRESHOLD}, base_rate=0.4)", "scikit-learn, of two brier_score_loss")
def _(case):
    from sklearn.metrics import brier_score_loss

    event = (case.truth > THRESHOLD).ravel()
    scores = [
        brier_score_loss(event, own, sample_weight=weights(case))
        for own in (probability(case).ravel(), np.full(event.size, 0.4))
    ]
    return 1 - scores[0] / scores[1]


@row(f"roc_area(threshold={THRESHOLD})", "scikit-learn")
def _(case):
    from sklearn.metrics import roc_auc_score

    return roc_auc_score((case.truth > THRESHOLD).ravel(), probability(case).ravel(), sample_weight=weights(case))


@row(f"roc_curve(threshold={THRESHOLD})", "scikit-learn")
def _(case):
    from sklearn.metrics import roc_curve

    event = (case.truth > THRESHOLD).ravel()
    options = {"sample_weight": weights(case), "drop_intermediate": False}
    false_alarms, hits, _ = roc_curve(event, probability(case).ravel(), **options)
    return np.stack([false_alarms, hits])[:, ::-1]


@row(f"roc_area(threshold={THRESHOLD})", "xskillscore", region="row", note=UNWEIGHTED)
def _(case):
    import xarray as xr
    import xskillscore

    dims = ("init", "lon")
    event, share = case.truth[:, case.one_row] > THRESHOLD, probability(case)[:, case.one_row]
    edges = np.linspace(0, 1, len(case.members) + 1) - 1e-6
    return xskillscore.roc(xr.DataArray(event, dims=dims), xr.DataArray(share, dims=dims), edges, dim=list(dims))


@row(f"observed_frequency(threshold={THRESHOLD})", "xskillscore")
def _(case):
    import xskillscore

    truth, members, _ = labelled(case)
    share = (members > THRESHOLD).mean("member")
    edges = (np.arange(len(case.members) + 2) - 0.5) / len(case.members)
    found = xskillscore.reliability(truth > THRESHOLD, share, dim=["init", "lon"], probability_bin_edges=edges)
    cases = found["samples"].transpose("lat", ...).values
    events = found.fillna(0).transpose("lat", ...).values * cases
    return of_rows(case, events) / of_rows(case, cases)


def _rps(metric, *, fair):
    @row(metric, "xskillscore")
    def compute(case):
        import xskillscore

        truth, members, area = labelled(case)
        edges = np.array([275.0, THRESHOLD, 288.0])
        return xskillscore.rps(truth, members, edges, dim=["init", "lat", "lon"], weights=area, fair=fair)


_rps(f"rps(thresholds=(275, {THRESHOLD}, 288))", fair=False)
_rps(f"rps_fair(thresholds=(275, {THRESHOLD}, 288))", fair=True)


@row(f"brier_decomposition(threshold={THRESHOLD})", "evalhyd-python", region="row", note=UNWEIGHTED)
def _(case):
    import evalhyd

    truth, members = (
        case.truth[:, case.one_row].ravel(),
        case.members[:, :, case.one_row].reshape(len(case.members), -1),
    )
    options = {"q_thr": np.array([[THRESHOLD]]), "events": "high"}
    return evalhyd.evalp(truth[None], members[None, None], ["BS_CRD"], **options)[0]


# scores (of the Bureau of Meteorology), which takes weights throughout

ALL = ["init", "lat", "lon"]


def _of_scores(metric, name, *arguments, **options):
    @row(metric, "scores")
    def compute(case):
        import scores

        truth, members, area = labelled(case)
        function = getattr(scores.probability, name)
        return function(members, truth, "member", *arguments, reduce_dims=ALL, weights=area, **options)


_of_scores("crps", "crps_for_ensemble", method="ecdf")
_of_scores("crps_fair", "crps_for_ensemble", method="fair")
_of_scores(f"twcrps(threshold={THRESHOLD})", "tail_tw_crps_for_ensemble", THRESHOLD, tail="upper", method="ecdf")
_of_scores(
    f"twcrps_fair(threshold={THRESHOLD}, tail='lower')",
    "tail_tw_crps_for_ensemble",
    THRESHOLD,
    tail="lower",
    method="fair",
)
_of_scores(f"brier(threshold={THRESHOLD})", "brier_score_for_ensemble", THRESHOLD, fair_correction=False)
_of_scores(f"brier_fair(threshold={THRESHOLD})", "brier_score_for_ensemble", THRESHOLD)
_of_scores("rank_histogram", "rank_histogram")


@row("rank_histogram", "scores, of rain")
def _(case):
    import scores

    truth, members, area = labelled(SimpleNamespace(truth=case.rain_truth, members=case.rain_members, areas=case.areas))
    return scores.probability.rank_histogram(members, truth, "member", reduce_dims=ALL, weights=area)


@row("quantile_score(quantile=0.9)", "scores")
def _(case):
    import scores

    truth, members, area = labelled(case)
    quantile = members.quantile(0.9, "member")
    return scores.continuous.quantile_score(quantile, truth, 0.9, reduce_dims=ALL, weights=area)


@row(f"roc_area(threshold={THRESHOLD})", "scores")
def _(case):
    import scores

    truth, members, area = labelled(case)
    share, event = (members > THRESHOLD).mean("member"), (truth > THRESHOLD).astype(float)
    return scores.plotdata.roc(share, event, warned_at(case), reduce_dims=ALL, weights=area)["AUC"]


@row(f"economic_value(threshold={THRESHOLD})", "scores")
def _(case):
    import scores

    truth, members, area = labelled(case)
    share, event = (members > THRESHOLD).mean("member"), (truth > THRESHOLD).astype(float)
    options = {"cost_loss_ratios": [i / 20 for i in range(1, 20)], "probability_thresholds": warned_at(case)}
    value = scores.plotdata.relative_economic_value(share, event, reduce_dims=ALL, weights=area, **options)
    return value.max("probability_threshold")


def warned_at(case):
    """Return probabilities just below those that there are."""
    n_members = len(case.members)
    return [0.0, *((np.arange(1, n_members + 1) - 0.5) / n_members).tolist(), 1.0]


def cut(case, init_times):
    """Keep the first init times of fields."""
    own = dict(vars(case))
    for name in ("truth", "climatology", "rain_truth"):
        own[name] = own[name][:init_times]
    for name in ("members", "rain_members"):
        own[name] = own[name][:, :init_times]
    return SimpleNamespace(**own)


def main(source, target):
    """Compute every row whose library is installed."""
    case = SimpleNamespace(**np.load(source))
    found = {}
    for own in ROWS:
        try:
            found[own.key] = np.asarray(own.compute(cut(case, own.init_times)), np.float64)
            found[f"version {own.key}"] = np.array(version(own.library.partition(",")[0]))
        except ImportError as error:
            print(f"{own.library}: {error}", file=sys.stderr)
    np.savez(target, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
