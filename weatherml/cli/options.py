"""Options that verbs share, and how a path is read: a URL is refused by name wherever it cannot work."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
import typer.core

from weatherml.errors import UserError
from weatherml.storage.locations import local_folder, local_path


def _local(place: str) -> Path:
    try:
        return local_path(place)
    except UserError as error:
        raise typer.BadParameter(str(error)) from None


def _folder(place: str) -> Path:
    try:
        return local_folder(place)
    except UserError as error:
        raise typer.BadParameter(str(error)) from None


WORDS = "words"
"""Where a verb's context has the words it was called with, for options that are read before the others."""

FOLDER: dict[str, Any] = {"parser": _folder, "metavar": "PATH"}
"""For folders that are made on this machine."""

LOCAL: dict[str, Any] = {"parser": _local, "metavar": "PATH"}
"""For paths on this machine. What may be a URL of a zarr store is a `str`, and whoever opens it tells them apart."""

DropStopped = Annotated[bool, typer.Option("--drop-stopped", help="Leave out the members that guards have stopped.")]
Rename = Annotated[
    list[str] | None,
    typer.Option(metavar="OWN=NAME", help="What a variable is that its file calls otherwise; may be repeated."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is at the output.")]
Memory = Annotated[str, typer.Option(metavar="SIZE", help="What may be held of the data at once.")]
Channels = Annotated[list[str] | None, typer.Option(help="These channels alone, such as z500,t2m; may be repeated.")]

LeadUnit = Annotated[
    Literal["d", "h", "min", "s", "ns"] | None, typer.Option(help="Of leads that are numbers without a unit.")
]
InitTime = Annotated[
    str | None, typer.Option("--init", help="The initial time of a file that has valid times alone: 2020-01-01T00.")
]
Calendar = Annotated[
    Literal["standard"] | None, typer.Option(help="standard takes dates of a model's calendar as they are written.")
]
Repeated = Annotated[
    Literal["refuse", "first", "last", "members"],
    typer.Option(help="Fields that come twice: refuse, keep the first or the last, or files are members."),
]
PointsOfRows = Annotated[
    Literal["refuse", "interpolate"],
    typer.Option("--points", help="Rows of different lengths, as on a reduced Gaussian grid: refuse or interpolate."),
]


def named(channels: list[str] | None) -> list[str] | None:
    """Return the channels that are named, with commas between them or one by one; None where the option is not given.

    Raises:
        UserError: It names none.
    """
    if channels is None:
        return None
    names = [name.strip() for listed in channels for name in listed.split(",") if name.strip()]
    if not names:
        raise UserError("--channels names no channel; name some, such as z500,t2m, or leave it out to keep all")
    return names


def period_of(option: str, text: str) -> tuple[str, str]:
    """Return the first and the last time of `2020..2020-06`, or of one year, month or day.

    Raises:
        UserError: It does not read so.
    """
    from weatherml.times import parse_period

    first, dots, last = text.partition("..")
    period = (first, last if dots else first)
    parse_period(period, option)
    return period


def renames(words: list[str] | None) -> dict[str, str]:
    """Return the names that `OWN=NAME` gives to variables, by what files call them.

    Raises:
        UserError: One does not read so.
    """
    pairs = [word.partition("=") for word in words or ()]
    for own, sign, name in pairs:
        if not (own and sign and name):
            raise UserError(f"--rename {own}{sign}{name} must read OWN=NAME, such as var167=2m_temperature")
    return {own: name for own, _, name in pairs}


def size_of(option: str, text: str, least: int, user: str) -> int:
    """Read the size that an option gives, bytes.

    Args:
        option: Its flag.
        text: As it is given.
        least: What it may not be below, bytes.
        user: Whoever needs that much.

    Raises:
        UserError: It is no size, or too small.
    """
    from weatherml.process.memory import parse_memory  # of pydantic, which a first screen need not wait for

    try:
        number = parse_memory(text)
    except UserError:
        raise UserError(f"{option} {text!r} is no size; write it as 2GiB or 800MB") from None
    if number < least:
        raise UserError(f"{option} {text} is less than {least // 2**20} MiB, which {user} needs")
    return number


class SeveralWords(typer.core.TyperCommand):
    """A verb of which an option that may be repeated takes all words up to the next: `--against persistence old.zarr`.

    That holds behind the verb's own words, of which it has so many at least; before these an option takes one, as
    anywhere.
    """

    n_own = 2

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Write the option before each of its words.

        Raises:
            UserError: What is told once is told twice: one of them would be passed over.
        """
        repeated = {flag for own in self.params if getattr(own, "multiple", False) for flag in own.opts}
        flags = {flag for own in self.params if getattr(own, "is_flag", False) for flag in own.opts}
        ctx.meta[WORDS] = args
        once = [own.opts for own in self.params if own.param_type_name == "option" and not repeated & set(own.opts)]
        words = list(self._apart(args, repeated, flags))
        _require_once(words, [own for own in once if not flags & set(own)], flags)
        return super().parse_args(ctx, words)

    def _apart(self, args: list[str], repeated: set[str], flags: set[str]) -> Iterator[str]:
        option, has_value, n_own = "", True, 0
        for word in args:
            if not has_value:
                has_value = True
            elif word.startswith("-"):
                option, has_value = word.partition("=")[0], word in flags or "=" in word or word == "--"
            elif option in repeated and n_own >= self.n_own:
                yield option
            else:
                option, n_own = "", n_own + 1
            yield word


def _require_once(args: list[str], once: Sequence[Sequence[str]], flags: set[str]) -> None:
    """Require that each option which has one value is given once; `args` as a verb's parser takes them."""
    given: list[str] = []
    has_value = True
    for word in args:
        flag, is_joined, _ = word.partition("=")
        if has_value and word == "--":
            break
        if has_value and word.startswith("-"):
            given.append(flag)
        has_value = not (has_value and word.startswith("-") and not is_joined and word not in flags)
    for own in (own for own in once if sum(flag in own for flag in given) > 1):
        raise UserError(f"{max(own, key=len)} is given {sum(flag in own for flag in given)} times; give it once")
