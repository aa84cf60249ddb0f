"""What a check has to say: one sentence about one thing, and how much it matters."""

from dataclasses import dataclass
from typing import Literal, Self, cast

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Finding:
    """One result of a check.

    Attributes:
        severity: `error` (do not use the data so), `warning` (know this before you use them) or `note` (worth knowing).
        subject: What it is about: a variable, `grid`, `time`, `layout`.
        message: One line: what was found, the value, and what to do about an error.
    """

    severity: Severity
    subject: str
    message: str

    @classmethod
    def parse(cls, line: str) -> Self:
        """Read what `str` gives."""
        severity, subject, message = line.split(": ", 2)
        return cls(cast(Severity, severity), subject, message)

    def __str__(self) -> str:
        return f"{self.severity}: {self.subject}: {self.message}"
