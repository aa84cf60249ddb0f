"""`weatherml extremes` as processes, two at once, asked to stop, killed: a page is whole or not there."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from fake_data import analyses
from kills import mortal
from tiny_experiment import done, refused

CASE = """
name: Noise
hazard: heavy_precipitation
period: [2001-01-02, 2001-01-03]
region: {{south: -40, north: 40, west: -60, east: 60}}
truth: {folder}/truth.nc
definition: {{percentile: null, hours: 6}}
init_times: {{first: 2001-01-01T12, last: 2001-01-02}}
lead_times: {{last: 72h, every: 6h}}
systems:
  last: {{baseline: persistence_ensemble, members: 2}}
"""


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    """Return the file of a small case."""
    folder = tmp_path_factory.mktemp("rain")
    truth = abs(analyses({"total_precipitation_6hr": ()}, times=40, start="2000-12-26")) * np.float32(0.01)
    truth.to_netcdf(folder / "truth.nc")
    (folder / "case.yaml").write_text(CASE.format(folder=folder))
    return folder / "case.yaml"


def begun(case, page):
    """Start the program, and wait until it has begun to judge."""
    command = [Path(sys.executable).with_name("weatherml"), "extremes", case, "-o", page]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(command, env=mortal(), **pipes)
    while process.poll() is None and not (page.parent / f".{page.name}.lock").exists():
        time.sleep(0.002)
    assert process.poll() is None
    return process


def left(page):
    """Return what lies beside a page, but for the lock that a killed process cannot take along."""
    return [own.name for own in page.parent.iterdir() if own.name != f".{page.name}.lock"]


def test_one_run_at_a_time_writes_a_page_and_one_that_is_asked_to_stop_leaves_nothing(case, tmp_path):
    page = tmp_path / "page.html"
    first = begun(case, page)
    assert f"another process is at work on {page}; wait for it" in refused("extremes", case, "-o", page)
    first.send_signal(signal.SIGTERM)
    stdout, stderr = first.communicate(timeout=60)
    assert (first.returncode, stdout) == (75, "")
    last = stderr.splitlines()[-1]
    assert last == "weatherml: asked to stop, and nothing is kept; run the same command again to begin again"
    assert left(page) == []


def test_a_run_that_was_killed_leaves_nothing_that_stops_the_next(case, tmp_path):
    page = tmp_path / "page.HTML"
    process = begun(case, page)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert left(page) == []
    done("extremes", case, "-o", page)
    assert page.read_text().rstrip().endswith("</html>") and left(page) == [page.name]


def test_a_full_disk_is_one_line_before_anything_is_judged(case, small_disk):
    small_disk.fill(0)
    page = small_disk.folder / "page.html"
    assert "make room" in refused("extremes", case, "-o", page)
    assert not page.exists()


def test_a_list_and_a_description_write_no_page(tmp_path):
    page = tmp_path / "page.html"
    assert "--list prints and writes no page" in refused("extremes", "--list", "-o", page)
    assert "--describe prints what a hazard is" in refused("extremes", "--describe", "freeze", "-o", page)
    assert not list(tmp_path.iterdir())
