"""What a compiled step takes on devices of a kind: memory by part, and time by what takes it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from weatherml.parallel.hardware.accelerators import BANDWIDTH, CALL, LINK, PRODUCTS, Accelerator
from weatherml.parallel.programs.traffic import Work
from weatherml.plan.calibration import Rates
from weatherml.plan.compiling import Compiled, Exchange
from weatherml.plan.counting import TRANSCENDENTAL

USABLE = 0.92
"""Share of an accelerator's memory that programs may have; JAX takes 0.75 unless it is told otherwise."""


def memory_by_part(compiled: Compiled) -> dict[str, int]:
    """Return the memory of one device during a step, bytes.

    The gradient is as large as the weights; what else a step takes beside what lies there are activations and whatever
    is not needed for long. The next batch is placed while a step is taken.
    """
    gradient = min(compiled.resident["weights"], compiled.temporary)
    own = {**compiled.resident, "next batch": compiled.resident["batch"], "gradient": gradient}
    return own | {"activations": compiled.temporary - gradient}


@dataclass(frozen=True)
class Machine:
    """What one device does, whether published or measured.

    Attributes:
        accelerator: Published; None for this machine.
        rates: Measured of all processors of this machine together; None for an accelerator.
        n_devices: That take part.
        crossing: Bytes that go from the memory of the host to a device and back in every step, both counted.
    """

    accelerator: Accelerator | None
    rates: Rates | None
    n_devices: int
    crossing: int = 0

    def seconds(self, compiled: Compiled, stage: int) -> dict[str, float]:
        """Return what a step of a stage takes, seconds by what takes them; as if nothing overlapped."""
        scale = flops_of(compiled.counts[stage]) / flops_of(compiled.counts[compiled.stage])
        spent = self._by_rates(compiled) if self.rates else self._by_peaks(compiled)
        return {name: scale * seconds for name, seconds in spent.items()} | self._exchanging(compiled, scale)

    def _by_rates(self, compiled: Compiled) -> dict[str, float]:
        if self.rates is None:
            raise ValueError("nothing was measured")
        alone = self.rates.seconds(compiled.work, compiled.transcendentals)
        return {name: self.n_devices * seconds for name, seconds in alone.items()}  # which share the processors

    def _by_peaks(self, compiled: Compiled) -> dict[str, float]:
        if self.accelerator is None:
            raise ValueError("nothing is published")
        counts, own = compiled.counts[compiled.stage], self.accelerator
        share = compiled.work.product_flops / flops_of(counts)
        by_type = {kind: flops * share for kind, flops in counts.items() if kind != TRANSCENDENTAL}
        products = sum(flops / (own.flops[kind] * PRODUCTS) for kind, flops in by_type.items())
        bandwidth = own.bandwidth * BANDWIDTH
        others = compiled.work.n_bytes - compiled.work.product_bytes
        return {
            "matrix products": max(products, compiled.work.product_bytes / bandwidth),
            "memory": others / bandwidth,
            "calls": _starting(compiled.work, bandwidth),
            "to the host and back": self.crossing / (own.host * LINK),
        }

    def _exchanging(self, compiled: Compiled, scale: float) -> dict[str, float]:
        spent = {"exchange within a node": 0.0, "exchange between nodes": 0.0}
        for exchange in compiled.exchanges:
            once = _sent_of_weights(exchange, compiled)
            n_bytes = once + scale * (exchange.n_bytes - once)
            if self.accelerator is None:
                spent["exchange within a node"] += 2 * n_bytes * self.n_devices / self._slowest
            elif _reach(exchange.axes, compiled.mesh) <= self.accelerator.per_node:
                spent["exchange within a node"] += n_bytes / (self.accelerator.link * LINK)
            else:
                spent["exchange between nodes"] += n_bytes / (self.accelerator.network * LINK)
        return spent

    @property
    def _slowest(self) -> float:
        """Bytes a second of what no cache holds."""
        return math.inf if self.rates is None else self.rates.of_moved(2**40)


def flops_of(counts: Mapping[str, float]) -> float:
    """Return the operations of matrix products among counts."""
    return sum(number for kind, number in counts.items() if kind != TRANSCENDENTAL)


def _starting(work: Work, bandwidth: float) -> float:
    """Return what starting kernels takes, seconds: a start is hidden by the kernel before as far as that takes as long.

    Args:
        work: Of a program.
        bandwidth: Of the memory, bytes/s.
    """
    return sum(n * max(0.0, CALL - 2.0 ** (size - 1) / bandwidth) for size, n in work.kernels.items())


def share_of_peak(machine: Machine, counts: Mapping[str, float], seconds: float) -> float:
    """Return the share of what devices do at most, each product at the rate of its type, that a step reaches."""
    if machine.accelerator is not None:
        peaks = machine.accelerator.flops
        least = sum(number / peaks[kind] for kind, number in counts.items() if kind != TRANSCENDENTAL)
        return least / (machine.n_devices * seconds)
    return 0.0 if machine.rates is None else flops_of(counts) / (machine.rates.fastest_product * seconds)


def _sent_of_weights(exchange: Exchange, compiled: Compiled) -> float:
    """Return how much of an exchange is of weights and their gradients, bytes: as much in a step of any stage.

    Along `data` and `fsdp` all of it; where fields are cut or members shared one sum of the gradient; the rest are
    activations.
    """
    if {"data", "fsdp"} & set(exchange.axes):
        return exchange.n_bytes
    if exchange.kind != "all-reduce" or "tensor" in exchange.axes:
        return 0.0
    n = math.prod(compiled.mesh[axis] for axis in exchange.axes)
    whole = compiled.resident["weights"] * compiled.mesh["fsdp"]
    return min(exchange.n_bytes, 2 * (n - 1) / n * whole)


def _reach(axes: tuple[str, ...], mesh: Mapping[str, int]) -> int:
    """Return how many neighbouring devices an exchange along some axes reaches over."""
    names = list(mesh)
    outermost = min((names.index(axis) for axis in axes), default=len(names))
    return math.prod(list(mesh.values())[outermost:])
