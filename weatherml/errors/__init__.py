"""What a user reads when something is wrong: one line that names the thing, its value and a remedy."""

from weatherml.errors.user_error import (
    LOST,
    REPLACE,
    STOPPED,
    LostError,
    Option,
    Spelling,
    StopRequested,
    UserError,
    in_python,
    require_kind,
)

__all__ = [
    "LOST",
    "REPLACE",
    "STOPPED",
    "LostError",
    "Option",
    "Spelling",
    "StopRequested",
    "UserError",
    "in_python",
    "require_kind",
]
