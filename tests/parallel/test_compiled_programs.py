"""Laws of what is read off compiled programs: memory, operations, and what devices send to each other."""

import json
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import pytest

from weatherml.parallel.programs.compiled import collectives_of, cost_of, memory_of

ON_FOUR_DEVICES = """
import json
import jax, jax.numpy as jnp, numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec as P
from weatherml.parallel.programs.compiled import collectives_of

mesh = Mesh(np.asarray(jax.devices()).reshape(2, 2), ("data", "fsdp"))

def abstract(shape, *spec):
    return jax.ShapeDtypeStruct(shape, jnp.float32, sharding=NamedSharding(mesh, P(*spec)))

def loss(w, x):
    y, _ = jax.lax.scan(lambda y, _: (jnp.tanh(y @ w), None), x, None, length=5)
    return (y**2).mean()

w, x = abstract((64, 64), "fsdp", None), abstract((32, 64), ("data", "fsdp"), None)
text = jax.jit(jax.grad(loss), out_shardings=w.sharding).lower(w, x).compile().as_text()
print(json.dumps([[c.kind, c.shapes, c.devices, c.times, c.sent_bytes] for c in collectives_of(text)]))
"""


def entry(*lines):
    """Return the text of a program of these instructions."""
    return "\n".join(["HloModule m", "ENTRY %main (p: f32[8]) -> f32[8] {", *(f"  {line}" for line in lines), "}"])


def test_memory_is_that_of_arrays_less_what_is_donated():
    x = jax.ShapeDtypeStruct((1000, 250), jnp.float32)
    kept = memory_of(jax.jit(lambda x: x + 1).lower(x).compile())
    assert (kept.arguments, kept.outputs, kept.aliased, kept.total) == (10**6, 10**6, 0, 2 * 10**6)
    donated = memory_of(jax.jit(lambda x: x + 1, donate_argnums=0).lower(x).compile())
    assert donated.aliased == donated.total == 10**6


def test_the_compiler_counts_two_operations_an_element_of_a_product():
    a, b = (jax.ShapeDtypeStruct(shape, jnp.float32) for shape in ((30, 40), (40, 50)))
    cost = cost_of(jax.jit(lambda a, b: jnp.exp(a @ b)).lower(a, b).compile())
    assert cost.flops == pytest.approx(2 * 30 * 40 * 50, rel=0.05)
    assert cost.transcendentals == 30 * 50
    assert cost.bytes_accessed >= 4 * (30 * 40 + 40 * 50 + 30 * 50)


def test_exchanges_in_loops_count_as_often_as_the_loop_runs():
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=4"}
    command = [sys.executable, "-c", ON_FOUR_DEVICES]
    told = subprocess.run(command, check=True, env=os.environ | flags, capture_output=True, text=True).stdout
    found = [tuple(map(str, one[:4])) for one in json.loads(told)]
    assert ("all-gather", "['f32[64,64]']", "[0, 1]", "1") in found  # the weights, before the loop
    assert {times for kind, _, _, times in found if kind == "all-reduce"} >= {"5"}  # gradients, within it
    assert any(devices == "[0, 2]" for kind, _, devices, _ in found if kind == "all-reduce")  # along `data`


@pytest.mark.parametrize(
    ("written", "devices"),
    [
        ("replica_groups={{0,3},{1,2}}", (0, 3)),
        ("replica_groups=[2,4]<=[8], use_global_device_ids=true", (0, 1, 2, 3)),
        ("replica_groups=[4,2]<=[2,4]T(1,0), use_global_device_ids=true", (0, 4)),
        ("replica_groups=mesh['axis_0'=2,'axis_1'=4] {'axis_0'}, use_global_device_ids=true", (0, 4)),
        ("replica_groups=mesh['a'=1,'b'=2,'c'=2], device_ids=([2,2]T(1,0)) {'b'}, channel_id=2", (0, 1)),
        ("replica_groups=mesh['a'=2,'b'=4] {'b':(2)2}, channel_id=2", (0, 1)),
        ("replica_groups=mesh['a'=2,'b'=4] {'a','b'}", tuple(range(8))),
    ],
)
def test_groups_of_devices_are_read_however_they_are_written(written, devices):
    (found,) = collectives_of(entry(f"%r = f32[8]{{0}} all-reduce(%p), channel_id=1, {written}, to_apply=%add"))
    assert found.devices == devices


def test_bytes_that_a_device_sends_follow_from_the_kind_of_exchange():
    four = "replica_groups={{0,1,2,3}}, use_global_device_ids=true"
    found = collectives_of(
        entry(
            f"%a = f32[12,4]{{1,0}} all-reduce(%p), {four}, to_apply=%add",
            f"%b = bf16[12,4]{{1,0}} all-gather(%p), {four}, dimensions={{0}}",
            f"%c = f32[3,4]{{1,0}} reduce-scatter(%p), {four}, dimensions={{0}}, to_apply=%add",
            f"%d = (f32[3]{{0}}, f32[3]{{0}}, f32[3]{{0}}, f32[3]{{0}}) all-to-all(%p, %q, %r, %s), {four}",
            "%e = f32[12,4]{1,0} collective-permute(%p), source_target_pairs={{0,1},{1,2},{2,3},{3,0}}",
            f"%f = (f32[3,4]{{1,0}}, f32[12,4]{{1,0}}) all-gather-start(%p), {four}, dimensions={{0}}",
        )
    )
    assert [one.n_bytes for one in found] == [192, 96, 48, 48, 192, 192]
    assert [one.sent_bytes for one in found] == [288, 72, 144, 36, 192, 144]
    assert found[4].devices == (0, 1, 2, 3)
