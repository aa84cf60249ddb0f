"""ONNX: the step as a graph of standard operators, and its description as metadata of the file."""

from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.extend.core import jaxpr_as_fun

from weatherml.export.format import Run, need
from weatherml.export.portable import OUTPUT, PortableStep

OPSET = 21
"""Version of the standard operators; runtimes since 2024 have it."""

BATCH = 1
"""The graph is for this many states: the converter is not to be trusted with axes of unknown length."""


class Onnx:
    """Runs wherever onnxruntime does."""

    has_bfloat16 = False

    def write(self, step: PortableStep, path: Path) -> None:
        """Write the graph."""
        onnx, converter = need("onnx"), need("jax2onnx")
        inputs = list(step.abstract_inputs(BATCH).values())
        model = converter.to_onnx(
            _primitives(step, inputs),
            inputs,
            model_name="weatherml_forecast_step",
            opset=OPSET,
            input_names=list(step.inputs),
            output_names=[OUTPUT],
        )
        onnx.helper.set_model_props(model, step.describe())
        onnx.save(model, path)

    def open(self, path: Path) -> Run:
        """Load the graph with onnxruntime."""
        runtime = need("onnxruntime")
        options = runtime.SessionOptions()
        options.log_severity_level = 3  # errors: a constant that the converter left unused is not worth a line
        session = runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        return lambda inputs: np.asarray(session.run([OUTPUT], dict(inputs))[0])


def _primitives(step: PortableStep, inputs: list[jax.ShapeDtypeStruct]) -> Any:
    """Return the step as a function of arrays that calls nothing but primitives.

    The converter puts functions of its own in the place of those of jax.numpy, of which some take float32 for float64;
    what it makes of primitives is right.
    """
    traced = jax.make_jaxpr(lambda *arrays: step(**dict(zip(step.inputs, arrays, strict=True))))(*inputs)
    evaluate = jaxpr_as_fun(traced)
    return lambda *arrays: evaluate(*arrays)[0]
