"""The rules by their ids, which `--ignore` and findings name."""

from collections.abc import Callable, Iterable, Iterator, Mapping

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
UNDECIDABLE, DAMAGED_FILE, NOT_VERIFIED, LOST_CHUNKS = "undecidable", "damaged-file", "not-verified", "lost-chunks"
_OTHERS = {
    UNDECIDABLE: "These fields cannot show some errors, which other fields or other times would.",
    DAMAGED_FILE: "A file of a store is missing, or has not the checksum with which it was written.",
    LOST_CHUNKS: "Chunks of a zarr store are gone, and read as its fill value.",
    NOT_VERIFIED: "A store lies behind a web server, where the checksums of its files are not read.",
}
"""What no single rule finds."""
SEE_RULES = "weatherml check --rules"


def described_rules() -> Mapping[str, str]:
    """Return what each rule finds, in the order of their ids."""
    told = {name: (registry[name].__doc__ or "") for registry in (RULES, LABEL_RULES) for name in registry}
    told |= _OTHERS
    return {name: told[name].strip().partition("\n")[0] for name in sorted(told)}


def require_rules(names: Iterable[str]) -> None:
    """Require that there are rules of these ids.

    Raises:
        UserError: There is none of one.
    """
    known = described_rules()
    for name in names:
        if name not in known:
            raise UserError(f"no rule is called {name!r}{nearest(name, known, SEE_RULES)}")
