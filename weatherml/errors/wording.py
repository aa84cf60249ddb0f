"""Numbers and lists in sentences."""

from collections.abc import Iterable, Sequence

_MOST_NAMES = 8
_NEXT_UNIT = 999.5  # which three digits would write as 1000
_MOST_SHORT_NAMES, _SHORT = 16, 160  # so many names in so many characters are read at a glance


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return `1 member`, `3 members`, `1 hypothesis`, `2 hypotheses`."""
    return f"{number} {noun if number == 1 else plural or f'{noun}s'}"


def size_of(n_bytes: float) -> str:
    """Return `300 B`, `557 kB`, `1.23 GB`, `108 TB`: three digits in decimal units."""
    for unit in ("B", "kB", "MB", "GB"):
        if n_bytes < _NEXT_UNIT:
            return f"{n_bytes:.3g} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.3g} TB"


def is_short(words: Sequence[str]) -> bool:
    """Return whether a list is read at a glance."""
    return len(words) <= _MOST_NAMES or (len(words) <= _MOST_SHORT_NAMES and len(", ".join(words)) <= _SHORT)


def listed(values: Iterable[object], n_all: int = 0) -> str:
    """Return values with commas between them: all of a short list, of a long one the first eight.

    Args:
        values: What to name.
        n_all: How many there are, where these are not all.
    """
    words = list(map(str, values))
    n_all = max(n_all, len(words))
    if n_all == len(words) and is_short(words):
        return ", ".join(words)
    return f"{', '.join(words[:_MOST_NAMES])}, ... ({n_all} in all)"
