"""Laws of signals that ask a program to stop: they are heard, wherever it is, and clean-up is left in peace."""

import subprocess
import sys

import pytest

PROGRAM = """
import gc, os, signal, sys, time
from weatherml.errors import StopRequested
from weatherml.process.signals import OF_CLUSTERS, heard, raise_when_asked

def ask(*_):
    gc.callbacks.clear()
    os.kill(os.getpid(), getattr(signal, sys.argv[2]))

def _xla_gc_callback(*_):
    ask()
    time.sleep(0.01)

raise_when_asked(OF_CLUSTERS | {signal.SIGINT})
try:
    try:
        if sys.argv[1] == "anywhere":
            ask()
        gc.callbacks.append(_xla_gc_callback if sys.argv[1] == "in jax's callback" else ask)
        gc.collect()
        time.sleep(30)
        print("went on")
    finally:
        time.sleep(1.5)
        print("cleaned up")
except KeyboardInterrupt as interruption:
    heard()
    print(type(interruption).__name__)
time.sleep(1.2)
"""


@pytest.mark.parametrize(
    ("where", "number", "kind"),
    [
        ("anywhere", "SIGTERM", "StopRequested"),
        ("in a callback", "SIGINT", "KeyboardInterrupt"),
        ("in jax's callback", "SIGUSR1", "StopRequested"),
    ],
)
def test_a_request_to_stop_is_heard_wherever_the_program_is(where, number, kind):
    ended = subprocess.run([sys.executable, "-c", PROGRAM, where, number], capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout) == (0, f"cleaned up\n{kind}\n"), ended.stderr
    assert bool(ended.stderr) == (where == "in a callback")  # what Python says of exceptions that nobody heard
