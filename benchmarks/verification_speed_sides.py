"""Judges an ensemble by one system, in a process of its own; `verification_speed.py` starts it and says how.

Each takes RMSE of the ensemble mean, ACC, CRPS, spread and rank histogram, weighted by area, by initial time, lead and
level, and prints what it took. Peers are used as their users do; nothing of weatherml is imported for them.
"""

import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
import xarray as xr

FIELD = ["latitude", "longitude"]
NAME = "temperature"


def opened(task: dict[str, Any], chunks: dict[str, int] | None = None) -> tuple[xr.Dataset, xr.Dataset, xr.Dataset]:
    """Return forecasts, the truth and a climatology, lazy."""
    forecast, truth = (
        xr.open_zarr(task[name], chunks=chunks, consolidated=False, decode_timedelta=True)
        for name in ("forecast", "truth")
    )
    chosen = {"init_time": slice(task["inits"]), "level": slice(task["levels"])}
    forecast = forecast.isel(lead_time=slice(task.get("leads")))
    return forecast.isel(chosen), truth.isel(level=chosen["level"]), truth.isel(level=chosen["level"]).isel(time=0)


def summary(crps: Any, rmse: Any, histogram: Any) -> dict[str, Any]:
    """What tells whether all did the same."""
    return {"crps": float(crps), "rmse": float(rmse), "lowest rank": float(histogram)}


def weatherml(task: dict[str, Any]) -> dict[str, Any]:
    from weatherml.process.workers import HERE, Dask
    from weatherml.verification import Campaign, accumulate

    forecast, truth, climatology = opened(task)
    workers = Dask(task["workers"]) if task["workers"] > 1 else HERE
    metrics = ["rmse", "acc", "crps_fair", "spread_skill", "rank_histogram"]
    sums = accumulate(forecast, truth, metrics, climatology.drop_vars("time"), campaign=Campaign(workers=workers))
    area = sums.dataset["weight"].isel(init_time=0, lead_time=0, channel=0).item()
    first = sums.dataset.isel(init_time=0, lead_time=0, channel=0, region=0) / area
    ranks = next(own for name, own in first.items() if str(name).startswith("rank"))
    return summary(first["crps_fair"], np.sqrt(first["squared_error"]), ranks[..., 0])


def xskillscore(task: dict[str, Any]) -> dict[str, Any]:
    """Lazily, chunk by chunk as stored, all scores of an initial time at once."""
    import dask
    import xskillscore as xs

    forecast, truth, climatology = opened(task, {})
    weights = areas(forecast).broadcast_like(climatology[NAME].isel(level=0, drop=True))
    first = None
    for init in range(forecast.sizes["init_time"]):
        own = forecast[NAME].isel(init_time=init)
        valid = own["init_time"] + own["lead_time"]
        true = truth[NAME].sel(time=valid).drop_vars("time").chunk({"lead_time": 1})
        own = own.drop_vars([name for name in own.coords if name not in own.dims])
        mean, normal = own.mean("number"), climatology[NAME]
        scores = (
            xs.crps_ensemble(true, own, member_dim="number", dim=FIELD, weights=weights),
            xs.rmse(true, mean, dim=FIELD, weights=weights),
            xs.pearson_r(true - normal, mean - normal, dim=FIELD, weights=weights),
            own.var("number", ddof=1).weighted(weights).mean(FIELD),
            xs.rank_histogram(true, own, member_dim="number", dim=FIELD),
        )
        with dask.config.set(scheduler="synchronous"):
            done = dask.compute(*scores)
        first = first or done
    lowest = first[4].isel(lead_time=0, level=0)
    return summary(first[0][0, 0], first[1][0, 0], lowest[0] / lowest.sum())


