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
    counts = {axis: {**own, **of_axis} for axis, own, of_axis in zip((LAT, LON), (lat, lon), of_grid, strict=True)}
    for axis, own in counts.items():
        for what, count in own.items():
            if count % mesh.shape[axis]:
                raise UserError(
                    f"spatial {mesh.shape[LAT]} x {mesh.shape[LON]} of the mesh: {mesh.shape[axis]} bands of"
                    f" {_NAMES[axis]} do not divide {what} ({count}); {_what_would(axis, counts)}"
                )


def _what_would(axis: str, counts: Mapping[str, Counts]) -> str:
    """Return which bands would do; those of longitude, where none of latitude do."""
    fitting = {name: divisors(gcd(*own.values())) for name, own in counts.items()}
    if axis == LAT and fitting[LAT] == [1] and fitting[LON] != [1]:
        return f"cut along longitude, with spatial {one_of([f'[1, {n}]' for n in fitting[LON][1:]])}, or choose 1"
    return f"choose {one_of(fitting[axis])}"


_NAMES = {LAT: "latitude", LON: "longitude"}
