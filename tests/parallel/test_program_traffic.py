"""Laws of what programs compute and move, read off their texts."""

import jax
import jax.numpy as jnp
import pytest

from weatherml.parallel.programs.compiled import cost_of
from weatherml.parallel.programs.traffic import work_of

W = jax.ShapeDtypeStruct((40, 40), jnp.float32)
X = jax.ShapeDtypeStruct((9, 40), jnp.float32)


def compiled(function, *arguments):
    return jax.jit(function).lower(*arguments).compile()


def test_without_loops_it_is_what_the_compiler_counts():
    program = compiled(jax.grad(lambda w, x: (jnp.tanh(x @ w) @ w).sum()), W, X)
    cost, work = cost_of(program), work_of(program.as_text())
    assert work.n_bytes == pytest.approx(cost.bytes_accessed, rel=0.02)
    assert cost.flops * 0.8 < work.product_flops < cost.flops


def test_a_loop_counts_as_often_as_it_runs():
    def repeated(n):
        return compiled(lambda w, x: jax.lax.scan(lambda y, _: (jnp.tanh(y @ w), None), x, None, length=n)[0], W, X)

    ten, twenty = (work_of(repeated(n).as_text()) for n in (10, 20))
    assert ten.product_flops == 10 * 2 * 9 * 40 * 40
    assert twenty.product_flops == 2 * ten.product_flops
    each = (twenty.n_bytes - ten.n_bytes) / 10
    assert 4 * (40 * 40 + 2 * 9 * 40) <= each <= 4 * (40 * 40 + 6 * 9 * 40)


def test_what_is_changed_in_place_moves_the_part_that_changes():
    def rows(n):
        inputs = jax.ShapeDtypeStruct((n, 1000), jnp.float32)
        return work_of(compiled(lambda x: jax.lax.map(jnp.cumsum, x), inputs).as_text()).n_bytes

    assert rows(400) / rows(100) == pytest.approx(4, rel=0.1)  # 16, were all rows moved for each


TEXT = """HloModule m
%moves (p: f32[8]) -> f32[4,8] {
  %p = f32[8]{0} parameter(0)
  ROOT %b = f32[4,8]{1,0} broadcast(%p), dimensions={1}
}
%adds (q: f32[4,8]) -> f32[4,8] {
  %q = f32[4,8]{1,0} parameter(0)
  ROOT %a = f32[4,8]{1,0} add(%q, %q)
}
ENTRY %main (x: f32[8], w: f32[8,8]) -> f32[4,8] {
  %x = f32[8]{0} parameter(0)
  %w = f32[8,8]{1,0} parameter(1)
  %c = f32[8]{0} copy(%x)
  %f = f32[4,8]{1,0} fusion(%c), kind=kLoop, calls=%moves
  %g = f32[4,8]{1,0} fusion(%f), kind=kLoop, calls=%adds
  ROOT %d = f32[4,8]{1,0} dot(%g, %w), lhs_contracting_dims={1}, rhs_contracting_dims={0}
}
"""


def test_what_only_moves_values_is_no_kernel_of_its_own():
    work = work_of(TEXT)
    sum_and_product = {(2 * 128).bit_length(): 1, (2 * 128 + 256).bit_length(): 1}
    assert (work.kernels, work.n_instructions) == (sum_and_product, 4)


KINDS = """HloModule m
%turns (p: f32[4,8,2]) -> f32[4,2,8] {
  %p = f32[4,8,2]{2,1,0} parameter(0)
  ROOT %t = f32[4,2,8]{2,1,0} transpose(%p), dimensions={0,2,1}
}
%rows_stay (p: f32[4,8,2]) -> f32[8,4,2] {
  %p = f32[4,8,2]{2,1,0} parameter(0)
  ROOT %t = f32[8,4,2]{2,1,0} transpose(%p), dimensions={1,0,2}
}
%stacks (p: f32[4,8,2]) -> f32[16,8,2] {
  %p = f32[4,8,2]{2,1,0} parameter(0)
  ROOT %c = f32[16,8,2]{2,1,0} concatenate(%p, %p, %p, %p), dimensions={0}
}
ENTRY %main (x: f32[4,8,2], y: f32[4,8,16], w: f32[8,32]) -> f32[32,32] {
  %x = f32[4,8,2]{2,1,0} parameter(0)
  %y = f32[4,8,16]{2,1,0} parameter(1)
  %w = f32[8,32]{1,0} parameter(2)
  %a = f32[4,2,8]{2,1,0} fusion(%x), kind=kLoop, calls=%turns
  %b = f32[8,4,2]{2,1,0} fusion(%x), kind=kLoop, calls=%rows_stay
  %c = f32[16,8,2]{2,1,0} fusion(%x), kind=kLoop, calls=%stacks
  %s = f32[4,8]{1,0} reduce(%x, %x), dimensions={2}, to_apply=%turns
  %d = f32[4,2,16]{2,1,0} dot(%a, %y), lhs_batch_dims={0}, lhs_contracting_dims={2}, rhs_batch_dims={0}, rhs_contracting_dims={1}
  %e = f32[4,32]{1,0} dot(%s, %w), lhs_contracting_dims={1}, rhs_contracting_dims={0}
  ROOT %f = f32[32,32]{1,0} dot(%e, %e), lhs_contracting_dims={0}, rhs_contracting_dims={0}
}
"""  # noqa: E501


def test_products_are_of_rows_gradients_or_batches_by_their_narrowest_size():
    batched, rows, gradients = 2 * 4 * 2 * 8 * 16, 2 * 4 * 8 * 32, 2 * 32 * 4 * 32
    assert work_of(KINDS).products == {"batched": {2: batched}, "rows": {4: rows}, "gradients": {4: gradients}}


def test_what_moves_is_told_by_the_slowest_of_what_it_does():
    field = 4 * 4 * 8 * 2
    moved = {kind: sum(own.values()) for kind, own in work_of(KINDS).moved.items()}
    summed = 2 * field + field // 2
    assert moved == {"transposed": 2 * field, "streamed": 2 * field, "joined": 5 * field, "summed": summed}
    assert work_of(KINDS).n_arguments == 3
