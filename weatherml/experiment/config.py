"""One file, one experiment: what is learned from which data, and how it is judged."""

from collections.abc import Mapping, Sequence
from importlib.resources import files
from itertools import combinations
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from weatherml.checkpoint import Meaning
from weatherml.config import Config, apply_overrides, from_mapping
from weatherml.config.yaml_text import parse_yaml
from weatherml.data.period import overlap, stride_of, time_step_of
from weatherml.data.quality.config import CheckConfig
from weatherml.data.sources import AnySource
from weatherml.data.statistics.forcings import FORCINGS
from weatherml.data.statistics.windowed_climatology import window_weights
from weatherml.durations import DurationText, parse_duration
from weatherml.errors import Option, UserError
from weatherml.forecast import ForecastConfig
from weatherml.models import AnyNetwork, DiagnosticConfig
from weatherml.models.network import NetworkConfig
from weatherml.state import Channel, alternatives, levels_in, parse_channels
from weatherml.times import Periods, PeriodsText, PeriodText, each_period, parse_period, show_periods
from weatherml.training import TrainingConfig
from weatherml.variables import ChannelNames
from weatherml.verification.baselines.other_years import WINDOW_DAYS

_MOST_HARMONICS = 100  # beyond, there is a typing error


class PeriodsConfig(Config):
    """Which times are learned from, chosen by, and judged on; no two may overlap.

    Attributes:
        training: For statistics, climatology and weights; several where years between them are left out.
        validation: To choose the best weights.
        test: Initial and valid times of the forecasts that are judged.
    """

    training: PeriodsText
    validation: PeriodText
    test: PeriodText

    @model_validator(mode="after")
    def _do_not_overlap(self) -> Self:
        for (name, period), (other, after) in combinations(self, 2):
            if overlap(period, after):
                raise UserError(
                    f"{name} period {show_periods(period)} overlaps the {other} period {show_periods(after)};"
                    " what is learned from must not be judged on: move one of them"
                )
        return self


class ClimatologyConfig(Config):
    """The climatology that anomalies refer to.

    Attributes:
        n_annual: Harmonics of the year, as far as the period tells them (one needs 150 days); 0 for a planet without
            seasons.
        n_diurnal: Harmonics of the day, as far as the time step resolves them; the second is the half-day tide, most of
            what pressure in the tropics does within a day.
        window_days: Width of the window of a climatology by hour and day of the year, as WeatherBench 2 has it with 61,
            in `windowed_climatology.nc`; none is made when None.
        quantiles: Probabilities of a climatology of quantiles by season, in `quantile_climatology.nc`; none is made
            where there are none.
    """

    n_annual: int = Field(default=2, ge=0, le=_MOST_HARMONICS)
    n_diurnal: int = Field(default=1, ge=0, le=_MOST_HARMONICS)
    window_days: int | None = Field(default=None, ge=3, le=365)
    quantiles: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = ()

    @model_validator(mode="after")
    def _has_a_middle(self) -> Self:
        if self.window_days is not None:
            window_weights(self.window_days)
        return self


class ExtremesConfig(Config):
    """The event that a verdict is given on.

    Attributes:
        channel: Which field; must be among the channels that the forecast keeps.
        quantile: Of the training period at each place; above it is extreme.
    """

    channel: str
    quantile: float = Field(default=0.95, gt=0, lt=1)


class BaselinesConfig(Config):
    """What forecasts are held against, beside persistence, damped persistence and climatology.

    Attributes:
        members: Of a climatological ensemble, analyses of the training period of the hour of each valid time and, where
            the climatology has harmonics of the year, of the days around its date; there is none when None.
        window_days: Width of the window around the date, odd.
    """

    members: int | None = Field(default=None, ge=2)
    window_days: int = Field(default=WINDOW_DAYS, ge=1, le=365)

    @model_validator(mode="after")
    def _has_a_middle(self) -> Self:
        if self.window_days % 2 == 0:
            raise UserError(f"baselines.window_days: {self.window_days} days have no middle; choose an odd number")
        return self


