"""Time and memory of importing a Pangu-Weather of the published size.

    python benchmarks/import_pangu.py [FOLDER] > benchmarks/import_pangu.md

Writes a `pangu_weather_24.onnx` of random values under the published names and in the published shapes to FOLDER, or to
a temporary one, and runs `weatherml import pangu` on it, in a process of its own.
"""

import os
import platform
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "pretrained"))

from onnx_writer import Tensor, write_onnx
from tiny_pangu import draw_one

from weatherml.models import PanguConfig
from weatherml.pretrained.pangu_names import wanted_tensors
from weatherml.pretrained.pangu_sizes import PanguSizes

MEGABYTE = 1e6
PUBLISHED = PanguSizes(PanguConfig(), n_levels=13, grid=(721, 1440))


def write_published_size(path):
    wanted = enumerate(wanted_tensors(PUBLISHED))
    tensors = [
        Tensor(w.published, w.shape, partial(draw_one, w, seed), w.published.startswith("/")) for seed, w in wanted
    ]
    return write_onnx(path, tensors)


def measure(*words):
    """Run a program; return its output, seconds, seconds of processors and peak memory in bytes."""
    start = time.perf_counter()
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, output
    return output, time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def main(folder):
    program = Path(sys.executable).with_name("weatherml")
    path = write_published_size(folder / "pangu_weather_24.onnx")
    n_bytes = path.stat().st_size
    *_, libraries = measure(sys.executable, "-c", "import weatherml.pretrained")
    output, seconds, busy, peak = measure(program, "import", "pangu", path, "-o", folder / "pangu24")
    written = sum(file.stat().st_size for file in (folder / "pangu24").iterdir())
    print("# Importing a Pangu-Weather of published size\n")
    print(f"`python benchmarks/import_pangu.py`, {platform.machine()}; the file holds random values\n")
    print("| | |\n|---|---|")
    print(f"| file | {n_bytes / MEGABYTE:.0f} MB |")
    print(f"| checkpoint | {written / MEGABYTE:.0f} MB |")
    print(f"| time, of a clock | {seconds:.1f} s |")
    print(f"| time, of processors | {busy:.1f} s |")
    print(f"| peak memory | {peak / MEGABYTE:.0f} MB, {peak / n_bytes:.2f} of the file |")
    print(f"| of it, libraries | {libraries / MEGABYTE:.0f} MB |")
    print(f"\n```\n{output}```")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            main(Path(folder))
