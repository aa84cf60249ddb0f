"""Memory that a computation frees is there for the next, without the kernel's help."""

import subprocess
import sys

import pytest

REPEATED_COMPUTATION = """
import resource, sys
from weatherml.process.heap import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
import jax, jax.numpy as jnp

tall, wide = jnp.ones((1 << 14, 8)), jnp.ones((8, 1 << 11))
step = jax.jit(lambda tall, wide: jnp.tanh(tall @ wide) @ wide.T)  # the first product is a buffer of 128 MiB
faults = []
for _ in range(10):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    step(tall, wide).block_until_ready()
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
print(min(faults[1:]))
"""


def page_faults(argument):
    command = [sys.executable, "-c", REPEATED_COMPUTATION, argument]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc only")
def test_a_repeated_computation_faults_no_pages_in_again():
    buffer_pages = 128 * 2**20 // 4096
    assert page_faults("default") > buffer_pages / 2  # else this test shows nothing
    assert page_faults("keep") < buffer_pages / 20
