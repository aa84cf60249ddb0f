"""What devices hold and send when they share each field, and whether they compute what one device does.

    python benchmarks/spatial.py memory    # compiled only: memory of a device, and what it sends, by layout
    python benchmarks/spatial.py equal     # small networks, run: how far loss and gradient are from one device's

Devices are eight virtual ones of this CPU. Programs are the loss of a one-step forecast and its gradient.
"""

import math
import sys
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from weatherml.grid import LatLonGrid
from weatherml.models import FourCastNetConfig, NetworkConfig, PanguConfig, SFNOConfig
from weatherml.models.weights import split_weights, weights_of
from weatherml.parallel import Layout, MeshConfig, require_bands
from weatherml.parallel.programs.compiled import collectives_of, memory_of
from weatherml.state import StateSpec, parse_channels

CHANNELS = [f"{name}{level}" for name in "ztuv" for level in (250, 500, 700, 850)] + ["msl", "2t", "10u", "10v"]

MODERATE: dict[str, tuple[NetworkConfig, LatLonGrid]] = {
    "fourcastnet": (FourCastNetConfig(patch=4, width=384, depth=4), LatLonGrid.regular(192, 384, poles=False)),
    "pangu": (
        PanguConfig(width=96, depths=(2, 2, 2, 2), heads=(3, 6, 6, 3)),
        LatLonGrid.regular(192, 384, poles=False),
    ),
    "sfno": (SFNOConfig(width=192, depth=4), LatLonGrid.gaussian(192, 384)),
}

SMALL: dict[str, tuple[NetworkConfig, LatLonGrid]] = {
    "fourcastnet": (FourCastNetConfig(patch=2, width=24, depth=2, n_blocks=4), LatLonGrid.regular(16, 32, poles=False)),
    "pangu": (
        PanguConfig(patch=(2, 1, 1), width=16, depths=(2, 2, 1, 1), heads=(2, 2, 4, 1), window=(2, 2, 2)),
        LatLonGrid.regular(16, 16, poles=False),
    ),
    "sfno": (SFNOConfig(scale_factor=2, width=22, depth=2, diffusion_order=2), LatLonGrid.gaussian(16, 32)),
}

LAYOUTS = {"memory": [(1, 1), (2, 1), (1, 2), (2, 2), (4, 1), (2, 4)], "equal": [(2, 1), (1, 2), (4, 1), (2, 4)]}

MIB = 2**20


def main() -> None:
    jax.config.update("jax_num_cpu_devices", 8)
    what = sys.argv[1]
    table = {"memory": memory, "equal": equality}[what]
    for row in table(LAYOUTS[what]):
        print("|", " | ".join(row), "|", flush=True)


def memory(layouts: list[tuple[int, int]]) -> Iterator[list[str]]:
    """Yield what a device holds beside arguments, and what it sends in a step, by kind of exchange."""
    kinds = ["all-to-all", "collective-permute", "all-reduce", "all-gather"]
    yield [
        "network",
        "spatial",
        "MiB of a device",
        "of one device alone",
        "x devices",
        *[f"{kind}, MiB" for kind in kinds],
    ]
    yield ["---"] * 9
    for name, (config, grid) in MODERATE.items():
        alone = 0
        for spatial in layouts:
            program = compiled(config, grid, spatial)
            held = memory_of(program).temporary
            alone = alone or held
            moved = collectives_of(program.as_text())
            sent = [sum(one.sent_bytes for one in moved if one.kind == kind) / MIB for kind in kinds]
            share = [f"{held / MIB:.0f}", f"{held / alone:.3f}", f"{held / alone * math.prod(spatial):.2f}"]
            yield [name, written(spatial), *share, *[f"{size:.1f}" for size in sent]]


