"""How many members a device computes at once."""

from collections.abc import Callable

from weatherml.forecast.plan.batches import smaller_batch

LARGEST_DEFAULT_BATCH = 10
"""Twice as many gain a tenth on a CPU (benchmarks/rollout_vs_torch.md); large models leave no room for more."""


def fitting_batch(most: int, needs: Callable[[int], tuple[int, int]], room: int) -> int:
    """Return the largest batch up to `most` that fits, among those into which waves of `most` can be split.

    Args:
        most: The batch to begin with.
        needs: From a batch to the bytes that it takes: those of any batch, and those that its members add.
        room: Bytes there are.

    Returns:
        The batch; 1 even where that is too large, since only an attempt can tell.
    """
    batch = most
    while batch > 1:
        fixed, added = needs(batch)
        if fixed + added <= room:
            break
        smaller = smaller_batch(batch)
        while smaller > 1 and fixed + added * smaller / batch > room:
            smaller = smaller_batch(smaller)
        batch = smaller
    return batch
