"""Mistakes that a user can mend, and how."""

from collections.abc import Callable
from dataclasses import dataclass

from weatherml.errors.secrecy import without_secrets


@dataclass(frozen=True)
class Option:
    """A setting that mends a mistake, which Python and each verb of the program write in a way of their own.

    Attributes:
        key: As a configuration has it, with its groups: `forecast.perturbation`; of a function, its argument.
        value: What to pass, an example.
        purpose: What for, such as `to replace it`.
        python: What to pass in Python, where that is not the key and the `repr` of the value.
        told_for_python: Whether a verb that does not have it says how Python has it.
    """

    key: str
    value: object = True
    purpose: str = ""
    python: str = ""
    told_for_python: bool = False


REPLACE = Option("overwrite", purpose="to replace it")
"""Where something is in the way that may be replaced."""

Spelling = Callable[[Option], str]
"""Writes an option as the one who asked may pass it; empty where there is no such option."""


def in_python(option: Option) -> str:
    """Write an option as an argument of a function."""
    return option.python or f"{option.key.rpartition('.')[2]}={option.value!r}"


class UserError(ValueError):
    """A mistake the user can mend.

    The message is one line that names the thing, the value and the remedy. The command line prints it and exits with
    code 2; in Python it is an ordinary `ValueError`. Passwords and keys that addresses hold are left out.

    Args:
        message: What is wrong; with the remedies, where they are the same for everyone.
        remedies: In the imperative, or options: these are offered where the verb or function has them.

    Attributes:
        is_told: Whether another process says it, of several that have met it together.
    """

    is_told = False

    def __init__(self, message: str, *remedies: str | Option) -> None:
        hidden = (way if isinstance(way, Option) else without_secrets(way) for way in (message, *remedies))
        super().__init__(*hidden)

    def __str__(self) -> str:
        """Return the line, as Python writes options."""
        return self.told(in_python)

    def told(self, spell: Spelling) -> str:
        """Return the line for one who writes options in a way of their own."""
        message, *remedies = self.args
        ways = [way if isinstance(way, str) else _way(way, spell) for way in remedies]
        return "; ".join([message, ", or ".join(filter(None, ways))]) if any(ways) else str(message)

    def within(self, place: str) -> "UserError":
        """Return the mistake with the place where it was made before its message."""
        message, *remedies = self.args
        return UserError(f"{place}{message}", *remedies)


class StopRequested(KeyboardInterrupt):
    """The system asked the program to stop, as clusters do before they take a machine away: not a person.

    What was begun can be gone on with by the same command, and should be: whoever manages jobs may queue it again.
    """


STOPPED = 75
"""Exit code of a program that was asked to stop (EX_TEMPFAIL): to be tried again, as scripts of jobs do."""

LOST = 76
"""Exit code of a program that was cut off (EX_PROTOCOL, of what failed on the other side)."""


class LostError(UserError):
    """The program was cut off by what is nobody's mistake: a process that it worked with died, or did not answer.

    The same command goes on.
    """


def require_kind(value: object, kinds: type | tuple[type, ...], name: str, remedy: str) -> None:
    """Require that an argument is of a kind, or one of several.

    Raises:
        UserError: It is something else.
    """
    if not isinstance(value, kinds):
        wanted = " or ".join(kind.__name__ for kind in (kinds if isinstance(kinds, tuple) else (kinds,)))
        shown = repr(value) if value is None or isinstance(value, str | int | float) else type(value).__name__
        raise UserError(f"{name} must be {wanted}, got {shown}; {remedy}")


def _way(option: Option, spell: Spelling) -> str:
    spelt = spell(option)
    if option.told_for_python and not spelt:
        return f"in Python pass {in_python(option)}"
    return _pass(spelt, option.purpose)


def _pass(spelt: str, purpose: str) -> str:
    return f"pass {spelt} {purpose}".rstrip() if spelt else ""
