"""The vocabulary: variables by ERA5's long names, with units, levels and the values that they can have."""

from weatherml.variables.vocabulary import (
    LEVEL_SETS,
    PRESETS,
    SEE_NAMES,
    VARIABLES,
    ChannelNames,
    Variable,
    Vertical,
    find,
    look_up,
)

__all__ = [
    "LEVEL_SETS",
    "PRESETS",
    "SEE_NAMES",
    "VARIABLES",
    "ChannelNames",
    "Variable",
    "Vertical",
    "find",
    "look_up",
]
