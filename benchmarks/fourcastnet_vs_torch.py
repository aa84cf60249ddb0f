"""FourCastNet against the same network in PyTorch, on the CPU, float32, all cores of this process.

    pip install -e '.[benchmark]' && python benchmarks/fourcastnet_vs_torch.py > benchmarks/fourcastnet_vs_torch.md

Each side runs in a process of its own; the two take turns, call by call, so that other work on the machine meets
both alike, and the least time of each counts. Compilation is not timed. Both have the same weights and must give the
same output. Where others use the machine, PyTorch's threads wait long for each other:
`taskset -c 0 python ... --clock process_time` then compares CPU time on one core.

Step memory is the peak of the calls above what the process holds between them (with a kept heap, that is most of it);
process memory is the whole peak, with libraries, weights and what the compiler leaves.
"""

import math
from dataclasses import dataclass

import numpy as np
import versus


@dataclass(frozen=True)
class Case:
    name: str
    shape: tuple[int, int]
    patch: tuple[int, int]
    channels: int
    width: int
    depth: int
    batch: int
    n_blocks: int = 8
    mlp_ratio: int = 4
    tolerance: float = 1e-5

    @property
    def tokens(self):
        return self.shape[0] // self.patch[0], self.shape[1] // self.patch[1]

    def weights(self):
        """Random weights by their published names."""
        rng = np.random.default_rng(0)
        width, hidden, size = self.width, self.mlp_ratio * self.width, self.width // self.n_blocks
        shapes = {
            "pos_embed": (1, self.tokens[0] * self.tokens[1], width),
            "patch_embed.proj.weight": (width, self.channels, *self.patch),
            "patch_embed.proj.bias": (width,),
            "head.weight": (math.prod(self.patch) * self.channels, width),
        }
        for i in range(self.depth):
            block = {
                **{f"norm{n}.{kind}": (width,) for n in (1, 2) for kind in ("weight", "bias")},
                **{f"filter.w{n}": (2, self.n_blocks, size, size) for n in (1, 2)},
                **{f"filter.b{n}": (2, self.n_blocks, size) for n in (1, 2)},
                "mlp.fc1.weight": (hidden, width),
                "mlp.fc1.bias": (hidden,),
                "mlp.fc2.weight": (width, hidden),
                "mlp.fc2.bias": (width,),
            }
            shapes |= {f"blocks.{i}.{name}": shape for name, shape in block.items()}
        return {name: rng.normal(scale=0.05, size=shape).astype(np.float32) for name, shape in shapes.items()}

    def fields(self):
        rng = np.random.default_rng(1)
        shape = (self.batch, self.channels, *self.shape)
        return tuple(rng.normal(size=shape).astype(np.float32) for _ in range(2))


CASES = (
    Case("180 x 360, patch 4, width 256, batch 1", (180, 360), (4, 4), 20, 256, 4, 1),
    Case("32 x 64, patch 4, width 128, batch 32", (32, 64), (4, 4), 17, 128, 4, 32),
    Case("32 x 64, patch 2, width 128, batch 32", (32, 64), (2, 2), 17, 128, 4, 32),
)


def weatherml_operations(case):
    from flax import nnx

    from weatherml.models import FourCastNet, FourCastNetConfig, load_published

    def build():
        names = ("patch", "width", "depth", "n_blocks", "mlp_ratio")
        sizes = {name: getattr(case, name) for name in names}
        return FourCastNet(FourCastNetConfig(**sizes), case.channels, case.channels, case.shape, rngs=nnx.Rngs(0))

    network = nnx.eval_shape(build)
    load_published(network, case.weights())
    return versus.jax_operations(network, *case.fields())


def torch_operations(case):
    import torch_fourcastnet

    return versus.torch_operations(torch_fourcastnet.build(case), *case.fields())


if __name__ == "__main__":
    versus.print_table(__doc__, "FourCastNet against PyTorch", CASES, (weatherml_operations, torch_operations))
