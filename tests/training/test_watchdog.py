"""Laws of what ends a training that does not go on."""

import subprocess
import sys
import time

from weatherml.training.recovery.watchdog import Watchdog

WAITS = """
import time
from weatherml.training.recovery.watchdog import Watchdog

with Watchdog(0.3, "run it again") as watchdog:
    watchdog.expect("step 2 of 9", compiles=True)
    time.sleep(1)
    print("came", flush=True)
    watchdog.expect("step 3 of 9")
    time.sleep(9)
print("came, too", flush=True)
"""

HANGS = """
import sys, time
from tiny_training import arguments
from weatherml.training import train

train(*arguments(watchdog="1s"), sys.argv[1], lambda step, *_: time.sleep(60 * (step == 8)))
"""


def run(program, *words):
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, words)], capture_output=True, text=True, timeout=120
    )


def test_what_does_not_come_ends_the_process_with_one_line_and_what_is_compiled_is_waited_for_longer():
    ended = run(WAITS)
    assert (ended.returncode, ended.stdout) == (76, "came\n")
    assert ended.stderr == "weatherml: step 3 of 9 did not come to its end; run it again\n"


def test_what_comes_in_time_and_waiting_without_end_end_nothing():
    for limit in (0.3, None):
        with Watchdog(limit, "") as watchdog:
            for step in range(4):
                watchdog.expect(f"step {step}")
                time.sleep(0.1)
        time.sleep(0.4)  # nor afterwards


def test_a_training_that_hangs_ends_by_itself_and_goes_on_from_its_snapshot(tmp_path):
    ended = run(HANGS, tmp_path)
    assert ended.returncode == 76, ended.stderr
    assert ended.stderr.endswith(
        "step 8 of 23 did not come to its end; run it again to go on, or set training.watchdog\n"
    )
    assert (tmp_path / "snapshots" / "5").exists()
