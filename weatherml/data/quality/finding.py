"""What a check has to say: one sentence about one thing, and how much it matters."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, Self, cast

Severity = Literal["error", "warning", "note"]
Confidence = Literal["certain", "likely"]


@dataclass(frozen=True)
class Finding:
    """One result of a check.

    Attributes:
        severity: `error` (do not use the data so), `warning` (know this before you use them) or `note` (worth knowing).
        subject: What it is about: a variable, `grid`, `time`, `layout`.
        message: One line: what was found, where, the value, and what to do about an error.
        rule: Id of the rule that found it.
        confidence: Whether nothing else can explain it, or it is only the likeliest explanation.
    """

    severity: Severity
    subject: str
    message: str
    rule: str = ""
    confidence: Confidence = "certain"

    @classmethod
    def parse(cls, line: str) -> Self:
        """Read what `str` gives."""
        severity, subject, message = line.split(": ", 2)
        return cls(cast(Severity, severity), subject, message)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values by name."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.severity}: {self.subject}: {self.message}"
