"""How the program ends: one line for what a user can mend, and an exit code for each kind of end."""

import errno
import os
import select
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import typer

from weatherml.errors import LOST, STOPPED, LostError, Spelling, StopRequested, UserError, in_python
from weatherml.errors.secrecy import told, without_secrets
from weatherml.process.signals import OF_CLUSTERS, heard, raise_when_asked

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
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
        if error.is_told:
            raise typer.Exit(MISTAKE) from None
        raise _stop(error.told(spell), LOST if isinstance(error, LostError) else MISTAKE) from None
    except StopRequested as request:
        heard()
        raise _stop(str(request) or "asked to stop; run the same command again to go on", STOPPED) from None
    except KeyboardInterrupt as interruption:
        heard()
        raise _stop(str(interruption) or "interrupted; run the same command again to go on", INTERRUPTED) from None
    except EOFError as error:  # of which whoever runs the verb makes an interruption, and says nothing
        raise RuntimeError("a file ended before it was read") from error
    except _Misuse as error:
        if "\n" in error.format_message():  # the help of a verb without words
            raise
        raise _stop(_explain(error), MISTAKE) from None


def end_alike_however_interrupted() -> None:
    """Make the signals that clusters send before they take a machine away interruptions, as Ctrl-C is."""
    is_heard = (
        signal.getsignal(signal.SIGINT) == signal.default_int_handler
    )  # not where it was started in the background
    raise_when_asked(OF_CLUSTERS | ({signal.SIGINT} if is_heard else frozenset()))


def open_standard_streams() -> None:
    """Open those that whoever started the program has closed, as `>&-` does: what is printed there goes nowhere."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_RDWR)  # the lowest number that is free, which is that of the stream
            os.set_inheritable(descriptor, True)
            setattr(sys, name, os.fdopen(descriptor, mode))


@contextmanager
def noticing_what_happens_to_the_output() -> Iterator[None]:
    """End quietly, with a code of its own, where whoever read the output has closed it, as `| head -1` does.

    Where it cannot be written, as on a full disk, that is one line.
    """
    output = os.dup(sys.stdout.fileno())  # what prints may put another file in its place when it notices
    try:
        yield
        sys.stdout.flush()
    except (SystemExit, OSError) as end:
        is_read, refusal = _has_reader(output), _refusal(end)
        if is_read and refusal is None:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the last flush of Python
        if not is_read:
            raise SystemExit(NO_READER) from None
        _say(f"the output cannot be written ({refusal}); make room where it goes, or send it elsewhere")
        raise SystemExit(MISTAKE) from None
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
        if end.code in (STOPPED, INTERRUPTED):
            for stream in (sys.stdout, sys.stderr):
                with suppress(OSError):
                    stream.flush()
            os._exit(end.code)
        raise


def _refusal(end: BaseException) -> str | None:
    """Return why what was printed cannot be written; None where it can, and the program has ended as it did."""
    try:
        sys.stdout.flush()
    except OSError as error:
        return error.strerror
    # What prints may have lost what it could not write. Of files that are refused the name is told.
    return end.strerror if isinstance(end, OSError) and end.filename is None and end.errno in _FULL else None


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
    got = f", got {told(cause.errors()[0]['input'])}" if isinstance(cause, ValidationError) else ""
    return f"{message}{got}; see {misuse.ctx.command_path if misuse.ctx else 'weatherml'} --help"


def _stop(message: str, code: int) -> typer.Exit:
    _say(message)
    return typer.Exit(code)


def _say(message: str) -> None:
    with suppress(OSError):  # of a full disk nobody can be told there
        print(f"weatherml: {without_secrets(message)}", file=sys.stderr)
