"""Where data come from: each origin one file behind `Source`, registered by its name."""

from weatherml.data.sources.archive.config import ArchiveConfig
from weatherml.data.sources.cds import CdsConfig, CdsSource
from weatherml.data.sources.config import AnySource, DataConfig, SourceConfig, registry
from weatherml.data.sources.files import FilesConfig, FileSource
from weatherml.data.sources.simulated import PlanetConfig, SimulatedSource

__all__ = [
    "AnySource",
    "ArchiveConfig",
    "CdsConfig",
    "CdsSource",
    "DataConfig",
    "FileSource",
    "FilesConfig",
    "PlanetConfig",
    "SimulatedSource",
    "SourceConfig",
    "registry",
]

registry.register("archive")(ArchiveConfig)
registry.register("cds")(CdsConfig)
registry.register("files")(FilesConfig)
registry.register("simulated")(PlanetConfig)
