"""FourCastNet files at a size that takes milliseconds, in the published layout."""

import numpy as np

from weatherml.models import FourCastNetConfig

CHANNELS = ("t2m", "z500", "msl", "t850", "u850", "sp")
TINY = FourCastNetConfig(patch=2, width=12, depth=1, n_blocks=3, mlp_ratio=2.0)


def state_dict(config, n_in, n_out, shape, seed=0):
    """Draw weights in the published layout."""
    rng = np.random.default_rng(seed)
    rows, columns = config.patch_shape
    width, size = config.width, config.width // config.n_blocks
    hidden, factor = int(width * config.mlp_ratio), config.hidden_size_factor
    shapes = {
        "pos_embed": (1, shape[0] // rows * (shape[1] // columns), width),
        "patch_embed.proj.weight": (width, n_in, rows, columns),
        "patch_embed.proj.bias": (width,),
        "norm.weight": (width,),
        "norm.bias": (width,),
        "head.weight": (n_out * rows * columns, width),
    }
    block = {
        "norm1.weight": (width,),
        "norm1.bias": (width,),
        "filter.w1": (2, config.n_blocks, size, size * factor),
        "filter.b1": (2, config.n_blocks, size * factor),
        "filter.w2": (2, config.n_blocks, size * factor, size),
        "filter.b2": (2, config.n_blocks, size),
        "norm2.weight": (width,),
        "norm2.bias": (width,),
        "mlp.fc1.weight": (hidden, width),
        "mlp.fc1.bias": (hidden,),
        "mlp.fc2.weight": (width, hidden),
        "mlp.fc2.bias": (width,),
    }
    for index in range(config.depth):
        shapes |= {f"blocks.{index}.{name}": size for name, size in block.items()}
    return {name: rng.normal(0, 0.3, size).astype(np.float32) for name, size in shapes.items()}


def write_moments(folder, n_channels, seed=1):
    """Write means and deviations of some channels, and return the options that name them."""
    rng = np.random.default_rng(seed)
    means, stds = rng.normal(280, 9, n_channels), rng.uniform(3, 9, n_channels)
    for name, values in (("means", means), ("stds", stds)):
        np.save(folder / f"{name}.npy", values.astype(np.float32).reshape(1, -1, 1, 1))
    return folder / "means.npy", folder / "stds.npy"
