"""What is trained when: stages, each with a rollout length, a learning rate, data and a mesh of its own."""

from collections.abc import Sequence
from itertools import accumulate
from typing import Literal

from pydantic import PositiveFloat, PositiveInt

from weatherml.config import Config
from weatherml.data.loading.samples import Samples
from weatherml.parallel import MeshConfig
from weatherml.times import PeriodsText


class Stage(Config):
    """A part of the training with one rollout length and one run of the learning rate.

    Attributes:
        rollout: Model steps that are forecast and scored; the gradient flows through all of them.
        n_steps: Optimiser steps.
        learning_rate: The peak, reached after warm-up.
        schedule: Whether the rate then falls to zero along a cosine, or stays.
        batch_size: Samples in an optimiser step, over all devices; those of the training when None.
        period: Which of the training period's times are learned from, such as its last years; all when None.
        mesh: How devices share the work, validations among it; as in the training when None.
    """

    rollout: PositiveInt = 1
    n_steps: PositiveInt
    learning_rate: PositiveFloat
    schedule: Literal["cosine", "constant"] = "cosine"
    batch_size: PositiveInt | None = None
    period: PeriodsText | None = None
    mesh: MeshConfig | None = None

    def choose(self, samples: Samples) -> Samples:
        """Return those of the training's samples that are learned from.

        Raises:
            UserError: There is none.
        """
        chosen = samples.with_n_steps(self.rollout)
        return chosen if self.period is None else chosen.within(self.period)


def stage_starts(stages: Sequence[Stage]) -> list[int]:
    """Return the optimiser step at which each stage starts."""
    return [0, *accumulate(stage.n_steps for stage in stages)][:-1]


def stage_index(stages: Sequence[Stage], step: int) -> int:
    """Return which stage the update after `step` completed ones belongs to."""
    return max(i for i, start in enumerate(stage_starts(stages)) if start <= step)
