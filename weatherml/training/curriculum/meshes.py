"""How devices share the work of each stage, and whether they can."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from jax.sharding import Mesh

from weatherml.errors import UserError
from weatherml.models import DiagnosticConfig, NetworkConfig
from weatherml.parallel import Layout, MeshConfig, require_bands, require_batch, require_members


class Share(NamedTuple):
    """What devices share in a stage.

    Attributes:
        mesh: How.
        stage: Its name, where the mesh is its own; by which a mistake is named.
        batch_size: Samples of an optimiser step.
        n_validated: Samples of a batch of validations, which are made on the same mesh.
        accumulate: Parts of a batch that are computed one after another.
        members: That the loss judges together.
    """

    mesh: MeshConfig
    stage: str
    batch_size: int
    n_validated: int
    accumulate: int
    members: int

    @property
    def at_once(self) -> tuple[int, int]:
        """Samples that are computed at once, over all devices: of a step, and of a validation."""
        return self.batch_size // self.accumulate, self.n_validated // self.accumulate

    def lay_out(
        self, network: NetworkConfig | DiagnosticConfig, grid: tuple[int, int], n_devices: int | None = None
    ) -> Layout:
        """Return where what is trained lies on devices, on those that are here when no number is given.

        Raises:
            UserError: The mesh does not divide devices, batches, members, the grid, or what the network cannot cut.
        """
        with self._naming():
            layout = Layout.of(self.mesh, network.name, n_devices)
            self._require_samples(layout)
            require_bands(grid, *network.uncut(grid), layout.mesh)
        return layout

    def require_split(self, layout: Layout, weights: Mapping[str, Any]) -> None:
        """Require that `tensor` splits some of the weights.

        Raises:
            UserError: It divides nothing that rules would split.
        """
        with self._naming():
            layout.require_split(weights)

    @contextmanager
    def _naming(self) -> Iterator[None]:
        """Name the stage where a mistake is made about a mesh of its own."""
        try:
            yield
        except UserError as error:
            raise error.within(f"{self.stage}: " if self.stage else "") from None

    def _require_samples(self, layout: Layout) -> None:
        if isinstance(layout.mesh, Mesh):
            layout.portion  # noqa: B018  # refuses what gives a process no whole part
        require_batch(self.batch_size, layout.mesh, self.accumulate)
        require_members(self.members, layout.mesh)
        try:
            require_batch(self.n_validated, layout.mesh, self.accumulate)
        except UserError as error:
            raise error.within("validations: ") from None
