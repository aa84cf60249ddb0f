"""The rules by their ids, which `--ignore` and findings name."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import wraps
from itertools import product

import xarray as xr

from weatherml.data.quality.evidence import Evidence
from weatherml.data.quality.finding import Finding
from weatherml.errors import UserError
from weatherml.registry import Registry, nearest

Rule = Callable[[Evidence], Iterator[Finding]]
"""Judges values; the first sentence of its docstring is what `check --rules` shows."""
LabelRule = Callable[[xr.Dataset], Iterator[Finding]]
"""Judges what is said of values, and reads none."""

RULES: Registry[Rule] = Registry("rule")
LABEL_RULES: Registry[LabelRule] = Registry("rule")


def of_time(rule: Rule) -> Rule:
    """Ask a rule of nothing but what has a field at each of times that rise: order and repeats mean nothing else."""

    @wraps(rule)
    def ask(evidence: Evidence) -> Iterator[Finding]:
        timed = evidence.in_time
        return rule(timed) if timed.channels else iter(())

    return ask


UNDECIDABLE, DAMAGED_FILE, NOT_VERIFIED, LOST_CHUNKS = "undecidable", "damaged-file", "not-verified", "lost-chunks"
NEEDED = "grid"
"""The rule without which no value can be looked at."""
_SURER: dict[str, frozenset[str]] = {}
_OTHERS = {
    UNDECIDABLE: "These fields cannot show some errors, which other fields or other times would.",
    DAMAGED_FILE: "A file of a store is missing, or has not the checksum with which it was written.",
    LOST_CHUNKS: "Chunks of a zarr store are gone, and read as its fill value.",
    NOT_VERIFIED: "A store lies behind a web server, where the checksums of its files are not read.",
}
"""What no single rule finds."""


def yields_to(rule: str, *surer: str) -> None:
    """Let a rule be silent about what one of others has found the cause of, so that one error is one finding.

    Args:
        rule: Sees what follows from several causes.
        surer: Each names a cause. Of another variable they explain nothing.
    """
    _SURER[rule] = _SURER.get(rule, frozenset()) | set(surer)


def surest(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings without those whose cause a surer rule has found, in what they are about."""
    return [weak for weak in findings if not any(_explains(sure, weak) for sure in findings)]


def _explains(sure: Finding, weak: Finding) -> bool:
    if sure.rule not in _SURER.get(weak.rule, ()) or sure.severity not in ("error", weak.severity):
        return False
    pairs = product(sure.subject.split(", "), weak.subject.split(", "))
    return any(is_of(one, other) or is_of(other, one) for one, other in pairs)


def is_of(variable: str, subject: str) -> bool:
    """Return whether a subject is a variable or one of its levels."""
    return subject == variable or (subject.startswith(f"{variable}_") and subject[len(variable) + 1 :].isdigit())


SEE_RULES = "weatherml check --rules"


def described_rules() -> Mapping[str, str]:
    """Return what each rule finds, in the order of their ids."""
    told = {name: (registry[name].__doc__ or "") for registry in (RULES, LABEL_RULES) for name in registry}
    told |= _OTHERS
    return {name: told[name].strip().partition("\n")[0] for name in sorted(told)}


def require_rules(names: Collection[str]) -> None:
    """Require that there are rules of these ids, which can be passed over.

    Raises:
        UserError: There is none of one, or nothing could be looked at if it were ignored.
    """
    known = described_rules()
    if NEEDED in names:
        raise UserError(
            f"the rule {NEEDED!r} cannot be ignored: no value is looked at where the grid is wrong; correct the"
            " coordinates latitude and longitude (weatherml.open_files brings rows and columns into order)"
        )
    for name in names:
        if name not in known:
            raise UserError(f"no rule is called {name!r}{nearest(name, known, SEE_RULES)}")
