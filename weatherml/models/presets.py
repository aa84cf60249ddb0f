"""Sizes of networks by name, for configurations: `model: pangu_lite`."""

from typing import Annotated

from pydantic import BeforeValidator, SerializeAsAny

from weatherml.config import from_registry
from weatherml.models import diagnostic
from weatherml.models.fourcastnet import FourCastNetConfig
from weatherml.models.network import NetworkConfig, registry
from weatherml.models.pangu import PanguConfig
from weatherml.registry import Registry

PRESETS: dict[str, NetworkConfig] = {
    # As published, for 720 x 1440 points; versions 0 and 0.1 differ in their channels alone.
    "fourcastnet": FourCastNetConfig(),
    # As published, for 721 x 1440 points and 13 levels; the light one has a quarter of the tokens.
    "pangu": PanguConfig(),
    "pangu_lite": PanguConfig(patch=(2, 8, 8)),
    # Windows that tile all columns at both resolutions: 60 and 30 tokens of 1.5 degrees, 32 and 16 of 5.625.
    "pangu_1p5deg": PanguConfig(width=96, window=(2, 6, 10), heads=(3, 6, 6, 3)),
    "pangu_5p6deg": PanguConfig(
        patch=(2, 2, 2), width=64, depths=(2, 2, 2, 2), heads=(2, 4, 4, 2), window=(2, 4, 8), drop_path=0.1
    ),
}

AnyNetwork = Annotated[
    SerializeAsAny[NetworkConfig | diagnostic.DiagnosticConfig],
    BeforeValidator(from_registry(Registry.joined(registry, diagnostic.registry), PRESETS)),
]
"""A configuration field that takes a preset by its name, or any registered network or diagnostic with its sizes."""
