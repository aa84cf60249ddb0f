"""Every network in every layout of eight devices against one: what differs, and what a device holds and sends.

    python benchmarks/layouts.py > benchmarks/layouts.md

The devices are virtual ones of this CPU, so times mean nothing and are not told. A network that is cut otherwise than
its sizes allow is told as such.
"""

import argparse
import os
import sys
from collections import Counter
from pathlib import Path

N_DEVICES = 8
os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={N_DEVICES} --xla_backend_optimization_level=0"
TESTS = Path(__file__).resolve().parents[1] / "tests"
sys.path += [str(TESTS), str(TESTS / "parallel")]

from docs_page import run_python  # noqa: E402
from spatial_problems import PROBLEMS, Problem  # noqa: E402
from ten_steps import SAMPLES, differences, ten_steps  # noqa: E402

from weatherml.grid import LatLonGrid  # noqa: E402
from weatherml.models import registry  # noqa: E402
from weatherml.parallel import MeshConfig  # noqa: E402

CONVNET = run_python("add_a_model.md", registry)["ConvNetConfig"](width=24, depth=2, drop_path=0.5)
PROBLEMS |= {"convnet": Problem(CONVNET, LatLonGrid.regular(16, 32, poles=False), "huber")}

LAYOUTS = [
    MeshConfig(),
    MeshConfig(fsdp=8),
    MeshConfig(spatial=(2, 4)),
    MeshConfig(tensor=4),
    MeshConfig(fsdp=2, spatial=2),
    MeshConfig(spatial=(2, 2), tensor=2),
    MeshConfig(fsdp=2, tensor=2),
    MeshConfig(member=2, fsdp=2),
]


def main():
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", nargs="*", choices=PROBLEMS, default=list(PROBLEMS))
    given = parser.parse_args()
    print("# Layouts against one device\n")
    print(f"`python benchmarks/layouts.py`: ten AdamW steps, {SAMPLES} samples, float32, {N_DEVICES} virtual devices.")
    print("Differences are relative to one device: the largest of ten losses; of each weight's first gradient, to its")
    print("largest value; of all weights after ten steps, to their norm. Shares are of one device's memory, by the")
    print("compiler: of weights, average and moments, and of all that a step needs beside.\n")
    print("| network | mesh | losses | gradient | weights | state | activations | a device sends in a step, kB |")
    print("|---|---|---|---|---|---|---|---|")
    for name in given.only:
        alone = ten_steps(name, PROBLEMS[name], MeshConfig(), 1)
        for mesh in LAYOUTS:
            if mesh.member == 1 or PROBLEMS[name].loss == "crps":
                print(row(name, mesh, alone), flush=True)


def row(name, mesh, alone):
    """Return a line of the table."""
    ours = ten_steps(name, PROBLEMS[name], mesh, N_DEVICES)
    errors = [f"{error:.0e}" for error in differences(ours, alone).values()]
    shares = [f"{ours[part] / alone[part]:.2f}" for part in ("state", "activations")]
    sent = Counter()
    for one in ours["exchanges"]:
        sent[one.kind] += one.sent_bytes / 1000
    told = ", ".join(f"{kind} {size:.0f}" for kind, size in sorted(sent.items()))
    data = mesh.model_copy(update={"data": N_DEVICES // mesh.n_without_data})
    return f"| {name} | {data} | {' | '.join([*errors, *shares, told])} |"


if __name__ == "__main__":
    main()
