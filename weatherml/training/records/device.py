"""What one device does, and can do at most: operations, share of the peak, memory."""

from collections.abc import Callable
from typing import Any

import jax

from weatherml.parallel.hardware.accelerators import accelerators
from weatherml.parallel.programs.compiled import cost_of
from weatherml.parallel.programs.traffic import work_of


def flops_of(compiled: Any) -> float:
    """Return the operations of one run of a program (`jax.stages.Compiled`) on one device.

    The compiler counts all, but the body of a loop once; the text says how often the products in loops are made.
    """
    return max(cost_of(compiled).flops, work_of(compiled.as_text()).product_flops)


class Operations:
    """Counts the operations of one device in an optimiser step, once for each stage."""

    def __init__(self) -> None:
        self._of_stages: dict[int, float | None] = {}

    def in_step(self, stage: int, compiled: Callable[[], Any]) -> float | None:
        """Return them; None where the compiler does not tell.

        Args:
            stage: Position in the curriculum, of which every step is alike.
            compiled: Gives the program, which has been compiled before.
        """
        if stage not in self._of_stages:
            try:
                self._of_stages[stage] = flops_of(compiled())
            except Exception:  # texts of compilers are what they are; no training ends because one cannot be read
                self._of_stages[stage] = None
        return self._of_stages[stage]


def peak_flops(device: jax.Device) -> float | None:
    """Return how many operations a second a device can do at most, in bfloat16; None where that is not known."""
    kind = device.device_kind.lower()
    return next((float(own.flops["bfloat16"]) for name, own in accelerators().items() if name in kind), None)


def told_of(device: jax.Device, flops_per_second: float | None) -> dict[str, float]:
    """Return what is known of a device: what it does, as a share of its peak, too, and its memory in bytes.

    Args:
        device: One of this process.
        flops_per_second: Operations that it does; None where they are not counted.
    """
    told = {} if flops_per_second is None else {"flops_per_second": flops_per_second}
    peak = peak_flops(device)
    if peak is not None and flops_per_second is not None:
        told["peak_share"] = flops_per_second / peak
    memory = device.memory_stats() or {}
    for name, key in (("device_memory", "bytes_in_use"), ("device_memory_peak", "peak_bytes_in_use")):
        if key in memory:
            told[name] = int(memory[key])
    return told
