"""The perturbation of models that were trained to be told random maps."""

from collections.abc import Sequence
from typing import Literal, Self

from pydantic import Field, model_validator

from weatherml.durations import format_duration
from weatherml.errors import UserError
from weatherml.forecast.perturbation.base import PerturbationConfig, registry
from weatherml.forecast.rollout.model import Model


@registry.register("noise_conditioned")
class NoiseConditionedConfig(PerturbationConfig):
    """Members are told random maps of their own in every step, by a model that was trained on them by CRPS.

    What the maps do, in which channel and how strongly, is the model's to know: there is no `amplitude`. `scale` is
    what they are multiplied by; as it was trained, a model is told maps of scale 1.
    """

    name: Literal["noise_conditioned"] = "noise_conditioned"
    scale: float = Field(default=1.0, ge=0)

    @model_validator(mode="after")
    def _is_the_same_for_all_channels(self) -> Self:
        if self.amplitude:
            raise ValueError("amplitude is of channels, which random maps do not have; leave it out, or change scale")
        return self

    @property
    def map_scale(self) -> float:
        """What the random maps of models are multiplied by."""
        return self.scale


def require_random_maps(models: Sequence[Model]) -> None:
    """Require that models are told random maps.

    Raises:
        UserError: One is not.
    """
    for model in models:
        if not model.is_told_maps:
            raise UserError(
                f"the model of {format_duration(model.time_step)} steps is told no random maps, which noise_conditioned"
                " needs; train one with model.noise={lengths: [1000]} and training.loss={name: crps}"
            )
