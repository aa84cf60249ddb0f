"""A profile of some optimiser steps, on demand, which xprof and TensorBoard open."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NamedTuple, Self

import jax
from pydantic import AfterValidator

from weatherml.errors import UserError

FOLDER = "profile"
"""In the folder of a training."""


class Steps(NamedTuple):
    """Optimiser steps, counted from 1, both ends among them."""

    first: int
    last: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `10:15`.

        Raises:
            ValueError: It is not written so, or ends before it begins.
        """
        match = re.fullmatch(r"(\d+):(\d+)", text)
        if match is None or not 1 <= int(match[1]) <= int(match[2]):
            raise ValueError(f"{text!r} must be the first and the last of some optimiser steps, such as 10:15")
        return cls(int(match[1]), int(match[2]))

    def __str__(self) -> str:
        return f"{self.first}:{self.last}"


def _checked(text: str) -> str:
    Steps.parse(text)
    return text


StepsText = Annotated[str, AfterValidator(_checked)]


class Profile:
    """Records what host and devices do in some optimiser steps.

    Of steps that a training has passed when it goes on there is no record, and they are no mistake: the same command
    goes on.

    Args:
        text: Which, as `Steps.parse` reads; None where none is recorded.
        directory: Of the training, in which they are written to `profile`.
        n_steps: All.

    Raises:
        UserError: The training has none so late.
    """

    def __init__(self, text: str | None, directory: Path, n_steps: int) -> None:
        self._steps = None if text is None else Steps.parse(text)
        self._folder, self._is_on = directory / FOLDER, False
        if self._steps is not None and self._steps.last > n_steps:
            raise UserError(
                f"steps {self._steps} cannot be profiled: the training goes from step 1 to {n_steps}; choose some of"
                " those: training.profile_steps"
            )

    @contextmanager
    def around(self, number: int, finish: Callable[[], object]) -> Iterator[None]:
        """Record an optimiser step while the block runs, if it is one of those asked for.

        Args:
            number: Of the step, counted from 1.
            finish: Waits for what the device has been given.
        """
        if self._steps is None or not self._steps.first <= number <= self._steps.last:
            yield
            return
        if not self._is_on:
            finish()  # what was given before is not of these steps
            jax.profiler.start_trace(str(self._folder))
            self._is_on = True
        with jax.profiler.StepTraceAnnotation("optimiser step", step_num=number):
            yield
        if number == self._steps.last:
            finish()
            self.close()

    def close(self) -> None:
        """Write what has been recorded, if that is not done."""
        if self._is_on:
            self._is_on, self._steps = False, None
            jax.profiler.stop_trace()  # type: ignore[no-untyped-call]