class ExperimentConfig(Config):
    """The whole road from data to verdict: source, channels, periods, model and training; the rest has defaults.

    Attributes:
        title: Heads the report.
        source: Where the data come from.
        channels: Fields of the state, in the order of its arrays, or the name of a set of them, such as `pangu`.
        periods: Who sees which times.
        check: What the check of the data passes over.
        climatology: What anomalies refer to.
        time_step: Of the model, such as `24h`, a multiple of the data's; the data's own when None.
        reference: What normalisation subtracts: the global mean of each channel, or the climatology of place and date.
        forcings: What the network is told beside the state.
        model: A preset's name, or a registered network with its sizes; or a diagnostic, such as precipitation, which
            makes other fields of the state, not the next one.
        prediction: What its output means; `diagnostic` of a diagnostic, else `tendency` unless told otherwise.
        stepper: Folder of the checkpoint of whose forecasts a diagnostic is trained, and with which it is judged; of
            analyses when None.
        start: Folder of a checkpoint whose weights training begins with; random weights when None.
        training: How it learns.
        forecast: Leads, members, and what is kept; one deterministic forecast of all channels unless told otherwise.
        init_every: Time between initial times of the test period.
        baselines: What forecasts are held against.
        extremes: The event that is judged; no verdict is given when None.
        seed: Of the initial weights.
    """

    title: str = "A weather forecast"
    source: AnySource
    channels: ChannelNames
    periods: PeriodsConfig
    check: CheckConfig = CheckConfig()
    climatology: ClimatologyConfig = ClimatologyConfig()
    time_step: DurationText | None = None
    reference: Literal["mean", "climatology"] = "mean"
    forcings: tuple[str, ...] = ()
    model: AnyNetwork
    prediction: Meaning = Field(default_factory=lambda values: _meaning_of(values.get("model")))
    stepper: str | None = None
    start: str | None = None
    training: TrainingConfig
    forecast: ForecastConfig = ForecastConfig()
    init_every: DurationText = "1d"
    baselines: BaselinesConfig = BaselinesConfig()
    extremes: ExtremesConfig | None = None
    seed: int = Field(default=0, ge=0, lt=2**32)

    def step_of(self, times: np.ndarray) -> np.timedelta64:
        """Return the model's time step, `timedelta64[ns]`, for data at rising `times` [time].

        Raises:
            UserError: It is no multiple of the data's.
        """
        step = time_step_of(times) if self.time_step is None else parse_duration(self.time_step)
        stride_of(times, step)
        return step

    @property
    def outputs(self) -> tuple[Channel, ...]:
        """The channels that a diagnostic gives; none of a model that steps."""
        return parse_channels(self.model.outputs) if isinstance(self.model, DiagnosticConfig) else ()

    @property
    def has_forecasts(self) -> bool:
        """Whether forecasts are made, of a model or of the one beside a diagnostic; analyses are diagnosed if not."""
        return not self.outputs or self.stepper is not None

    def lead_times(self, time_step: np.timedelta64) -> np.ndarray:
        """Return the leads that are judged, `timedelta64[ns]` [lead_time]: 0 alone where analyses are diagnosed.

        Raises:
            UserError: As `ForecastConfig.lead_times`.
        """
        return self.forecast.lead_times(time_step) if self.has_forecasts else np.zeros(1, "timedelta64[ns]")

    @property
    def kept_channels(self) -> tuple[Channel, ...]:
        """The channels that forecasts hold; of a diagnostic its own, unless others are named."""
        channels = parse_channels(self.channels)
        if self.forecast.channels is None:
            return self.outputs or channels
        return parse_channels(self.forecast.channels, levels_in(channels))

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        """Find now what hours of computing would otherwise end in."""
        channels = parse_channels(self.channels)
        (_require_diagnostic if self.outputs else _require_step)(self)
        _require_among("forecast.channels", self.kept_channels, "channels", (*channels, *self.outputs))
        if self.extremes is not None:
            judged = parse_channels([self.extremes.channel], levels_in(channels))
            _require_among("extremes.channel", judged, "the channels of the forecast", self.kept_channels)
        for name in self.forcings:
            FORCINGS[name]
        for index, stage in enumerate(self.training.stages):
            _require_inside(f"training.stages[{index}].period", stage.period, self.periods.training)
        _require_judgeable(self.forecast)
        return self


def _meaning_of(model: object) -> Meaning:
    return "diagnostic" if isinstance(model, DiagnosticConfig) else "tendency"


def _require_step(config: ExperimentConfig) -> None:
    """Require nothing of a model that steps that only a diagnostic has.

    Raises:
        UserError: Something is.
    """
    name = config.model.name
    if config.prediction == "diagnostic":
        raise UserError(f"prediction: {name} gives the next state and is no diagnostic; set 'tendency' or 'state'")
    if config.stepper is not None:
        raise UserError(f"stepper: {name} steps by itself; leave it out, or name a diagnostic: model=precipitation")
    _require_noise(config.forecast, config.model)


