"""How the program ends: one line for what a user can mend, and an exit code for each kind of end."""

import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import typer

from weatherml.errors import Spelling, UserError, in_python

MISTAKE, INTERRUPTED, NO_READER = 2, 130, 141

_Misuse: Any = typer.BadParameter.__bases__[0]  # of click, which typer keeps in other places from version to version


@contextmanager
def in_one_line(spell: Spelling = in_python) -> Iterator[None]:
    """Turn what a user can mend into one line and an exit code.

    Args:
        spell: Writes the options that mend it.
    """
    try:
        yield
    except UserError as error:
        raise _stop(error.told(spell), MISTAKE) from None
    except KeyboardInterrupt as interruption:
        words = str(interruption) or "interrupted; run the same command again to go on"
        raise _stop(words, INTERRUPTED) from None
    except _Misuse as error:
        if "\n" in error.format_message():  # the help of a verb without words
            raise
        raise _stop(_explain(error), MISTAKE) from None


@contextmanager
def noticing_readers_that_leave() -> Iterator[None]:
    """End quietly, with a code of its own, where whoever read the output has closed it, as `| head -1` does."""
    output = os.dup(sys.stdout.fileno())  # what prints may put another file in its place when it notices
    try:
        yield
        sys.stdout.flush()
    except (SystemExit, BrokenPipeError):
        if not _has_reader(output):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the last flush of Python
            raise SystemExit(NO_READER) from None
        raise
    finally:
        os.close(output)


@contextmanager
def leaving_at_once_when_interrupted() -> Iterator[None]:
    """End the process there and then where it was interrupted.

    Threads of jax may be amid a computation: to take the interpreter down beneath them has ended in a segmentation
    fault. What is on the disk is as whole as after a kill, and all that is to be said is said.
    """
    try:
        yield
    except SystemExit as end:
        if end.code == INTERRUPTED:
            for stream in (sys.stdout, sys.stderr):
                with suppress(OSError):
                    stream.flush()
            os._exit(INTERRUPTED)
        raise


def _has_reader(output: int) -> bool:
    if not hasattr(select, "poll"):  # where there is none, Python says itself that a pipe is closed
        return True
    poll = select.poll()
    poll.register(output, 0)
    return not any(event & select.POLLERR for _, event in poll.poll(0))


def _explain(misuse: Any) -> str:
    """Say what is wrong with a command line, with the value that is, which newer versions of typer leave out."""
    from pydantic import ValidationError

    message, cause = misuse.format_message().rstrip("."), misuse.__cause__
    got = f", got {cause.errors()[0]['input']!r}" if isinstance(cause, ValidationError) else ""
    return f"{message}{got}; see {misuse.ctx.command_path if misuse.ctx else 'weatherml'} --help"


def _stop(message: str, code: int) -> typer.Exit:
    print(f"weatherml: {message}", file=sys.stderr)
    return typer.Exit(code)
