"""Pictures and the report: maps, curves of skill, verdicts and climates, drawn without a network."""

from weatherml.errors import UserError

try:
    import cartopy  # noqa: F401
    import matplotlib  # noqa: F401
except ImportError as missing:
    raise UserError(f"pictures need {missing.name}, which is not here; pip install 'weatherml[plot]'") from None

from weatherml.plot.climate import climate
from weatherml.plot.extremes.calibrated import calibration
from weatherml.plot.extremes.efi import efi
from weatherml.plot.extremes.event_objects import event_objects
from weatherml.plot.extremes.plume import plume
from weatherml.plot.extremes.rivers import rivers
from weatherml.plot.extremes.strike_probability import strike_probability
from weatherml.plot.extremes.tracks import track_density, tracks
from weatherml.plot.learning import learning
from weatherml.plot.maps import deviation, forecast_vs_truth, map, mean_over_spread, probability, score, spread
from weatherml.plot.memory import memory
from weatherml.plot.report import Section, write_report
from weatherml.plot.skill import skill, verdict
from weatherml.plot.spectra import spectra

__all__ = [
    "Section",
    "calibration",
    "climate",
    "deviation",
    "efi",
    "event_objects",
    "forecast_vs_truth",
    "learning",
    "map",
    "mean_over_spread",
    "memory",
    "plume",
    "probability",
    "rivers",
    "score",
    "skill",
    "spectra",
    "spread",
    "strike_probability",
    "track_density",
    "tracks",
    "verdict",
    "write_report",
]
