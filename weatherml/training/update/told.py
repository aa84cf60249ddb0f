"""What the compiled programs of a training are told that no step changes: once on the devices, for all of them."""

from typing import NamedTuple, Self

from flax import nnx

from weatherml.models import NoiseMaps
from weatherml.models.weights import Constants, split_weights, weights_of
from weatherml.parallel import Laying, Layout
from weatherml.training.objective.objective import AnyLoss


class Told(NamedTuple):
    """Arguments of a program; captured arrays would be copied into every compiled one.

    Attributes:
        constants: What of a module is not trained.
        loss: Of its forecasts.
        maps: What random maps are drawn from, where it is told some.
    """

    constants: Constants
    loss: AnyLoss
    maps: NoiseMaps | None

    @classmethod
    def placed(cls, constants: Constants, loss: AnyLoss, maps: NoiseMaps | None, layout: Layout) -> Self:
        """Bring it where it lies: frozen arrays as the weights they were, maps as fields; what lies there is shared."""
        others, loss, maps = layout.place_maps((constants.others, loss, maps), loss.grid)
        return cls(Constants(layout.placed(constants.frozen), others), loss, maps)

    def used(self, layout: Laying) -> Constants:
        """Return in a program what of the module is not trained, as products take it."""
        return self.constants._replace(frozen=layout.used(self.constants.frozen))


def shared(
    step: nnx.Module, loss: AnyLoss, maps: NoiseMaps | None, layout: Layout
) -> tuple[nnx.Module, AnyLoss, NoiseMaps | None]:
    """Return all three with what no step changes on the devices, where every program that is built of them finds it."""
    rebuild, constants = split_weights(step)
    told = Told.placed(constants, loss, maps, layout)
    return rebuild(weights_of(step), told.constants), told.loss, told.maps
