"""How the learning rate runs through the stages."""

from collections.abc import Sequence

import optax

from weatherml.training.curriculum.stages import Stage, stage_starts


def learning_rate_schedule(stages: Sequence[Stage], warm_up: float) -> optax.Schedule:
    """Return the learning rate as a function of completed optimiser steps: every stage warms up, then has its schedule.

    Args:
        stages: In order.
        warm_up: Share of each stage during which the rate rises linearly to its peak.
    """
    return optax.join_schedules([_one_stage(s, warm_up) for s in stages], stage_starts(stages)[1:])


def _one_stage(stage: Stage, warm_up: float) -> optax.Schedule:
    n_warm_up = int(warm_up * stage.n_steps)
    first = stage.learning_rate / (n_warm_up + 1)
    if stage.schedule == "constant":
        return optax.linear_schedule(first, stage.learning_rate, n_warm_up)
    return optax.warmup_cosine_decay_schedule(first, stage.learning_rate, n_warm_up, stage.n_steps)
