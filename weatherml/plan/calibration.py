"""Rates of this machine's processors, measured in seconds with small programs, and kept."""

import json
import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np

from weatherml.data.reading.file_index.cache import FOLDER
from weatherml.models.layers import gelu
from weatherml.parallel.programs.traffic import Work, work_of
from weatherml.storage.files import write_bytes

Clock = Callable[[], float]

_TOKENS, _WIDTH = 2048, 128
"""Of products."""

_SIZES = (2**18, 2**20, 2**22, 2**24, 2**27)
"""Of what programs without products read and write, bytes."""

_N_ARRAYS = 128
_BATCH = 2**19
"""Values in the products of a batch."""


@dataclass(frozen=True)
class Rates:
    """What one device of this machine does a second.

    Attributes:
        products: Operations of matrix products, by their kind and narrowest size, as `Work` has them.
        moved: Bytes that programs without products read and write, by how they go through them and by their size.
        transcendentals: Error functions and the like.
        calls: Instructions that do next to nothing.
        arrays: That a program is given and returns.
    """

    products: Mapping[str, Mapping[int, float]]
    moved: Mapping[str, Mapping[int, float]]
    transcendentals: float
    calls: float
    arrays: float

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> Self:
        """Read what `asdict` wrote as JSON."""
        nested = {
            key: {kind: {int(size): rate for size, rate in own.items()} for kind, own in told[key].items()}
            for key in ("products", "moved")
        }
        return cls(**(told | nested))

    def seconds(self, work: Work, transcendentals: float) -> dict[str, float]:
        """Return what one run of a program takes, by what takes it."""
        return {
            "matrix products": sum(
                flops / self.of_product(kind, narrowest)
                for kind, own in work.products.items()
                for narrowest, flops in own.items()
            )
            + self._beyond_caches(work.product_moved),
            "memory": sum(self._moving(kind, own) for kind, own in work.moved.items()),
            "exponentials": transcendentals / self.transcendentals,
            "calls": work.n_instructions / self.calls + work.n_arguments / self.arrays,
        }

    def _moving(self, kind: str, moved: Mapping[int, float]) -> float:
        return sum(n_bytes / self.of_moved(2**size, kind) for size, n_bytes in moved.items())

    def _beyond_caches(self, moved: Mapping[int, float]) -> float:
        """Return what bytes of products wait for memory, which those whose rates were measured found in caches."""
        streamed = self.moved["streamed"]
        largest = max(streamed, key=streamed.__getitem__)
        far = {size: n_bytes for size, n_bytes in moved.items() if 2**size > largest}
        return self._moving("streamed", far) - sum(far.values()) / streamed[largest]

    def of_product(self, kind: str, narrowest: int) -> float:
        """Return the rate of products of a kind and a narrowest size."""
        return _between(self.products[kind], narrowest)

    def of_moved(self, n_bytes: int, kind: str = "streamed") -> float:
        """Return the rate of a program without products of a size."""
        return _between(self.moved[kind], n_bytes)

    @property
    def fastest_product(self) -> float:
        """Operations a second of the fastest of the products that were measured."""
        return max(max(own.values()) for own in self.products.values())


def _between(rates: Mapping[int, float], size: int) -> float:
    """Return the rate at a size, a straight line in its logarithm between those that were measured, flat beyond."""
    sizes = sorted(rates)
    return float(np.interp(np.log2(max(size, 1)), np.log2(sizes), [rates[one] for one in sizes]))


def measure_rates(clock: Clock = time.perf_counter, seconds: float = 0.2) -> Rates:
    """Measure what this process's first device does.

    Args:
        clock: `time.process_time` where other programs keep the processors busy.
        seconds: To spend on each kind.
    """
    start = _least(_streamed, jnp.ones(8), jnp.ones(8), clock=clock, seconds=seconds)
    least = partial(_net, start=start, clock=clock, seconds=seconds / 4)
    small = jnp.ones((2**16,))
    return Rates(
        products={
            kind: {width: _rate_of_product(kind, width, least) for width in own} for kind, own in _WIDTHS.items()
        },
        moved={kind: {size: size / least(*_passing(kind, size)) for size in _SIZES} for kind in _PASSES},
        transcendentals=small.size / least(jax.lax.erf, small),
        calls=_rate_of_calls(least),
        arrays=_N_ARRAYS / least(_many, [jnp.ones(8)] * _N_ARRAYS),
    )


