"""Warnings of the program, told as all else it says: a plain line, whatever logging other packages have set up."""

import logging
import sys

from weatherml.errors.secrecy import without_secrets

ONCE = {"is_told_once": True}
"""`extra=` of a warning that says the same of all that is asked for together, such as of each system that is judged."""


class _PlainLines(logging.Handler):
    """Prints to what standard error is at the time, which a training diverts."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self._told: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if hasattr(record, "is_told_once"):
            if message in self._told:
                return
            self._told.add(message)
        try:
            print(f"weatherml: {without_secrets(message)}", file=sys.stderr, flush=True)
        except OSError:  # of a full disk nobody can be told there
            self.handleError(record)


def tell_warnings_plainly() -> None:
    """Print warnings of this package in lines of the program's own, and leave its loggers to no one else.

    For processes of the program; in Python whoever imports the package decides.
    """
    logger = logging.getLogger("weatherml")
    logger.handlers = [_PlainLines(logging.WARNING)]
    logger.propagate = False
