"""What findings are about, called alike whichever rule speaks."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from weatherml.data.quality.finding import Finding
from weatherml.state import Channel


def called_alike(findings: Iterable[Finding], channels: Collection[Channel]) -> Iterator[Finding]:
    """Yield findings whose subjects are channels, or a variable where its levels are meant, all of several.

    Args:
        findings: Of any rules, some of which speak of a variable where it has a single level.
        channels: Of the data.
    """
    levels: dict[str, list[Channel]] = {}
    for channel in channels:
        levels.setdefault(channel.variable, []).append(channel)
    sole = {variable: str(own[0]) for variable, own in levels.items() if len(own) == 1}
    whole = {variable: {*map(str, own)} for variable, own in levels.items() if len(own) > 1}
    for finding in findings:
        names = [sole.get(name, name) for name in finding.subject.split(", ")]
        for variable, own in whole.items():
            if own <= {*names}:
                first = min(map(names.index, own))
                names = [*names[:first], variable, *(name for name in names[first:] if name not in own)]
        yield replace(finding, subject=", ".join(names))
