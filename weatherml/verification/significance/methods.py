"""All methods by name."""

from dataclasses import dataclass

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
    """Return a method by its name, with what it does by itself; one that is given as it is.

    Raises:
        UserError: It is unknown.
    """
    return method if isinstance(method, Method) else registry[method]()
