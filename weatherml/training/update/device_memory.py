"""What a training does to need less memory of a device."""

from typing import Literal, Self

from pydantic import PositiveInt, model_validator

from weatherml.config import Config
from weatherml.models.layers.remat import Policy
from weatherml.parallel import require_host_memory

Moments = Literal["float32", "bfloat16", "factored"]
"""How an optimiser keeps its moments."""

Offloaded = Literal["average", "moments"]
"""What may lie in the memory of the host between steps."""


class DeviceMemoryConfig(Config):
    """What a training does to need less memory of a device, in the order in which it is worth trying.

    Attributes:
        remat: What the gradient computes a second time, so that it need not be kept: `none` nothing; `products` all but
            the products with weights; `attention` all but what attention gives (networks without it: as `blocks`);
            `blocks` all of a block from what enters it, for up to a third more time.
        between_blocks: Type of what passes from block to block in training, half the memory of it in bfloat16; for
            `remat` other than `none`. Weights, sums within a block and the loss stay float32.
        accumulate: Parts of a batch whose gradients are computed one after another and added up; the memory of
            activations is that of one part, the step is the same up to rounding.
        moments: How the optimiser keeps its two moments: `float32`, 8 bytes a weight; `bfloat16`, 4; `factored`, 2 and
            little more: the second moment of a matrix is that of its rows times that of its columns (Adafactor).
        offload: What lies in the memory of the host between steps: `average`, `moments`, or both, 4 bytes a weight
            and what moments take; for that they cross to the device and back in every step.
    """

    remat: Policy = "none"
    between_blocks: Literal["float32", "bfloat16"] = "float32"
    accumulate: PositiveInt = 1
    moments: Moments = "float32"
    offload: tuple[Offloaded, ...] = ()

    @model_validator(mode="after")
    def _between_blocks_needs_remat(self) -> Self:
        if self.between_blocks != "float32" and self.remat == "none":
            raise ValueError(
                f"between_blocks {self.between_blocks} saves nothing where blocks keep all else (remat none);"
                " set remat to products, attention or blocks"
            )
        return self

    def require_host(self) -> None:
        """Require that what is offloaded has where to go.

        Raises:
            UserError: The devices do not reach memory of the host.
        """
        if self.offload:
            require_host_memory("training.device_memory.offload")


AS_IT_COMES = DeviceMemoryConfig()
"""Nothing saved."""