def equality(layouts: list[tuple[int, int]]) -> Iterator[list[str]]:
    """Yield how far loss and gradient are from those of one device, and which exchanges there are."""
    yield ["network", "spatial", "loss, relative", "gradient, of the largest of a weight", "exchanges"]
    yield ["---"] * 5
    for name, (config, grid) in SMALL.items():
        loss, gradient = jax.device_get(compiled(config, grid, (1, 1))(*arguments(config, grid)))
        for spatial in layouts:
            program = compiled(config, grid, spatial)
            given = placed(arguments(config, grid), layout_of(config, grid, spatial))
            own, ours = jax.device_get(program(*given))
            worst = max(relative_error(ours[name], gradient[name]) for name in gradient)
            kinds = sorted({one.kind for one in collectives_of(program.as_text())})
            yield [name, written(spatial), f"{abs(own - loss) / loss:.1e}", f"{worst:.1e}", ", ".join(kinds)]


def relative_error(ours: Any, reference: Any) -> float:
    """Return the largest difference over the largest value."""
    return float(np.abs(ours - reference).max() / np.abs(reference).max())


def compiled(config: NetworkConfig, grid: LatLonGrid, spatial: tuple[int, int]) -> Any:
    """Return the program of a layout."""
    layout = layout_of(config, grid, spatial)
    network = abstract(config, grid)
    rebuild, constants = split_weights(network)

    def loss(weights: Any, x: Any, truth: Any) -> Any:
        return jnp.square(rebuild(weights, constants)(x) - truth).mean()

    outlines = jax.eval_shape(lambda: arguments(config, grid, zeros=True))
    with layout.naming():
        return jax.jit(jax.value_and_grad(loss)).lower(*placed(outlines, layout)).compile()


def layout_of(config: NetworkConfig, grid: LatLonGrid, spatial: tuple[int, int]) -> Layout:
    """Return the layout of as many devices as share a field."""
    layout = Layout(MeshConfig(spatial=spatial).build(jax.devices()[: math.prod(spatial)]))
    require_bands(grid.shape, *config.uncut(grid.shape), layout.mesh)
    return layout


def placed(arrays: Any, layout: Layout) -> Any:
    """Put weights everywhere and cut fields, or say of outlines where they would lie."""
    fields = layout.activation("batch", None, "lat", "lon")
    where = ({name: layout.replicated for name in arrays[0]}, fields, fields)

    def put(array: Any, sharding: Any) -> Any:
        if isinstance(array, jax.ShapeDtypeStruct):
            return jax.ShapeDtypeStruct(array.shape, array.dtype, sharding=sharding)
        return jax.device_put(array, sharding)

    return jax.tree.map(put, arrays, where)


def arguments(config: NetworkConfig, grid: LatLonGrid, zeros: bool = False) -> tuple[dict[str, Any], Any, Any]:
    """Return weights, an input and a truth."""
    rng, channels = np.random.default_rng(0), channels_of(grid)

    def draw(shape: tuple[int, ...], scale: float) -> Any:
        return jnp.zeros(shape) if zeros else jnp.asarray(rng.normal(0, scale, shape), jnp.float32)

    weights = {name: draw(array.shape, 0.2) for name, array in weights_of(abstract(config, grid)).items()}
    return weights, draw((1, len(channels) + 1, *grid.shape), 1), draw((1, len(channels), *grid.shape), 1)


def abstract(config: NetworkConfig, grid: LatLonGrid) -> Any:
    """Return a network without weights."""
    spec = StateSpec(parse_channels(channels_of(grid)), grid)
    return nnx.eval_shape(lambda: config.build(spec, 1, nnx.Rngs(0)))


def channels_of(grid: LatLonGrid) -> list[str]:
    """Return fewer channels for a small grid."""
    return CHANNELS if grid.n_lat > 100 else ["z500", "z850", "t500", "t850", "msl"]


def written(spatial: tuple[int, int]) -> str:
    """Return bands of latitude and longitude."""
    return f"{spatial[0]} x {spatial[1]}"


if __name__ == "__main__":
    main()
