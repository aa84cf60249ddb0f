"""What a check has to say: one sentence about one thing, and how much it matters."""

import re
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self, cast

Severity = Literal["error", "warning", "note"]
Confidence = Literal["certain", "likely"]

_LINE = re.compile(r"(\w+): (.+?): (.*?)(?: \[([a-z0-9-]+)(, likely)?\])?")


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
        match = _LINE.fullmatch(line)
        if match is None:
            raise ValueError(f"{line!r} is no finding")
        severity, subject, message, rule, doubt = match.groups()
        return cls(cast(Severity, severity), subject, message, rule or "", "likely" if doubt else "certain")

    def as_dict(self) -> dict[str, Any]:
        """Return plain values by name."""
        return asdict(self)

    def __str__(self) -> str:
        doubt = ", likely" if self.confidence == "likely" else ""
        return f"{self.severity}: {self.subject}: {self.message}" + (f" [{self.rule}{doubt}]" if self.rule else "")
