"""Pangu-Weather against the same network in PyTorch, on the CPU, float32, all cores of this process.

    pip install -e '.[benchmark]' && python benchmarks/pangu_vs_torch.py > benchmarks/pangu_vs_torch.md

The two sides take turns, call by call, so that other work on the machine meets both alike, and the least time of each
counts. Compilation is not timed. Both have the same weights and must give the same output. Where others use the
machine, `taskset -c 0 python ... --clock process_time` compares CPU time on one core.

Step memory is the peak of the calls above what the process holds between them (with a kept heap, that is most of it);
process memory is the whole peak, with libraries, weights and what the compiler leaves.
"""

from dataclasses import dataclass

import numpy as np
import versus

LEVELS = (1000, 925, 850, 700, 600, 500, 400, 300, 250, 200, 150, 100, 50)
UPPER = ("geopotential", "specific_humidity", "temperature", "u_component_of_wind", "v_component_of_wind")
SURFACE = ("msl", "u10m", "v10m", "t2m")


@dataclass(frozen=True)
class Case:
    name: str
    shape: tuple[int, int]
    width: int
    depths: tuple[int, ...] = (2, 6, 6, 2)
    heads: tuple[int, ...] = (6, 12, 12, 6)
    tolerance: float = 1e-4

    @property
    def volume(self):
        return 8, -(-self.shape[0] // 4), self.shape[1] // 4

    @property
    def coarse(self):
        return 8, -(-self.volume[1] // 2), self.volume[2] // 2

    @property
    def volumes(self):
        return self.volume, self.coarse, self.coarse, self.volume

    @property
    def widths(self):
        return self.width, 2 * self.width, 2 * self.width, self.width

    def block_shapes(self, layer):
        width, (level, lat, _) = self.widths[layer], self.volumes[layer]
        return {
            **{f"norm{n}.{kind}": (width,) for n in (1, 2) for kind in ("weight", "bias")},
            "linear.linear1.weight": (4 * width, width),
            "linear.linear1.bias": (4 * width,),
            "linear.linear2.weight": (width, 4 * width),
            "linear.linear2.bias": (width,),
            "attention.linear1.weight": (3 * width, width),
            "attention.linear1.bias": (3 * width,),
            "attention.linear2.weight": (width, width),
            "attention.linear2.bias": (width,),
            "attention.earth_specific_bias_table": (3312, -(-level // 2) * -(-lat // 6), self.heads[layer]),
        }

    def weights(self):
        """Random weights by their published names."""
        rng = np.random.default_rng(0)
        width, (_, lat, lon) = self.width, self.volume
        shapes = {
            "constant_maps": (1, 3, 4 * lat, 4 * lon),
            "const_h": (1, 1, 13, *self.shape),
            "backbone._input_layer.conv.weight": (width, 6, 2, 4, 4),
            "backbone._input_layer.conv.bias": (width,),
            "backbone._input_layer.conv_surface.weight": (width, 7, 4, 4),
            "backbone._input_layer.conv_surface.bias": (width,),
            "backbone.downsample.linear.weight": (2 * width, 4 * width),
            "backbone.downsample.norm.weight": (4 * width,),
            "backbone.downsample.norm.bias": (4 * width,),
            "backbone.upsample.linear1.weight": (4 * width, 2 * width),
            "backbone.upsample.linear2.weight": (width, width),
            "backbone.upsample.norm.weight": (width,),
            "backbone.upsample.norm.bias": (width,),
            "_output_layer.conv.weight": (160, 2 * width, 1),
            "_output_layer.conv.bias": (160,),
            "_output_layer.conv_surface.weight": (64, 2 * width, 1),
            "_output_layer.conv_surface.bias": (64,),
        }
        for layer, depth in enumerate(self.depths):
            for block in range(depth):
                prefix = f"backbone.layers.EarthSpecificLayer{layer}.blocks.EarthSpecificBlock{block}."
                shapes |= {prefix + name: shape for name, shape in self.block_shapes(layer).items()}
        return {name: rng.normal(scale=0.05, size=shape).astype(np.float32) for name, shape in shapes.items()}

    def fields(self):
        rng = np.random.default_rng(1)
        return tuple(rng.normal(size=(1, 69, *self.shape)).astype(np.float32) for _ in range(2))


CASES = (
    Case("49 x 192, width 96", (49, 192), 96),
    Case("97 x 192, width 192", (97, 192), 192),
)


def weatherml_operations(case):
    from flax import nnx

    from weatherml.grid import LatLonGrid
    from weatherml.models import PanguConfig, load_published_pangu
    from weatherml.state import StateSpec, parse_channels

    channels = parse_channels([f"{name}_{level}" for name in UPPER for level in LEVELS] + [*SURFACE])
    spec = StateSpec(channels, LatLonGrid.regular(*case.shape))
    config = PanguConfig(width=case.width, depths=case.depths, heads=case.heads)
    network = nnx.eval_shape(lambda: config.build(spec, 0, nnx.Rngs(0)))
    load_published_pangu(network, case.weights())
    return versus.jax_operations(network, *case.fields())


def torch_operations(case):
    import torch_pangu

    return versus.torch_operations(torch_pangu.build(case), *case.fields())


if __name__ == "__main__":
    versus.print_table(__doc__, "Pangu-Weather against PyTorch", CASES, (weatherml_operations, torch_operations))
