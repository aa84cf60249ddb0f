"""What is wrong with a dataset, or worth knowing before it is used."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

import xarray as xr

from weatherml.data.blocks import Progress
from weatherml.data.quality import labels, rules  # noqa: F401  (rules register themselves)
from weatherml.data.quality.evidence import Evidence
from weatherml.data.quality.finding import Finding
from weatherml.data.quality.gathering import gather
from weatherml.data.quality.rules.registry import LABEL_RULES, NEEDED, RULES, UNDECIDABLE, require_rules, surest
from weatherml.data.quality.subjects import called_alike
from weatherml.registry import Registry
from weatherml.state import Channel

_RANK = {"error": 0, "warning": 1, "note": 2}

__all__ = ["Finding", "check_dataset", "judge", "require_rules"]

T = TypeVar("T")


def check_dataset(dataset: xr.Dataset, progress: Progress | None = None, ignore: Collection[str] = ()) -> list[Finding]:
    """Check a canonical dataset: layout, grid, times, missing values and plausibility.

    Every value is read once, a block of time after the other; memory does not grow with the period.

    Args:
        dataset: Canonical.
        progress: Told how many blocks are read, and how many there are.
        ignore: Ids of rules whose findings are known and accepted; what they explain is not found by others either.

    Returns:
        Findings, errors first; what `open_files` had to put right is among the notes.

    Raises:
        UserError: There is no rule that is to be ignored.
    """
    require_rules(ignore)
    found = [*_ask(LABEL_RULES, dataset)]
    if not any(True for _ in LABEL_RULES[NEEDED](dataset)):
        found += _ask(RULES, gather(dataset, progress))
    return _told(found, ignore, _channels_of(dataset))


def judge(evidence: Evidence, ignore: Collection[str] = ()) -> list[Finding]:
    """Return what the rules find in what a pass has kept, errors first."""
    return _told([*_ask(RULES, evidence)], ignore, evidence.channels)


def _told(found: Sequence[Finding], ignore: Collection[str], channels: Collection[Channel]) -> list[Finding]:
    """Return what is to be said of what was found: the surest, in words, errors first."""
    kept = called_alike((finding for finding in surest(found) if finding.rule not in ignore), channels)
    return sorted(_worded(kept), key=lambda finding: _RANK[finding.severity])


def _channels_of(dataset: xr.Dataset) -> list[Channel]:
    levels = dataset["level"].values.tolist() if "level" in dataset.coords else []
    return [
        Channel(str(name), level)
        for name, field in dataset.data_vars.items()
        for level in (levels if "level" in field.dims else [None])
    ]


def _ask(registry: Registry[Callable[[T], Iterator[Finding]]], subject: T) -> Iterator[Finding]:
    for name in registry:
        yield from (replace(finding, rule=finding.rule or name) for finding in registry[name](subject))


def _worded(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Yield the findings, and what cannot be told in words that say so."""
    for finding in findings:
        if finding.rule != UNDECIDABLE:
            yield finding
        else:
            yield Finding("note", "values", f"cannot tell {finding.subject}: {finding.message}", UNDECIDABLE)
