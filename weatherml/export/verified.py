"""Exports a step, and keeps the file only if it gives what the step gives."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import jax
import numpy as np

from weatherml.checkpoint import Checkpoint
from weatherml.errors import UserError
from weatherml.export.format import Run, formats
from weatherml.export.portable import PortableStep
from weatherml.storage.files import replacing
from weatherml.storage.locations import local_path

TOLERANCE = 1e-4
"""Largest difference between the file's output and weatherml's, in standard deviations of a channel."""

_TIMES = np.array(["2001-07-03T06"], "datetime64[ns]")


@dataclass(frozen=True)
class Agreement:
    """How well a file agrees with the step that it was made from.

    Attributes:
        channel: Where the difference is largest.
        error: That difference, in standard deviations of the channel.
    """

    channel: str
    error: float


def export_step(checkpoint: Checkpoint, path: str | Path, format_name: str) -> Agreement:
    """Write a model's step to a file that runs without weatherml.

    The file is run on a random state around the mean. It appears only if its output is that of the step.

    Args:
        checkpoint: Of a model that steps.
        path: The file, which is replaced.
        format_name: An entry of `formats`.

    Raises:
        UserError: There is no such format, the model is a diagnostic, a library is missing or cannot express the model,
            or the outputs differ.
    """
    chosen, path = formats[format_name], local_path(path)
    checkpoint = checkpoint if chosen.has_bfloat16 else _in_float32(checkpoint)
    step = PortableStep(checkpoint)
    with replacing(path) as partial, _explaining(format_name, checkpoint):
        chosen.write(step, partial)
        agreement = _compare(chosen.open(partial), step, checkpoint)
        if not agreement.error < TOLERANCE:
            raise UserError(
                f"{format_name} differs from weatherml by {agreement.error:.2g} standard deviations of"
                f" {agreement.channel}, more than {TOLERANCE:.0e}, so {path} is not written; choose another format"
            )
    return agreement


def _in_float32(checkpoint: Checkpoint) -> Checkpoint:
    """Return the same weights in a network that multiplies in float32."""
    if "dtype" not in type(checkpoint.model).model_fields:
        return checkpoint
    return replace(checkpoint, model=checkpoint.model.model_copy(update={"dtype": "float32"}))


@contextmanager
def _explaining(format_name: str, checkpoint: Checkpoint) -> Iterator[None]:
    """Say in one line what a converter or a runtime, whose errors are of any kind, cannot do."""
    try:
        yield
    except (UserError, OSError):
        raise
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(
            f"{format_name} cannot hold {checkpoint.model.name} with these sizes: {reason}; choose another format"
        ) from error


def _compare(run: Run, step: PortableStep, checkpoint: Checkpoint) -> Agreement:
    normalizer, statistics = checkpoint.normalizer, checkpoint.normalizer.statistics
    noise = np.random.default_rng(0).standard_normal((1, *checkpoint.spec.shape), np.float32)
    state = normalizer.denormalize(noise, _TIMES)
    own = jax.jit(checkpoint.build_step())(normalizer.normalize(state, _TIMES), checkpoint.forcings.at(_TIMES))
    expected = normalizer.denormalize(np.asarray(own), _TIMES + checkpoint.time_step)
    found = run(step.inputs_at(state, _TIMES))
    # Cells without data are NaN in both; a value in one of them alone is infinitely wrong.
    difference = np.where(np.isnan(found) & np.isnan(expected), 0, np.abs(found - expected))
    errors = np.nan_to_num(difference, nan=np.inf).max(axis=(0, 2, 3)) / statistics.std
    worst = int(np.argmax(errors))
    return Agreement(checkpoint.spec.names[worst], float(errors[worst]))
