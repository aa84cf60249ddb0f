"""What is asked of a check."""

from typing import Self

from pydantic import model_validator

from weatherml.config import Config
from weatherml.data.quality.check import require_rules


class CheckConfig(Config):
    """What the phase `check` looks for.

    Attributes:
        ignore: Ids of rules whose findings are known and accepted; `weatherml check --rules` lists them.
    """

    ignore: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _are_rules(self) -> Self:
        require_rules(self.ignore)
        return self