def weatherbenchx(task: dict[str, Any]) -> dict[str, Any]:
    """Chunk by chunk as its pipelines do, without beam: leads of an initial time whose members fill 128 MiB."""
    sys.path.insert(0, task["weatherbenchx"])
    from weatherbenchX import aggregation, weighting
    from weatherbenchX.metrics import base, deterministic, probabilistic, wrappers

    forecast, truth, climatology = opened(task)
    mean = [wrappers.EnsembleMean("predictions")]
    metrics = {
        "rmse": wrappers.WrappedMetric(deterministic.RMSE(), mean),
        "acc": wrappers.WrappedMetric(deterministic.ACC(_dated(climatology, truth)), mean),
        "crps": probabilistic.CRPSEnsemble(use_sort=task["sorts"]),
        "spread": probabilistic.EnsembleRootMeanVariance(),
        "ranks": _Ranks(probabilistic.RankHistogram(), base),
    }
    aggregator = aggregation.Aggregator(reduce_dims=FIELD, weigh_by=[weighting.GridAreaWeighting()])
    field_bytes = 4 * int(np.prod([forecast.sizes[dim] for dim in ("number", *FIELD)]))
    states, n_leads = [], task.get("at once", max(1, 2**27 // field_bytes))
    for init in range(forecast.sizes["init_time"]):
        for level in range(forecast.sizes["level"]):
            for lead in range(0, forecast.sizes["lead_time"], n_leads):
                chosen = {"init_time": [init], "lead_time": slice(lead, lead + n_leads), "level": [level]}
                own = forecast.isel(chosen).load()
                true = truth.isel(level=[level]).sel(time=own["init_time"] + own["lead_time"]).drop_vars("time").load()
                statistics = base.compute_unique_statistics_for_all_metrics(metrics, dict(own), dict(true))
                states.append(aggregator.aggregate_statistics(statistics))
    values = states[0].metric_values(metrics).isel(init_time=0, lead_time=0, level=0)
    lowest = values[f"ranks.{NAME}"]
    return summary(values[f"crps.{NAME}"], values[f"rmse.{NAME}"], lowest[0])


def _Ranks(statistic: Any, base: Any) -> Any:
    """Return the metric that is a statistic's mean."""

    class Ranks(base.PerVariableMetric):
        @property
        def statistics(self) -> dict[str, Any]:
            return {"ranks": statistic}

        def _values_from_mean_statistics_per_variable(self, statistic_values: Any) -> Any:
            return statistic_values["ranks"]

    return Ranks()


def _dated(climatology: xr.Dataset, truth: xr.Dataset) -> xr.Dataset:
    """Return the climatology in the form that it asks for: by day of the year."""
    return climatology.drop_vars("time").expand_dims(dayofyear=np.arange(1, 33)).load()


def scoringrules(task: dict[str, Any]) -> dict[str, Any]:
    """CRPS by its numpy (the estimator that sorts), the rest in a few lines of numpy; a lead and level at a time."""
    import scoringrules as sr

    forecast, truth, climatology = opened(task)
    weights = areas(forecast).values[:, None] / forecast.sizes["longitude"]
    normal, first = climatology[NAME].values, None
    for init in range(forecast.sizes["init_time"]):
        for lead in range(forecast.sizes["lead_time"]):
            for level in range(forecast.sizes["level"]):
                own = forecast[NAME].isel(init_time=init, lead_time=lead, level=level)
                members = own.transpose("number", *FIELD).values
                true = truth[NAME].isel(level=level).sel(time=(own["init_time"] + own["lead_time"]).values).values
                crps = sr.crps_ensemble(true, members, m_axis=0, estimator="pwm", backend="numpy")
                mean = members.mean(axis=0, dtype=np.float64)
                one, other = mean - normal[level], true - normal[level]
                products = [one * other, one**2, other**2, (mean - true) ** 2, members.var(axis=0, ddof=1), crps]
                *_, squared, _, score = (float((field * weights).sum()) for field in products)
                ranks = np.count_nonzero(members < true, axis=0)
                counts = np.bincount(ranks.ravel(), np.broadcast_to(weights, ranks.shape).ravel(), len(members) + 1)
                first = first or summary(score, np.sqrt(squared), counts[0])
    return first


def areas(forecast: xr.Dataset) -> xr.DataArray:
    """Return the share of each row of cells in the globe, `[lat]`, whose centres are equally far apart."""
    centres = np.deg2rad(forecast["latitude"].values)
    edges = np.concatenate([[np.pi / 2], (centres[1:] + centres[:-1]) / 2, [-np.pi / 2]])
    rows = np.abs(np.diff(np.sin(edges))) / 2
    return xr.DataArray(rows, {"latitude": forecast["latitude"]}, "latitude")


def main() -> None:
    side, task = sys.argv[1], json.loads(sys.argv[2])
    globals()[side](task | {"inits": 1, "levels": 1, "leads": 1, "workers": 1})  # imports, and what is compiled
    began, used = time.perf_counter(), time.process_time()
    found = globals()[side](task)
    (peak,) = (int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line)
    # Not ru_maxrss: that of a program begins with what the one had that started it.
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = time.process_time() - used + children.ru_utime + children.ru_stime
    print(json.dumps(found | {"seconds": time.perf_counter() - began, "cpu": cpu, "peak": peak * 1024}))


if __name__ == "__main__":
    main()
