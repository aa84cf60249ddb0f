"""The training of an experiment by several processes: the first keeps the books, and what comes before is done."""

import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path

import jax

from weatherml.errors import LostError, UserError
from weatherml.experiment.results import Results
from weatherml.experiment.running.work import Report, train
from weatherml.parallel import Processes, broadcast, is_first, join, leave, meet, together
from weatherml.parallel.processes.together import JointError

_OF_PEERS = re.compile("gloo|nccl|coordination|heartbeat|peer|socket", re.IGNORECASE)
"""What the runtime says when the others are lost, not when memory is short."""


def join_and_train(inputs: str, results: Results, report: Report, processes: Processes) -> None:
    """Join the other processes and train with them; whoever finds the training done does nothing.

    Args:
        inputs: Fingerprint of what the training reads, for the ledger.
        results: The configuration and the folder, which all processes see.
        report: Told how far it is.
        processes: All, and which of them this is.

    Raises:
        UserError: They do not meet, what a training needs is not there, another program is at work in the folder, or
            the others were lost.
    """
    with _apart_from_the_words_of_the_runtime(last_words(results, processes)):
        join(processes)
        report(0, results.config.training.n_steps)  # whoever started this process knows by it that all are there
        try:
            train_jointly(inputs, results, report)
        except jax.errors.JaxRuntimeError as error:
            if not _OF_PEERS.search(str(error)):
                raise
            raise lost(processes, "a connection that broke", last_words(results, processes)) from error
        except (JointError, KeyboardInterrupt):  # of which all know
            leave()
            raise
        leave()


def train_jointly(inputs: str, results: Results, report: Report) -> None:
    """Train with the processes that have joined.

    Raises:
        UserError: In all of them, as `join_and_train` in one.
    """
    with ExitStack() as held:
        together(lambda: _require_done(results))
        together(lambda: held.enter_context(results.alone()) if is_first() else None)
        if broadcast(results.is_done("train")):
            return
        with results.ledger.timing("train", inputs) if is_first() else nullcontext():
            train(results, report)
        if is_first():
            results.note_config()
        meet()


def _require_done(results: Results) -> None:
    """Require the phases before a training, which are the work of one process."""
    for phase in results.needs("train"):
        if not results.is_done(phase):
            raise UserError(
                f"{phase} is not done in {results.folder} for this configuration, and one process does it: run"
                f" weatherml {phase} CONFIG -o {results.folder} first, in a folder that all processes see"
            )


def last_words(results: Results, processes: Processes) -> Path:
    """Return the file of what the runtime of a process has said."""
    return results.folder / f"runtime-{processes.index}-of-{processes.count}.log"


def lost(processes: Processes, by: str, words: Path) -> LostError:
    """Return what to raise where a process has lost the others."""
    told = f" (what the runtime said is in {words})" if words.exists() else ""
    return LostError(
        f"{processes.name} was ended by {by}: another process has died, or the coordinator {processes.coordinator} was"
        f" lost; run the same command again in all processes to go on{told}"
    )


def ending(exit_code: int, is_joined: bool, processes: Processes, words: Path) -> UserError:
    """Return what to raise for a process of a training that ended without a word."""
    if exit_code == -signal.SIGABRT:
        return lost(processes, "the runtime", words) if is_joined else UserError(processes.missed)
    name = signal.Signals(-exit_code).name if exit_code < 0 else f"exit code {exit_code}"
    remedy = "where memory was short, lower training.batch_size, then run again to go on"
    return UserError(f"{processes.name} was ended by {name}; {remedy}")


@contextmanager
def _apart_from_the_words_of_the_runtime(file: Path) -> Iterator[None]:
    """Have what compiled code prints go to a file meanwhile, pages where a process has died; Python's goes on.

    The file stays where the others are lost.
    """
    if not file.parent.is_dir():  # on this machine, which is said soon
        yield
        return
    is_lost = False
    try:
        with file.open("wb") as said, _diverted("stdout", said.fileno()), _diverted("stderr", said.fileno()):
            yield
    except LostError:
        is_lost = True
        raise
    finally:
        if not is_lost:
            file.unlink(missing_ok=True)


@contextmanager
def _diverted(name: str, descriptor: int) -> Iterator[None]:
    """Divert a standard stream but for what Python writes."""
    python = getattr(sys, name)
    python.flush()
    number = python.fileno()
    with os.fdopen(os.dup(number), "w", buffering=1) as kept:
        os.dup2(descriptor, number)
        setattr(sys, name, kept)
        try:
            yield
        finally:
            setattr(sys, name, python)
            os.dup2(kept.fileno(), number)
