"""Whether the fields of a network can be cut into so many bands."""

from collections.abc import Mapping
from math import gcd

from jax.sharding import AbstractMesh, Mesh

from weatherml.errors import UserError
from weatherml.parallel.layouts.mesh import LAT, LON, divisors, one_of

Counts = Mapping[str, int]
"""What a network cannot cut, and how many of it there are."""


def require_bands(grid: tuple[int, int], lat: Counts, lon: Counts, mesh: Mesh | AbstractMesh) -> None:
    """Require that bands hold as many points of a grid, and whole parts of what a network cannot cut, as many each.

    Args:
        grid: Rows and columns.
        lat: What the network cannot cut along latitude.
        lon: Along longitude.
        mesh: Of the devices.

    Raises:
        UserError: They do not.
    """
    of_grid = ({"rows of the grid": grid[0]}, {"columns of the grid": grid[1]})
    for axis, of_axis, counts in zip((LAT, LON), of_grid, (lat, lon), strict=True):
        bands, counts = mesh.shape[axis], {**counts, **of_axis}
        for what, count in counts.items():
            if count % bands:
                raise UserError(
                    f"spatial {mesh.shape[LAT]} x {mesh.shape[LON]} of the mesh: {bands} bands of {_NAMES[axis]} do not"
                    f" divide {what} ({count}); choose {one_of(divisors(gcd(*counts.values())))}"
                )


_NAMES = {LAT: "latitude", LON: "longitude"}
