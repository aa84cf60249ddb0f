"""What the reading of files adds to what is known of data."""

from typing import Any

from weatherml.errors import UserError

SOURCE_NAME = "weatherml_source_name"
"""Variable attribute: what the file called it."""


class PassedOverError(UserError):
    """What a file holds is not read, which is an error only where nothing else is.

    Attributes:
        note: The sentence to keep beside what is read.
    """

    def __init__(self, message: str, note: str) -> None:
        super().__init__(message)
        self.note = note

    def __reduce__(self) -> tuple[Any, ...]:
        return PassedOverError, (str(self), self.note)
