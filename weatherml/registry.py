"""Names that configurations and command lines use for classes and functions."""

import difflib
from collections import ChainMap
from collections.abc import Callable, Iterable, Iterator, MutableMapping, Sequence
from typing import Any, Generic, Self, TypeVar

from weatherml.errors import UserError
from weatherml.errors.wording import is_short, listed

_NEAR = 0.7  # `sperical` and `spherical` are 0.94 alike, `rsme` and `rmse` 0.75, `tempo` and `temperature` 0.5
_ALIKE = 0.5  # what is less alike is chance, and names in the order of chance are hard to read
_SHORT, _SHORT_NEAR = 3, 0.85  # of few characters each counts: `slp` is not nearly `sp`, but `men` is `mean`
_A_PART = 3  # characters that tell which names a part is of


def nearest(word: str, known: Iterable[str], all_of_them: str = "", shown: Iterable[str] | None = None) -> str:
    """Return `; did you mean 'x'?` for the known word nearest to `word`, or a list of them where none is near.

    Args:
        word: What was written; capitals make no difference.
        known: What could have been.
        all_of_them: Where to see a list that is too long for a message, such as a command.
        shown: What to list where none is near; what is known when None.
    """
    known = tuple(known)
    near = _alike(word, sorted(known), _NEAR if len(word) > _SHORT else _SHORT_NEAR)
    holding = _holding(word, known)
    if near or len(holding) == 1:
        return f"; did you mean {(near or holding)[0]!r}?"
    return all_known(word, known if shown is None else shown, all_of_them)


def all_known(word: str, names: Iterable[str], all_of_them: str = "") -> str:
    """Return `; known: ...` with all names, or of many those most like `word`, and where to see all of them."""
    names = sorted(names)
    if is_short(names):
        return f"; known: {listed(names)}"
    most_alike = listed(_holding(word, names) or _alike(word, names, _ALIKE) or names, len(names))
    return f"; known: {most_alike}" + f", see {all_of_them}" * bool(all_of_them)


def _holding(word: str, names: Iterable[str]) -> list[str]:
    """Return the names that a part is of."""
    return [name for name in names if len(word) >= _A_PART and word.lower() in name.lower()]


def _alike(word: str, names: Sequence[str], least: float) -> list[str]:
    """Return the names that are at least so much alike, from 0 to 1, the best first."""
    spelt = {name.lower(): name for name in reversed(names)}
    found = difflib.get_close_matches(word.lower(), spelt, n=len(spelt) or 1, cutoff=least)
    return [spelt[name] for name in found]


T = TypeVar("T")


class Registry(Generic[T]):
    """A mapping from name to entry whose missing key suggests the near one.

    Args:
        kind: What the entries are, for messages.
        all_of_them: Where to see them where they are too many for a message, such as a command.
    """

    def __init__(self, kind: str, all_of_them: str = "") -> None:
        self.kind = kind
        self.all_of_them = all_of_them
        self._entries: MutableMapping[str, T] = {}

    @classmethod
    def joined(cls, *registries: "Registry[Any]") -> Self:
        """Return what has the entries of all, also those that are entered later; its kind is that of the first."""
        whole = cls(registries[0].kind)
        whole._entries = ChainMap(*(one._entries for one in registries))
        return whole

    def register(self, name: str) -> Callable[[T], T]:
        """Return a decorator that enters its argument under `name`."""

        def enter(entry: T) -> T:
            if name in self._entries:
                raise ValueError(f"{self.kind} {name!r} is registered twice")
            self._entries[name] = entry
            return entry

        return enter

    def __getitem__(self, name: str) -> T:
        if name not in self._entries:
            likely = nearest(name, self._entries, self.all_of_them)
            more = f" See {self.all_of_them}" if self.all_of_them and self.all_of_them not in likely else ""
            raise UserError(f"unknown {self.kind} {name!r}{likely}{more}")
        return self._entries[name]

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._entries))

    def __len__(self) -> int:
        return len(self._entries)
