"""StableHLO: a zip archive of the step, as `jax.export` serialises it, and of its description."""

import json
import zipfile
from pathlib import Path

import jax
import numpy as np

from weatherml.export.format import Run, need
from weatherml.export.portable import PortableStep

STEP, DESCRIPTION = "step.jax_export", "description.json"
PLATFORMS = ("cpu", "cuda")


class StableHlo:
    """Compiled by XLA wherever it is loaded, for any batch."""

    has_bfloat16 = True

    def write(self, step: PortableStep, path: Path) -> None:
        """Write the archive."""
        need("flatbuffers")  # by jax.export
        (batch,) = jax.export.symbolic_shape("batch")
        exported = jax.export.export(jax.jit(step), platforms=PLATFORMS)(**step.abstract_inputs(batch))
        description = {key: json.loads(value) for key, value in step.describe().items()}
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(STEP, bytes(exported.serialize()))
            archive.writestr(DESCRIPTION, json.dumps(description, indent=1))

    def open(self, path: Path) -> Run:
        """Load the archive with jax alone."""
        with zipfile.ZipFile(path) as archive:
            exported = jax.export.deserialize(bytearray(archive.read(STEP)))
        return lambda inputs: np.asarray(exported.call(**inputs))  # type: ignore[no-untyped-call]
