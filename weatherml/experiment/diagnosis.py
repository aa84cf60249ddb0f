"""An experiment whose model is a diagnostic: what it learns to give, and of which states."""

from collections.abc import Collection

import numpy as np

from weatherml.checkpoint import Checkpoint, Provenance
from weatherml.data.statistics.channel_statistics import Statistics
from weatherml.data.statistics.forcings import Forcings
from weatherml.data.statistics.normalization import Normalizer
from weatherml.durations import format_duration
from weatherml.errors import UserError
from weatherml.experiment.config import ExperimentConfig
from weatherml.experiment.fine_tuning import require_state, require_unseen
from weatherml.models.precipitation import ACCUMULATED
from weatherml.state import Channel, StateSpec


def require_outputs(config: ExperimentConfig, channels: Collection[Channel]) -> None:
    """Require that the data have what a diagnostic learns to give.

    Args:
        config: Of the experiment.
        channels: That the data have.

    Raises:
        UserError: They do not: the message says how they come by it.
    """
    for output in config.outputs:
        if output not in channels:
            name = config.model.name
            raise UserError(f"the data have no {output}, which {name} learns to give; {_way_to(output, channels)}")


def _way_to(output: Channel, channels: Collection[Channel]) -> str:
    """Return how data come by an accumulation, of those that are there."""
    hourly, names = ACCUMULATED["1h"], {channel.variable for channel in channels}
    others = [hours for hours, name in ACCUMULATED.items() if name in names]
    if hourly in names:
        return f"make it of {hourly}, which is hourly: source.derive=[{output}]"
    if not others:
        return f"where the source has hourly {hourly}: source.derive=[{output}]; on a planet: source.water=true"
    return f"they have it over {' and '.join(others)}: model.accumulation={others[0]}"


def load_stepper(config: ExperimentConfig, path: str, spec: StateSpec, step: np.timedelta64) -> Checkpoint:
    """Load the model of whose forecasts a diagnostic is trained, and require that it fits.

    Args:
        config: Of the experiment.
        path: Of the checkpoint.
        spec: The channels that the diagnostic is given, on the grid of the data.
        step: Time from one state to the next.

    Raises:
        UserError: It is a diagnostic itself, has other states, takes anomalies, or has learned from the test period.
    """
    stepper = Checkpoint.load(path)
    if stepper.prediction == "diagnostic":
        raise UserError(f"stepper: {path} is a diagnostic, which gives no next state; pass a checkpoint of a model")
    require_state("stepper", path, stepper.spec, spec)
    if stepper.normalizer.climatology is not None:
        raise UserError(f"stepper: {path} takes anomalies of a climatology, a diagnostic takes states; pass another")
    if step != stepper.time_step:
        wanted = format_duration(stepper.time_step)
        raise UserError(f"stepper: {path} steps {wanted}, the windows {format_duration(step)}; set time_step={wanted}")
    require_unseen("stepper", path, stepper, config)
    return stepper


def untrained(
    config: ExperimentConfig, statistics: Statistics, stepper: Checkpoint | None, provenance: Provenance
) -> Checkpoint:
    """Return a diagnostic with random weights.

    Args:
        config: Of the experiment.
        statistics: Of the states that it is given, by which they are normalised where no model does that.
        stepper: Whose forecasts it is given; None where these are analyses.
        provenance: Of the experiment.
    """
    normalizer = Normalizer(statistics) if stepper is None else stepper.normalizer
    told = Forcings((), statistics.spec.grid, statistics.time_step)
    return Checkpoint.initialize(config.model, told, normalizer, provenance, config.seed, "diagnostic")