def rates_of_this_machine() -> Rates:
    """Return the rates of this machine as they were measured the first time that they were asked for."""
    path = _cache()
    try:
        return Rates.from_json(json.loads(path.read_text()))
    except (OSError, ValueError, TypeError, KeyError, AttributeError):  # one of before, too
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


def _rate_of_product(kind: str, width: int, least: Callable[..., float]) -> float:
    function, x, y, flops = _PRODUCTS[kind](width)
    return flops / least(function, x, y)


def _rows(width: int) -> tuple[Any, Any, Any, float]:
    """Return products of many rows with weights, as a layer has them."""
    wide = max(width, 64)
    x, w = jnp.ones((_TOKENS, wide)), jnp.ones((wide, width))
    return lambda x, w: x @ w, x, w, 2.0 * x.size * width


def _gradients(width: int) -> tuple[Any, Any, Any, float]:
    """Return products that sum over many rows, as the gradient of a layer's weights has them."""
    x, y = jnp.ones((_TOKENS, width)), jnp.ones((_TOKENS, max(2 * width, 64)))
    return lambda x, y: x.T @ y, x, y, 2.0 * width * y.size


def _batched(width: int) -> tuple[Any, Any, Any, float]:
    """Return many small products, and turned ones, as attention and transforms of fields and their gradients have."""
    n = max(4, _BATCH // (width * _WIDTH))
    x, w = jnp.ones((n, width, width)), jnp.ones((n, width, _WIDTH))
    return lambda x, w: (x @ w, x.mT @ w), x, w, 2 * 2.0 * x.size * _WIDTH


_PRODUCTS = {"rows": _rows, "gradients": _gradients, "batched": _batched}
_WIDTHS = {"rows": (1, 16, 32, 64, 128, 512), "gradients": (1, 16, 64, 128, 512), "batched": (1, 8, 16, 32, 64, 128)}
"""Narrowest sizes of products, by their kind."""


def _passing(kind: str, n_bytes: int) -> tuple[Any, ...]:
    """Return a program that goes through so many bytes in a way, and what it reads."""
    if kind == "summed":
        return _summed, jnp.ones((n_bytes // 512, 128))
    if kind == "streamed":
        return _streamed, jnp.ones((n_bytes // 12,)), jnp.zeros((n_bytes // 12,))
    if kind == "transposed":
        return _transposed, jnp.ones((max(1, n_bytes // (8 * 128 * 128)), 128, 128))
    return _joined, jnp.ones((n_bytes // (8 * 64 * 64), 64, 64)), jnp.ones((2, 4, 2, 4, 15))


def _streamed(x: Any, y: Any) -> Any:
    return 0.5 * x + y


def _summed(x: Any) -> Any:
    return x.mean(-1)


def _transposed(x: Any) -> Any:
    return x.transpose(0, 2, 1) + 1


def _joined(x: Any, biases: Any) -> Any:
    """Return windows with the biases of positions in them, which are many pieces side by side that overlap."""
    pieces = [biases[..., 7 - shift : 15 - shift] for shift in range(8)]
    return jnp.exp(x + jnp.stack(pieces, 2).reshape(64, 64))


_PASSES = ("streamed", "transposed", "summed", "joined")


def _many(arrays: list[Any]) -> list[Any]:
    return [0.5 * array + 1 for array in arrays]


def _rate_of_calls(least: Callable[..., float]) -> float:
    """Return how many instructions a second the gradient of a network runs that is so small that all are calls."""
    expand, contract = jnp.full((8, 32), 0.01), jnp.full((32, 8), 0.01)
    weights, tokens = [(jnp.ones(8), jnp.zeros(8), expand, contract)] * 12, jnp.ones((8, 8))
    text: Any = jax.jit(_reference).lower(weights, tokens).compile().as_text()
    return work_of(text).n_instructions / least(_reference, weights, tokens)


@jax.grad
def _reference(weights: Any, x: Any) -> Any:
    """Return the gradient of blocks of norm and MLP: what networks are made of."""
    for scale, bias, expand, contract in weights:
        mean = x.mean(-1, keepdims=True)
        normal = (x - mean) * jax.lax.rsqrt(jnp.square(x - mean).mean(-1, keepdims=True) + 1e-6)
        x = x + gelu((normal * scale + bias) @ expand) @ contract
    return jnp.square(x).sum()


def _net(function: Callable[..., Any], *inputs: Any, start: float, clock: Clock, seconds: float) -> float:
    """Return the least time of a call without the start of a program, which many instructions share."""
    whole = _least(function, *inputs, clock=clock, seconds=seconds)
    return max(whole - start, 0.25 * whole)


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
