"""Does aggregation help? RMSE of 6 h steps alone, 24 h steps alone, and both by the fewest steps, on the planet.

weatherml demo configs/planet.yaml -o runs/planet
mkdir -p runs/day && ln -s ../planet/data.zarr runs/day/data.zarr
weatherml train configs/planet.yaml time_step=24h -o runs/day \
          training.stages='[{rollout: 1, n_steps: 2500, learning_rate: 2.0e-3}]'
python benchmarks/aggregation.py runs/planet runs/day > benchmarks/aggregation.md
"""

import sys
from pathlib import Path

import numpy as np

from weatherml.config import load_yaml
from weatherml.data.store.opening import open_store
from weatherml.experiment import Experiment, ExperimentConfig
from weatherml.forecast import ForecastConfig, Forecaster
from weatherml.verification import evaluate

HOUR = np.timedelta64(1, "h")
CHANNELS = ("z500", "t850", "u250", "msl")
HOURS = (6, 18, 24, 72, 114, 120, 126, 168, 234, 240)


def main():
    hours, day = (Path(folder) / "training/checkpoints/best" for folder in sys.argv[1:3])
    systems = {"6 h": [hours], "24 h": [day], "24 h + 6 h": [day, hours]}
    store = open_store(Path(sys.argv[1]) / "data.zarr")
    init_times = Experiment(load_yaml(ExperimentConfig, "configs/planet.yaml"), sys.argv[1]).init_times()
    scores = {}
    for name, paths in systems.items():
        every = "24h" if name == "24 h" else "6h"
        config = ForecastConfig(lead_time="10d", every=every, channels=CHANNELS)
        forecaster = Forecaster.load(*paths)
        (plan,) = forecaster.lead_plans(config)
        calls = ", ".join(f"{n} of {step * plan.unit / HOUR:g} h" for step, n in plan.n_calls.items())
        print(f"- {name}: {calls}; at most {max(len(plan.path(lead)) for lead in plan.leads)} to a lead")
        scores[name] = evaluate(forecaster.run(store, init_times, config), store, ["rmse"])["rmse"]
    print(f"\nRMSE over {len(init_times)} initial times, and its ratio to that of 6 h steps.\n")
    print("| channel | system | " + " | ".join(f"{n} h" for n in HOURS) + " |")
    print("|---|---|" + "---|" * len(HOURS))
    for channel in scores["6 h"]["channel"].values:
        alone = at_leads(scores["6 h"], channel)
        for name in systems:
            pairs = zip(at_leads(scores[name], channel), alone, strict=True)
            cells = ["" if np.isnan(value) else f"{value:.4g} ({value / of_alone:.2f})" for value, of_alone in pairs]
            print(f"| {channel} | {name} | " + " | ".join(cells) + " |")


def at_leads(rmse, channel):
    leads = np.array(HOURS, "timedelta64[h]").astype("timedelta64[ns]")
    return rmse.sel(bound="estimate", channel=channel).reindex(lead_time=leads).values


if __name__ == "__main__":
    main()
