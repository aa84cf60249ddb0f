"""Variables that follow from others: each way registered by the name of what it makes, and a source that makes them."""

from weatherml.data.derived.accumulation import Accumulated
from weatherml.data.derived.derivations import DERIVATIONS
from weatherml.data.derived.source import DerivedSource

__all__ = ["DERIVATIONS", "Accumulated", "DerivedSource"]
