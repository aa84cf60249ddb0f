"""A trained step as one file that runs where weatherml is not: StableHLO or ONNX, SI units in and out."""

from weatherml.export.format import formats
from weatherml.export.onnx_file import Onnx
from weatherml.export.portable import PortableStep
from weatherml.export.stablehlo_file import StableHlo
from weatherml.export.verified import Agreement, export_step

__all__ = ["Agreement", "PortableStep", "export_step", "formats"]

formats.register("onnx")(Onnx())
formats.register("stablehlo")(StableHlo())
