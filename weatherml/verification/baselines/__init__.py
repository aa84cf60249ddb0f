"""What a forecast must beat: persistence, climatology and damped persistence, as forecasts like any other."""

from weatherml.verification.baselines.damping import fit_damping
from weatherml.verification.baselines.reference_forecasts import climatology, damped_persistence, persistence

__all__ = ["climatology", "damped_persistence", "fit_damping", "persistence"]
