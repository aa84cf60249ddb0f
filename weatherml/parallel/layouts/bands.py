"""Whether the fields of a network can be cut into so many bands."""

from collections.abc import Mapping

from jax.sharding import AbstractMesh, Mesh

from weatherml.errors import UserError
from weatherml.parallel.layouts.mesh import LAT, LON
from weatherml.wording import listed

Counts = Mapping[str, int]
"""What a network cannot cut, and how many of it there are."""


def require_bands(lat: Counts, lon: Counts, mesh: Mesh | AbstractMesh) -> None:
    """Require that bands hold whole parts of what a network cannot cut, and as many each.

    Args:
        lat: Along latitude.
        lon: Along longitude.
        mesh: Of the devices.

    Raises:
        UserError: They do not.
    """
    for axis, counts in ((LAT, lat), (LON, lon)):
        bands = mesh.shape[axis]
        fits = [n for n in range(1, max(counts.values(), default=1) + 1) if not any(c % n for c in counts.values())]
        for what, count in counts.items():
            if count % bands:
                raise UserError(
                    f"spatial {mesh.shape[LAT]} x {mesh.shape[LON]} of the mesh: {bands} bands of {_NAMES[axis]} do not"
                    f" divide {what} ({count}); choose {listed(list(map(str, fits)))}"
                )


_NAMES = {LAT: "latitude", LON: "longitude"}
