"""Pangu-Weather in plain PyTorch, written from the published architecture, to compare with.

The bias is a parameter for each pair of tokens, as in the public ports: that spares PyTorch the expansion of a table.
"""

import torch
from torch import nn
from torch.nn import functional

WINDOW = (2, 6, 12)
PATCH = (2, 4, 4)


def pad(x, multiples):
    """Fill the axes after the first up with zeros at their far end to multiples."""
    sizes = [(-size) % multiple for size, multiple in zip(x.shape[1:], multiples, strict=True)]
    return functional.pad(x, [amount for size in reversed(sizes) for amount in (0, size)])


class Attention(nn.Module):
    def __init__(self, width, heads, types):
        super().__init__()
        self.heads = heads
        self.linear1, self.linear2 = nn.Linear(width, 3 * width), nn.Linear(width, width)
        size = WINDOW[0] * WINDOW[1] * WINDOW[2]
        self.earth_specific_bias = nn.Parameter(torch.empty(1, types, heads, size, size))

    def forward(self, x, mask):
        qkv = self.linear1(x).view(*x.shape[:4], 3, self.heads, -1).permute(4, 0, 1, 2, 5, 3, 6)
        query, key, value = qkv[0] * (x.shape[-1] // self.heads) ** -0.5, qkv[1], qkv[2]
        scores = query @ key.transpose(-2, -1) + self.earth_specific_bias
        if mask is not None:
            scores = scores + mask
        mixed = (scores.softmax(-1) @ value).permute(0, 1, 2, 4, 3, 5).reshape(x.shape)
        return self.linear2(mixed)


class Mlp(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.linear1, self.linear2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        return self.linear2(functional.gelu(self.linear1(x)))


class Block(nn.Module):
    def __init__(self, width, heads, volume, shifted):
        super().__init__()
        self.volume, self.shifted = volume, shifted
        self.padded = [-(-size // step) * step for size, step in zip(volume, WINDOW, strict=True)]
        self.counts = [size // step for size, step in zip(self.padded, WINDOW, strict=True)]
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.linear = Mlp(width)
        self.attention = Attention(width, heads, self.counts[0] * self.counts[1])
        self.register_buffer("mask", self.build_mask() if shifted else None, persistent=False)

    def build_mask(self):
        region = torch.zeros(1, *self.padded, 1)
        for axis in (0, 1):
            for start in (self.padded[axis] - WINDOW[axis], self.padded[axis] - WINDOW[axis] // 2):
                region.narrow(axis + 1, start, self.padded[axis] - start).add_(3 ** (1 - axis))
        region = self.partition(region)[:, :1, :, :, 0]
        return torch.where(region[..., None] == region[..., None, :], 0.0, -100.0)[:, :, :, None]

    def partition(self, x):
        pieces = [size for pair in zip(self.counts, WINDOW, strict=True) for size in pair]
        x = x.view(len(x), *pieces, -1).permute(0, 5, 1, 3, 2, 4, 6, 7)
        return x.reshape(len(x), self.counts[2], self.counts[0] * self.counts[1], -1, x.shape[-1])

    def merge(self, windows):
        level, lat, lon = self.counts
        x = windows.view(len(windows), lon, level, lat, *WINDOW, -1).permute(0, 2, 4, 3, 5, 1, 6, 7)
        return x.reshape(len(x), *self.padded, -1)

    def forward(self, x):
        batch, tokens, width = x.shape
        mixed = pad(x.view(batch, *self.volume, width), (*WINDOW, 1))
        if self.shifted:
            mixed = torch.roll(mixed, [-(step // 2) for step in WINDOW], (1, 2, 3))
        mixed = self.merge(self.attention(self.partition(mixed), self.mask))
        if self.shifted:
            mixed = torch.roll(mixed, [step // 2 for step in WINDOW], (1, 2, 3))
        level, lat, lon = self.volume
        mixed = mixed[:, :level, :lat, :lon].reshape(batch, tokens, width)
        x = x + self.norm1(mixed)
        return x + self.norm2(self.linear(x))


class Layer(nn.Module):
    def __init__(self, depth, width, heads, volume):
        super().__init__()
        blocks = {f"EarthSpecificBlock{i}": Block(width, heads, volume, i % 2 == 1) for i in range(depth)}
        self.blocks = nn.ModuleDict(blocks)

    def forward(self, x):
        for block in self.blocks.values():
            x = block(x)
        return x


class DownSample(nn.Module):
    def __init__(self, width, volume):
        super().__init__()
        self.volume = volume
        self.linear, self.norm = nn.Linear(4 * width, 2 * width, bias=False), nn.LayerNorm(4 * width)

    def forward(self, x):
        x = pad(x.view(len(x), *self.volume, -1), (1, 2, 2, 1))
        batch, level, lat, lon, width = x.shape
        x = x.view(batch, level, lat // 2, 2, lon // 2, 2, width).permute(0, 1, 2, 4, 3, 5, 6)
        return self.linear(self.norm(x.reshape(batch, -1, 4 * width)))


class UpSample(nn.Module):
    def __init__(self, width, coarse, fine):
        super().__init__()
        self.coarse, self.fine = coarse, fine
        self.linear1, self.linear2 = nn.Linear(2 * width, 4 * width, bias=False), nn.Linear(width, width, bias=False)
        self.norm = nn.LayerNorm(width)

    def forward(self, x):
        level, lat, lon = self.coarse
        x = self.linear1(x).view(len(x), level, lat, lon, 2, 2, -1).permute(0, 1, 2, 4, 3, 5, 6)
        x = x.reshape(len(x), level, 2 * lat, 2 * lon, -1)[:, :, : self.fine[1], : self.fine[2]]
        return self.linear2(self.norm(x.reshape(len(x), -1, x.shape[-1])))


class PatchEmbedding(nn.Module):
    def __init__(self, case):
        super().__init__()
        self.conv = nn.Conv3d(6, case.width, PATCH, PATCH)
        self.conv_surface = nn.Conv2d(7, case.width, PATCH[1:], PATCH[1:])

    def forward(self, upper, surface, height, maps):
        upper = torch.cat([upper, height.expand(len(upper), -1, -1, -1, -1)], 1)
        upper = self.conv(pad(upper, (1, *PATCH)))
        surface = torch.cat([pad(surface, (1, *PATCH[1:])), maps.expand(len(surface), -1, -1, -1)], 1)
        tokens = torch.cat([self.conv_surface(surface)[:, :, None], upper], 2)
        return tokens.flatten(2).transpose(1, 2)


class PatchRecovery(nn.Module):
    def __init__(self, case):
        super().__init__()
        self.case = case
        self.conv, self.conv_surface = nn.Conv1d(2 * case.width, 160, 1), nn.Conv1d(2 * case.width, 64, 1)

    def forward(self, x):
        level, lat, lon = self.case.volume
        x = x.transpose(1, 2)
        surface = self.conv_surface(x[:, :, : lat * lon]).view(-1, 4, *PATCH[1:], lat, lon)
        surface = surface.permute(0, 1, 4, 2, 5, 3).reshape(-1, 4, lat * PATCH[1], lon * PATCH[2])
        upper = self.conv(x[:, :, lat * lon :]).view(-1, 5, *PATCH, level - 1, lat, lon)
        upper = upper.permute(0, 1, 5, 2, 6, 3, 7, 4).reshape(-1, 5, 2 * (level - 1), lat * PATCH[1], lon * PATCH[2])
        rows, columns = self.case.shape
        return upper[:, :, :13, :rows, :columns], surface[:, :, :rows, :columns]


class Backbone(nn.Module):
    def __init__(self, case):
        super().__init__()
        self._input_layer = PatchEmbedding(case)
        self.downsample = DownSample(case.width, case.volume)
        self.upsample = UpSample(case.width, case.coarse, case.volume)
        sizes = zip(case.depths, case.widths, case.heads, case.volumes, strict=True)
        self.layers = nn.ModuleDict({f"EarthSpecificLayer{i}": Layer(*size) for i, size in enumerate(sizes)})


class Pangu(nn.Module):
    def __init__(self, case):
        super().__init__()
        self.case = case
        self.backbone = Backbone(case)
        self._output_layer = PatchRecovery(case)
        rows, columns = case.volume[1] * PATCH[1], case.volume[2] * PATCH[2]
        self.constant_maps = nn.Parameter(torch.empty(1, 3, rows, columns))
        self.const_h = nn.Parameter(torch.empty(1, 1, 13, *case.shape))

    def forward(self, x):
        first, second, third, fourth = self.backbone.layers.values()
        upper, surface = x[:, :65].view(len(x), 5, 13, *self.case.shape), x[:, 65:]
        skip = first(self.backbone._input_layer(upper, surface, self.const_h, self.constant_maps))
        tokens = third(second(self.backbone.downsample(skip)))
        tokens = fourth(self.backbone.upsample(tokens))
        upper, surface = self._output_layer(torch.cat([skip, tokens], -1))
        return torch.cat([upper.flatten(1, 2), surface], 1)


def expand_bias(table):
    """The bias between tokens `[1, type, head, query, key]` from a published table `[index, type, head]`."""
    level, lat, lon = torch.meshgrid(*map(torch.arange, WINDOW), indexing="ij")
    level, lat, lon = level.flatten(), lat.flatten(), lon.flatten()
    index = level[:, None] + WINDOW[0] * level
    index = index * WINDOW[1] ** 2 + lat[:, None] + WINDOW[1] * lat
    index = index * (2 * WINDOW[2] - 1) + lon[:, None] - lon + WINDOW[2] - 1
    return table[index].permute(2, 3, 0, 1)[None].contiguous()


def build(case):
    """Build the network with the weights of the case."""
    weights = {}
    for name, array in case.weights().items():
        tensor = torch.from_numpy(array)
        if name.endswith("_table"):
            name, tensor = name.removesuffix("_table"), expand_bias(tensor)
        weights[name] = tensor
    network = Pangu(case)
    network.load_state_dict(weights)
    return network
