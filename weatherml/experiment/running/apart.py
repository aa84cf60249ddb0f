"""A phase in a process of its own: its memory is given back when it ends, and its peak is its own.

The processes of phases are forked from one that has done the imports. The program's signals reach them through it
alone, so that an interruption is asked for once, however it came.
"""

import multiprocessing
import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from weatherml.errors import LOST, LostError, StopRequested, UserError
from weatherml.experiment.config import ExperimentConfig
from weatherml.experiment.results import Results
from weatherml.experiment.running.jointly import ending, join_and_train, last_words
from weatherml.experiment.running.work import perform
from weatherml.parallel import Processes, split_cpu
from weatherml.parallel.processes.joining import ALONE
from weatherml.process.heap import keep_freed_memory
from weatherml.process.logs import tell_warnings_plainly
from weatherml.process.signals import OF_CLUSTERS, heard, raise_when_asked

_SIGNALS = {signal.SIGINT, *OF_CLUSTERS}
_PATIENCE = 3  # signals after which a process that does not end is killed
_COMPUTES = ("ingest", "train", "forecast")
"""Phases that repeat one compiled computation."""
_IN_PARALLEL = ("train", "forecast")


def perform_apart(
    phase: str, inputs: str, results: Results, report: Callable[..., None], processes: Processes = ALONE
) -> None:
    """Do a phase in a process of its own; what it raises is raised here.

    Args:
        phase: Its name.
        inputs: Fingerprint of what it reads, for the ledger.
        results: Whose configuration and folder are passed on.
        report: Told how far the phase is.
        processes: That train together, of which this is one; in other phases it is alone.

    Raises:
        UserError: As the phase; or its process was killed.
        KeyboardInterrupt: The phase was interrupted.
    """
    context: Any = multiprocessing.get_context("spawn" if sys.platform == "win32" else "forkserver")
    if sys.platform != "win32":
        context.set_forkserver_preload([__name__])
    news, told = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(told, phase, inputs, results.config, results.folder, processes))
    with _held_back(OF_CLUSTERS):
        process.start()
    told.close()
    with _forwarding_signals(process) as asked:
        error, has_told = _listen(news, report)
        process.join()
    if isinstance(error, KeyboardInterrupt) or (asked and error is None):  # before it listened, or when all was done
        raise (KeyboardInterrupt if signal.SIGINT in asked else StopRequested)(*(error.args if error else ()))
    if error is not None:
        raise error
    if process.exitcode == LOST:  # the reason is on standard error
        raise LostError(f"the process of {phase} has ended itself, for it did not go on; run the same command again")
    if process.exitcode and processes.count > 1:
        raise ending(process.exitcode, has_told, processes, last_words(results, processes))
    if process.exitcode:
        raise UserError(
            f"the process of {phase} was ended by {_ending(process.exitcode)}; where memory was short, lower"
            " training.batch_size or forecast.batch, then run the same command again to go on"
        )


def _listen(news: Connection, report: Callable[..., None]) -> tuple[BaseException | None, bool]:
    """Pass on what the process tells until it ends; return what it has raised, and whether it has told anything."""
    has_told = False
    while True:
        try:
            kind, content = news.recv()
        except EOFError:
            return None, has_told
        if kind == "raised":
            error: BaseException = content
            return error, has_told
        has_told = True
        report(*content)


@contextmanager
def _forwarding_signals(process: BaseProcess) -> Iterator[list[int]]:
    """Ask the process to end where this one is asked to; yield the signals that have come."""
    asked: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return

    def forward(number: int, *_: object) -> None:
        asked.append(number)
        if process.is_alive():
            (process.terminate if len(asked) < _PATIENCE else process.kill)()

    before = {number: signal.signal(number, forward) for number in _SIGNALS}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _held_back(signals: frozenset[signal.Signals]) -> Iterator[None]:
    """Hold signals back, and have processes that are started meanwhile born so.

    Clusters send them to every process of a job. The one from which phases are forked must not die of them.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _ending(exit_code: int) -> str:
    return signal.Signals(-exit_code).name if exit_code < 0 else f"exit code {exit_code}"


def _run(
    told: Connection, phase: str, inputs: str, config: ExperimentConfig, folder: Path, processes: Processes
) -> None:
    """Do the phase, in its process."""
    tell_warnings_plainly()
    if hasattr(signal, "pthread_sigmask"):
        # Terminals and clusters send theirs to all processes, of which the first passes them on as SIGTERM. Blocked,
        # not ignored: training listens.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    raise_when_asked(frozenset({signal.SIGTERM}))
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if phase in _COMPUTES:
        keep_freed_memory()
    if phase in _IN_PARALLEL:
        split_cpu([(share.mesh, n) for share in config.training.shares for n in share.at_once], processes)
    results = Results(config, folder)
    try:
        if processes.count > 1:
            join_and_train(inputs, results, lambda *news: told.send(("progress", news)), processes)
        else:
            perform(phase, inputs, results, lambda *news: told.send(("progress", news)))
    except BaseException as error:
        heard()
        told.send(("raised", _sendable(error)))


def _end_with_parent() -> None:
    """End at once when the program that started this process has been killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _sendable(error: BaseException) -> BaseException:
    """Return the error, with its traceback where it is nobody's mistake but ours."""
    if not isinstance(error, UserError | KeyboardInterrupt):
        error.add_note("".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # whatever it is, its words arrive
        return RuntimeError("".join(traceback.format_exception(error)))
    return error
