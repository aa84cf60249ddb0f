"""The mesh that devices form: how many of them share what."""

from collections.abc import Sequence
from math import prod
from typing import Any

import jax
from jax.sharding import AbstractMesh, AxisType, Mesh
from pydantic import PositiveInt, field_validator

from weatherml.config import Config
from weatherml.errors import UserError
from weatherml.errors.wording import counted, listed
from weatherml.parallel.hardware.devices import require_devices

DATA, FSDP, MEMBER, LAT, LON, TENSOR = AXES = ("data", "fsdp", "member", "lat", "lon", "tensor")
"""The axes of every mesh, the outermost first: devices of the last are neighbours."""


class MeshConfig(Config):
    """How devices share the work; the product of all is their number.

    Attributes:
        data: Parts of a batch, each with weights of its own; all devices that are left when None.
        fsdp: Parts of a batch, whose devices keep one copy of weights, optimiser state and average between them.
        spatial: Bands of latitude that fields are cut into, or [bands of latitude, bands of longitude].
        tensor: Parts of a network: of attention heads, hidden widths of MLPs, and blocks of spectral weights.
        member: Parts of the members of a sample, for losses that judge several together.
    """

    data: PositiveInt | None = None
    fsdp: PositiveInt = 1
    spatial: PositiveInt | tuple[PositiveInt, PositiveInt] = 1
    tensor: PositiveInt = 1
    member: PositiveInt = 1

    @field_validator("spatial", mode="before")
    @classmethod
    def _are_bands(cls, value: Any) -> Any:
        pair = value if isinstance(value, list | tuple) else (value, 1)
        if len(pair) != len((LAT, LON)) or not all(isinstance(size, int) and size > 0 for size in pair):
            raise ValueError(f"give bands of latitude, or [bands of latitude, bands of longitude], got {value!r}")
        return tuple(value) if isinstance(value, list) else value

    @property
    def bands(self) -> tuple[int, int]:
        """Bands of latitude, and of longitude."""
        return self.spatial if isinstance(self.spatial, tuple) else (self.spatial, 1)

    @property
    def n_without_data(self) -> int:
        """Devices for each part of `data`."""
        return self.fsdp * self.member * prod(self.bands) * self.tensor

    def shape(self, n_devices: int) -> tuple[int, ...]:
        """Return the size of each of `AXES`.

        Raises:
            UserError: They do not come to so many devices.
        """
        rest = self.n_without_data
        if n_devices % rest:
            raise UserError(
                f"mesh {self} takes a multiple of {rest} devices, got {n_devices};"
                f" choose sizes whose product is {one_of(divisors(n_devices))}"
            )
        data = n_devices // rest
        if self.data not in (None, data):
            raise UserError(
                f"mesh {self} takes {counted((self.data or 1) * rest, 'device')}, got {n_devices};"
                f" leave data out, which is then {data}"
            )
        return (data, self.fsdp, self.member, *self.bands, self.tensor)

    def suits(self, n_devices: int, batch_size: int) -> bool:
        """Return whether so many devices form this mesh, and a batch can be spread over them."""
        data, rest = divmod(n_devices, self.n_without_data)
        return not rest and self.data in (None, data) and batch_size % (data * self.fsdp) == 0

    def build(self, devices: Sequence[jax.Device] | None = None) -> Mesh:
        """Return the mesh of these devices, or of all there are.

        Raises:
            UserError: There is no device, or the sizes do not come to so many.
        """
        require_devices()
        devices = jax.devices() if devices is None else devices
        return jax.make_mesh(self.shape(len(devices)), AXES, (AxisType.Auto,) * len(AXES), devices=devices)

    def outline(self, n_devices: int) -> AbstractMesh:
        """Return the mesh of so many devices, which need not be here.

        Raises:
            UserError: The sizes do not come to so many.
        """
        return AbstractMesh(self.shape(n_devices), AXES)

    def __str__(self) -> str:
        """Return what differs from data parallelism over all devices, as it is written in files."""
        said = {name: size for name, size in self if size not in (None, 1) or (name == "data" and size)}
        return "{" + ", ".join(f"{name}: {_written(size)}" for name, size in said.items()) + "}"


def require_batch(batch_size: int, mesh: Mesh | AbstractMesh, accumulate: int = 1) -> None:
    """Require that every device gets the same number of samples.

    Args:
        batch_size: Samples in an optimiser step.
        mesh: Of the devices.
        accumulate: Parts of a batch that are computed one after another, which it is a multiple of.

    Raises:
        UserError: What is computed at once is not a multiple of the number of parts that batches are cut into.
    """
    parts = mesh.shape[DATA] * mesh.shape[FSDP]
    if accumulate > 1 and batch_size // accumulate % parts:
        step = parts * accumulate
        fitting = [size for size in (batch_size // step * step, -(-batch_size // step) * step) if size]
        fewer = [n for n in divisors(batch_size) if n < accumulate and batch_size // n % parts == 0]
        other = f"set device_memory.accumulate to {one_of(fewer)}, or " if fewer else ""
        raise UserError(
            f"device_memory.accumulate {accumulate} leaves {batch_size // accumulate} of batch_size {batch_size} to"
            f" compute at once, no multiple of the {parts} parts that devices take;"
            f" {other}take batch_size {one_of(fitting)}"
        )
    if batch_size % parts:
        kind = "devices" if parts == mesh.size else "parts of a batch, data x fsdp of the mesh"
        below, above = batch_size // parts * parts, -(-batch_size // parts) * parts
        raise UserError(
            f"batch_size must be a multiple of the number of {kind} ({parts}), got {batch_size};"
            f" take {one_of([size for size in (below, above) if size])}"
        )


def require_members(members: int, mesh: Mesh | AbstractMesh) -> None:
    """Require that every device gets the same number of the members of a sample.

    Raises:
        UserError: It does not.
    """
    if members % mesh.shape[MEMBER]:
        raise UserError(
            f"member {mesh.shape[MEMBER]} of the mesh does not divide the {members} members that the loss judges;"
            f" set member to {one_of(divisors(members))}"
        )


def divisors(number: int) -> list[int]:
    """Return what divides a number, rising."""
    return [n for n in range(1, number + 1) if number % n == 0]


def one_of(numbers: Sequence[object]) -> str:
    """Return numbers, or other words, as a choice."""
    *others, last = map(str, numbers)
    if len(others) >= 8:
        return f"one of {listed([*others, last])}"
    return f"{', '.join(others)} or {last}" if others else last


def _written(size: object) -> str:
    return str(list(size)) if isinstance(size, tuple) else str(size)