def _require_diagnostic(config: ExperimentConfig) -> None:
    """Require nothing of a diagnostic that it does not have.

    Raises:
        UserError: Something is.
    """
    name, loss = config.model.name, config.training.loss
    twice = set(parse_channels(config.channels)) & set(config.outputs)
    mistakes = {
        f"prediction: {name} is a diagnostic, which gives no {config.prediction}; leave prediction out": (
            config.prediction != "diagnostic"
        ),
        f"channels: {', '.join(map(str, twice))} is what {name} is to give; leave it out of what it is given": twice,
        f"forcings: {name} is a diagnostic, which is told the state alone; leave forcings out": config.forcings,
        f"reference: {name} is a diagnostic, which takes states less their mean; set reference=mean": (
            config.reference == "climatology"
        ),
        f"training.loss: {name} gives no members for {loss.name} to compare; take mse, mae or relative_l2": (
            loss.is_of_ensembles
        ),
        f"training.loss: {name} is a diagnostic, of whose fields pangu has no weights and physics no terms; leave"
        " channel_weight and physics out": loss.channel_weight == "pangu" or loss.physics,
        f"forecast: {name} is a diagnostic, which forecasts nothing by itself and is judged on analyses; leave"
        " forecast out, or name the model that does: stepper=models/fourcastnet": (
            not config.has_forecasts and config.forecast != ForecastConfig()
        ),
    }
    for mistake, is_made in mistakes.items():
        if is_made:
            raise UserError(mistake)


def _require_among(key: str, wanted: tuple[Channel, ...], where: str, known: tuple[Channel, ...]) -> None:
    for channel in wanted:
        if channel not in known:
            raise UserError(f"{key}: {channel} is not among {where}{alternatives(channel, known)}")
    twice = [channel for channel in wanted if wanted.count(channel) > 1]
    if twice or not wanted:
        raise UserError(f"{key}: {f'{twice[0]} is there twice' if twice else 'there is none'}; name each channel once")


def _require_inside(key: str, period: Periods | None, whole: Periods) -> None:
    """Require that a part of the training period lies in it: statistics and tests know of no other times."""
    spans = [parse_period(one) for one in each_period(whole)]
    for one in () if period is None else each_period(period):
        first, last = parse_period(one)
        if not any(span.first <= first and last <= span.last for span in spans):
            raise UserError(
                f"{key}: {show_periods(one)} is not in the training period {show_periods(whole)}; choose a part"
                " of it, or extend periods.training"
            )


def _require_judgeable(forecast: ForecastConfig) -> None:
    """Require members that can be scored, each in its own right."""
    if forecast.statistics is not None:
        raise UserError(
            "forecast.statistics keeps no members, and only members can be judged; leave it out here, and make"
            " statistics from the checkpoint: weatherml forecast --set statistics=..."
        )
    if forecast.members > 1 and forecast.perturbation is None:
        raise UserError(
            f"forecast.members: {forecast.members} without a perturbation would all be the same",
            Option("forecast.perturbation", "spherical"),
        )
    if forecast.perturbation is not None and forecast.perturbation.reads_members:
        raise UserError(
            f"forecast.perturbation: {forecast.perturbation.name} starts from several analyses of each time, of which"
            " an experiment's data hold one; take another, such as forecast.perturbation=spherical"
        )
    forecast.member_numbers()
    forecast.lead_times(parse_duration(forecast.every or forecast.lead_time))


def _require_noise(forecast: ForecastConfig, model: NetworkConfig | DiagnosticConfig) -> None:
    """Require random maps where members are told some."""
    perturbation = forecast.perturbation
    if perturbation is not None and perturbation.map_scale is not None and not model.n_noise:
        raise UserError(
            f"forecast.perturbation: {perturbation.name} tells the model random maps, for which it has no room; add"
            " model.noise={lengths: [1000]} and training.loss={name: crps}, or take forecast.perturbation=spherical"
        )


def demonstration(overrides: Sequence[str] = ()) -> ExperimentConfig:
    """Return what `weatherml demo` does without a configuration: a simulated planet, learned and forecast in minutes.

    Args:
        overrides: `key.path=value` assignments.

    Raises:
        UserError: An override has an unknown key or a wrong value.
    """
    content = parse_yaml((files("weatherml.experiment") / "demonstration.yaml").read_bytes(), "demonstration")
    asked = apply_overrides({}, overrides)
    kept = {key: value for key, value in content.items() if not _is_another(value, asked.get(key))}
    return from_mapping(ExperimentConfig, apply_overrides(kept, overrides), "demonstration")


def _is_another(group: Any, asked: Any) -> bool:
    """Return whether another kind is named than that of a group of keys, which then say nothing of it."""
    if not isinstance(group, Mapping) or not isinstance(asked, Mapping):
        return False
    return bool(asked.get("name", group.get("name")) != group.get("name"))
