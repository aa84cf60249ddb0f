"""Rates of this machine's processors, measured in seconds with small programs, and kept."""

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Self

import jax
import jax.numpy as jnp

from weatherml.data.reading.file_index.cache import FOLDER
from weatherml.models.layers import gelu
from weatherml.parallel.programs.traffic import Work, work_of
from weatherml.plan.counting import TRANSCENDENTAL, count
from weatherml.storage.files import write_bytes

Clock = Callable[[], float]

_WIDTHS = (1, 16, 32, 64, 128, 512)
"""Narrowest sizes of products."""

_TOKENS, _N_CALLS = 2048, 64
_WIDTH = 128
"""Of the small network, whose arrays (16 MiB) are those of a training: caches hold none of them."""

_SIZES = (2**18, 2**22, 2**24, 2**27)
"""Of what elementwise programs read and write, bytes."""


@dataclass(frozen=True)
class Rates:
    """What one device of this machine does a second.

    Attributes:
        products: Operations of matrix products, by their narrowest size.
        moved: Bytes that elementwise programs read and write, by their size.
        shuffled: Bytes that transpositions and sums read and write.
        transcendentals: Error functions and the like.
        calls: Instructions that do next to nothing.
        share: Of all these that the gradient of a small network reaches, as it mostly does.
    """

    products: Mapping[int, float]
    moved: Mapping[int, float]
    shuffled: float
    transcendentals: float
    calls: float
    share: float = 1.0

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> Self:
        """Read what `asdict` wrote as JSON."""
        by_size = {key: {int(size): rate for size, rate in told[key].items()} for key in ("products", "moved")}
        return cls(**(told | by_size))

    def seconds(self, work: Work, transcendentals: float) -> dict[str, float]:
        """Return what one run of a program takes, by what takes it."""
        spent = {
            "matrix products": sum(flops / self.of_product(narrowest) for narrowest, flops in work.products.items())
            + self._moving(work.product_moved),
            "memory": self._moving(work.moved) + work.shuffled / self.shuffled,
            "exponentials": transcendentals / self.transcendentals,
            "calls": work.n_instructions / self.calls,
        }
        return {name: seconds / self.share for name, seconds in spent.items()}

    def _moving(self, moved: Mapping[int, float]) -> float:
        return sum(n_bytes / self.of_moved(2**size) for size, n_bytes in moved.items())

    def of_product(self, narrowest: int) -> float:
        """Return the rate of products of a narrowest size: that of the widest measured that is no wider."""
        return self.products[max((width for width in self.products if width <= narrowest), default=min(self.products))]

    def of_moved(self, n_bytes: int) -> float:
        """Return the rate of an elementwise program of a size."""
        return self.moved[min((size for size in self.moved if size >= n_bytes), default=max(self.moved))]


def measure_rates(clock: Clock = time.perf_counter, seconds: float = 0.2) -> Rates:
    """Measure what this process's first device does.

    Args:
        clock: `time.process_time` where other programs keep the processors busy.
        seconds: To spend on each kind.
    """
    least = partial(_least, clock=clock, seconds=seconds)
    products = {width: _flops(*_sides(width)) / least(_product, *_sides(width)) for width in _WIDTHS}
    moved = {size: size / least(_stream, *_arrays(size)) for size in _SIZES}
    tokens = jnp.ones((64, 64, 64))
    small = jnp.ones((2**16,))
    spent = {"shuffled": least(_shuffle, tokens), "transcendentals": least(jax.lax.erf, small)}
    rates = Rates(
        products=products,
        moved=moved,
        shuffled=2 * tokens.nbytes / spent["shuffled"],
        transcendentals=small.size / spent["transcendentals"],
        calls=_N_CALLS / least(_calls, jnp.eye(4)),
    )
    weights, tokens = _reference_weights(), jnp.ones((4 * _TOKENS, _WIDTH))
    traced = jax.jit(_reference).trace(weights, tokens)
    work, counted = work_of(traced.lower().compile().as_text()), count(traced.jaxpr)
    alone = sum(rates.seconds(work, counted[TRANSCENDENTAL]).values())
    return replace(
        rates, share=alone / statistics.median(_times(_reference, weights, tokens, clock=clock, seconds=1.0))
    )


def rates_of_this_machine() -> Rates:
    """Return the rates of this machine as they were measured the first time that they were asked for."""
    path = _cache()
    try:
        return Rates.from_json(json.loads(path.read_text()))
    except (OSError, ValueError, TypeError, KeyError):
        rates = measure_rates()
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, json.dumps(asdict(rates)).encode())
        return rates


def n_cores() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cache() -> Path:
    """Return the file of this kind of machine, number of cores and version of the compiler."""
    folder = Path(os.environ.get(FOLDER) or Path.home() / ".cache" / "weatherml")
    return folder / f"rates-{platform.node()}-{n_cores()}-{jax.__version__}.json"


def _product(x: Any, w: Any) -> Any:
    return x @ w


def _stream(x: Any, y: Any) -> Any:
    return 0.5 * x + y


def _shuffle(x: Any) -> Any:
    return x.transpose(1, 0, 2) + 1


def _calls(x: Any) -> Any:
    for _ in range(_N_CALLS):
        x = x @ x
    return x


@jax.grad
def _reference(weights: Any, x: Any) -> Any:
    """Return the gradient of blocks of norm and MLP: what networks are made of."""
    for scale, bias, expand, contract in weights:
        mean = x.mean(-1, keepdims=True)
        normal = (x - mean) * jax.lax.rsqrt(jnp.square(x - mean).mean(-1, keepdims=True) + 1e-6)
        x = x + gelu((normal * scale + bias) @ expand) @ contract
    return jnp.square(x).sum()


def _reference_weights() -> Any:
    expand, contract = jnp.full((_WIDTH, 4 * _WIDTH), 0.01), jnp.full((4 * _WIDTH, _WIDTH), 0.01)
    return [(jnp.ones(_WIDTH), jnp.zeros(_WIDTH), expand, contract)] * 3


def _sides(width: int) -> tuple[Any, Any]:
    """Return two batches of matrices whose product is as narrow as that."""
    wide = max(width, 64)
    return jnp.ones((2, _TOKENS, wide)), jnp.ones((2, wide, width))


def _flops(x: Any, w: Any) -> float:
    return float(2 * x.size * w.shape[-1])


def _arrays(n_bytes: int) -> tuple[Any, Any]:
    """Return two arrays that take so many bytes with their sum."""
    return jnp.ones((n_bytes // 12,)), jnp.zeros((n_bytes // 12,))


def _least(function: Callable[..., Any], *inputs: Any, clock: Clock, seconds: float) -> float:
    """Return the least time of a call, among as many as fit."""
    return min(_times(function, *inputs, clock=clock, seconds=seconds))


def _times(function: Callable[..., Any], *inputs: Any, clock: Clock, seconds: float) -> list[float]:
    """Return the times of as many calls as fit, one at least; a clock may be too coarse for some."""
    program: Any = jax.jit(function)
    wait: Any = jax.block_until_ready
    wait(program(*inputs))
    times, until = list[float](), time.perf_counter() + seconds
    while not times or time.perf_counter() < until:
        before = clock()
        wait(program(*inputs))
        spent = clock() - before
        if spent > 0:
            times.append(spent)
    return times
