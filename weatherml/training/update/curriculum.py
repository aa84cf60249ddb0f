"""What is trained when: stages of growing rollout length, and how the learning rate runs through them."""

from collections.abc import Sequence
from itertools import accumulate

import optax
from pydantic import PositiveFloat, PositiveInt

from weatherml.config import Config


class Stage(Config):
    """A part of the training with one rollout length and one run of the learning rate.

    Attributes:
        rollout: Model steps that are forecast and scored; the gradient flows through all of them.
        n_steps: Optimiser steps.
        learning_rate: The peak, reached after warm-up; falls to zero along a cosine.
    """

    rollout: PositiveInt = 1
    n_steps: PositiveInt
    learning_rate: PositiveFloat


def stage_starts(stages: Sequence[Stage]) -> list[int]:
    """Return the optimiser step at which each stage starts."""
    return [0, *accumulate(stage.n_steps for stage in stages)][:-1]


def stage_index(stages: Sequence[Stage], step: int) -> int:
    """Return which stage the update after `step` completed ones belongs to."""
    return max(i for i, start in enumerate(stage_starts(stages)) if start <= step)


def learning_rate_schedule(stages: Sequence[Stage], warm_up: float) -> optax.Schedule:
    """Return the learning rate as a function of completed optimiser steps: warm-up and cosine in every stage.

    Args:
        stages: In order.
        warm_up: Share of each stage during which the rate rises linearly to its peak.
    """
    return optax.join_schedules([_one_stage(s, warm_up) for s in stages], stage_starts(stages)[1:])


def _one_stage(stage: Stage, warm_up: float) -> optax.Schedule:
    n_warm_up = int(warm_up * stage.n_steps)
    first = stage.learning_rate / (n_warm_up + 1)
    return optax.warmup_cosine_decay_schedule(first, stage.learning_rate, n_warm_up, stage.n_steps)
