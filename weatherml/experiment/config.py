"""One file, one experiment: what is learned from which data, and how it is judged."""

from itertools import combinations
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import BeforeValidator, Field, model_validator

from weatherml.checkpoint import Prediction
from weatherml.config import Config
from weatherml.data.files import FilesConfig
from weatherml.data.forcings import FORCINGS
from weatherml.data.period import overlap, stride_of, time_step_of
from weatherml.data.simulated import PlanetConfig
from weatherml.durations import DurationText, parse_duration
from weatherml.errors import UserError
from weatherml.forecast import ForecastConfig, SphericalConfig
from weatherml.models import AnyNetwork, FourCastNetConfig
from weatherml.registry import nearest
from weatherml.state import Channel, parse_channels
from weatherml.times import PeriodText
from weatherml.training import OptimizerConfig, Stage, TrainingConfig
from weatherml.variables import PRESETS


def _channel_set(value: Any) -> Any:
    """Turn the name of a channel set into its channels."""
    if not isinstance(value, str):
        return tuple(value) if isinstance(value, list) else value
    if value not in PRESETS:
        raise UserError(f"unknown channel set {value!r}{nearest(value, PRESETS)}")
    return PRESETS[value]


class PeriodsConfig(Config):
    """Which times are learned from, chosen by, and judged on; no two may overlap.

    Attributes:
        training: For statistics, climatology and weights.
        validation: To choose the best weights.
        test: Initial and valid times of the forecasts that are judged.
    """

    training: PeriodText = ("2000-01-01", "2004-10-31")
    validation: PeriodText = ("2004-11-11", "2004-12-31")
    test: PeriodText = ("2005-01-01", "2005-12-31")

    @model_validator(mode="after")
    def _do_not_overlap(self) -> Self:
        for (name, period), (other, after) in combinations(self, 2):
            if overlap(period, after):
                raise UserError(
                    f"{name} period {' .. '.join(period)} overlaps the {other} period {' .. '.join(after)};"
                    " what is learned from must not be judged on: move one of them"
                )
        return self


class ClimatologyConfig(Config):
    """The climatology that anomalies refer to.

    Attributes:
        n_annual: Harmonics of the year; 0 for a planet without seasons.
        n_diurnal: Harmonics of the day, where the time step resolves them.
    """

    n_annual: int = Field(default=0, ge=0)
    n_diurnal: int = Field(default=0, ge=0)


class ExtremesConfig(Config):
    """The event that a verdict is given on.

    Attributes:
        channel: Which field; must be among the channels that the forecast keeps.
        quantile: Of the training period at each place; above it is extreme.
    """

    channel: str = "t850"
    quantile: float = Field(default=0.95, gt=0, lt=1)


class ExperimentConfig(Config):
    """The whole road from data to verdict. The defaults are the demonstration on a simulated planet.

    Attributes:
        title: Heads the report.
        source: Where the data come from.
        channels: Fields of the state, in the order of its arrays, or the name of a set of them, such as `pangu`.
        periods: Who sees which times.
        climatology: What anomalies refer to.
        time_step: Of the model, such as `24h`, a multiple of the data's; the data's own when None.
        reference: What normalisation subtracts: the global mean of each channel, or the climatology of place and date.
        forcings: What the network is told beside the state.
        model: A preset's name, or a registered network with its sizes.
        prediction: What its output means.
        training: How it learns.
        forecast: Leads, members, and what is kept.
        init_every: Time between initial times of the test period.
        extremes: The event that is judged.
        seed: Of the initial weights.
    """

    title: str = "A forecast of a simulated planet"
    source: PlanetConfig | FilesConfig = Field(default=PlanetConfig(), discriminator="name")
    channels: Annotated[tuple[str, ...], BeforeValidator(_channel_set)] = PRESETS["planet"]
    periods: PeriodsConfig = PeriodsConfig()
    climatology: ClimatologyConfig = ClimatologyConfig()
    time_step: DurationText | None = None
    reference: Literal["mean", "climatology"] = "mean"
    forcings: tuple[str, ...] = ()
    model: AnyNetwork = FourCastNetConfig(patch=(2, 4), width=128, depth=4, n_blocks=2, mlp_ratio=2.0)
    prediction: Prediction = "tendency"
    training: TrainingConfig = TrainingConfig(
        stages=(
            Stage(rollout=1, n_steps=2800, learning_rate=2e-3),
            Stage(rollout=2, n_steps=200, learning_rate=5e-4),
        ),
        batch_size=16,
        optimizer=OptimizerConfig(weight_decay=0.05),
        average_decay=0.99,
    )
    forecast: ForecastConfig = ForecastConfig(
        lead_time="10d",
        members=20,
        perturbation=SphericalConfig(scale=1.0, length=1000, unit="tendency"),
        channels=("t500", "z500", "u500", "v500", "u250", "t850", "msl"),
        rounding=0.01,
    )
    init_every: DurationText = "9d"
    extremes: ExtremesConfig = ExtremesConfig()
    seed: int = Field(default=0, ge=0)

    def step_of(self, times: np.ndarray) -> np.timedelta64:
        """Return the model's time step, `timedelta64[ns]`, for data at rising `times` [time].

        Raises:
            UserError: It is no multiple of the data's.
        """
        step = time_step_of(times) if self.time_step is None else parse_duration(self.time_step)
        stride_of(times, step)
        return step

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        """Find now what hours of computing would otherwise end in."""
        channels, judged = parse_channels(self.channels), parse_channels([self.extremes.channel])
        kept = parse_channels(self.forecast.channels or self.channels)
        _require_among("forecast.channels", kept, "channels", channels)
        _require_among("extremes.channel", judged, "the channels of the forecast", kept)
        for name in self.forcings:
            FORCINGS[name]
        self.forecast.member_numbers()
        self.forecast.lead_times(parse_duration(self.forecast.every or self.forecast.lead_time))
        return self


def _require_among(key: str, wanted: tuple[Channel, ...], where: str, known: tuple[Channel, ...]) -> None:
    for channel in wanted:
        if channel not in known:
            raise UserError(f"{key}: {channel} is not among {where}{nearest(str(channel), map(str, known))}")
