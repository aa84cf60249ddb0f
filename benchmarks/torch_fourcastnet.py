"""FourCastNet in plain PyTorch, written from the published architecture, to compare with."""

import math

import torch
from torch import nn
from torch.nn import functional

THRESHOLD = 0.01


def complex_linear(real, imag, weight, bias):
    def product(x, w):
        return torch.einsum("...ni,nio->...no", x, w)

    return (
        product(real, weight[0]) - product(imag, weight[1]) + bias[0],
        product(imag, weight[0]) + product(real, weight[1]) + bias[1],
    )


class Filter(nn.Module):
    def __init__(self, width, n_blocks):
        super().__init__()
        size = width // n_blocks
        self.w1, self.w2 = (nn.Parameter(torch.empty(2, n_blocks, size, size)) for _ in range(2))
        self.b1, self.b2 = (nn.Parameter(torch.empty(2, n_blocks, size)) for _ in range(2))

    def forward(self, x):
        batch, rows, columns, _ = x.shape
        spectrum = torch.fft.rfft2(x, dim=(1, 2), norm="ortho")
        blocks = spectrum.reshape(batch, rows, columns // 2 + 1, self.b1.shape[1], -1)
        kept = rows // 2 + 1
        modes = blocks[:, :, :kept]
        real, imag = complex_linear(modes.real, modes.imag, self.w1, self.b1)
        real, imag = complex_linear(functional.relu(real), functional.relu(imag), self.w2, self.b2)
        mixed = torch.zeros(*blocks.shape, 2)
        mixed[:, :, :kept] = functional.softshrink(torch.stack([real, imag], -1), THRESHOLD)
        mixed = torch.view_as_complex(mixed).reshape(spectrum.shape)
        return x + torch.fft.irfft2(mixed, s=(rows, columns), dim=(1, 2), norm="ortho")


class Mlp(nn.Module):
    def __init__(self, width, hidden):
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, x):
        return self.fc2(functional.gelu(self.fc1(x)))


class Block(nn.Module):
    def __init__(self, width, hidden, n_blocks):
        super().__init__()
        self.norm1, self.norm2 = (nn.LayerNorm(width, eps=1e-6) for _ in range(2))
        self.filter, self.mlp = Filter(width, n_blocks), Mlp(width, hidden)

    def forward(self, x):
        x = x + self.filter(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class FourCastNet(nn.Module):
    def __init__(self, case):
        super().__init__()
        self.case = case
        projection = nn.Conv2d(case.channels, case.width, case.patch, case.patch)
        self.patch_embed = nn.ModuleDict({"proj": projection})
        self.pos_embed = nn.Parameter(torch.empty(1, case.tokens[0] * case.tokens[1], case.width))
        blocks = (Block(case.width, case.mlp_ratio * case.width, case.n_blocks) for _ in range(case.depth))
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(case.width, math.prod(case.patch) * case.channels, bias=False)

    def forward(self, x):
        grid, patch = self.case.tokens, self.case.patch
        tokens = self.patch_embed["proj"](x).flatten(2).transpose(1, 2) + self.pos_embed
        tokens = self.head(self.blocks(tokens.reshape(len(x), *grid, -1)))
        pieces = tokens.reshape(len(x), *grid, *patch, self.case.channels)
        return pieces.permute(0, 5, 1, 3, 2, 4).reshape(x.shape)


def build(case):
    """Build the network with the weights of the case."""
    network = FourCastNet(case)
    network.load_state_dict({name: torch.from_numpy(array) for name, array in case.weights().items()})
    return network
