"""All methods by name."""

from dataclasses import dataclass

from weatherml.verification.brackets import made
from weatherml.verification.significance import bootstrap, student
from weatherml.verification.significance.method import Bounds, Method, registry
from weatherml.verification.significance.sample import Sample


@registry.register("none")
@dataclass(frozen=True)
class Untold(Method):
    """Estimates alone."""

    def _judge(self, sample: Sample, confidence: float) -> Bounds:
        return Bounds.untold(sample.estimate)


_THEMES = (bootstrap, student)  # whose methods are known because they have been imported


def method_named(method: str | Method) -> Method:
    """Return a method by its name, with its parameters in brackets where it has some; one that is given as it is.

    Raises:
        UserError: It is unknown, or its parameters are not those that it has.
    """
    if isinstance(method, Method):
        return method
    named: Method = made(method, registry, "circular(length=10)")
    return named
