"""The layout of a training that is told nothing of devices."""

from weatherml.parallel import Layout, MeshConfig


def data_layout():
    """Weights everywhere, samples over all devices."""
    return Layout(MeshConfig().build())
