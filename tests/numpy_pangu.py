"""Pangu-Weather from its specification: float64 numpy, one window and one patch at a time."""

from dataclasses import dataclass

import numpy as np
from scipy.special import erf


@dataclass(frozen=True)
class NumpyPangu:
    """The network for one sample; `weights` in the layouts of the published state dict."""

    weights: dict
    patch: tuple
    window: tuple
    depths: tuple
    heads: tuple

    def __call__(self, upper, surface):
        """Take `[variable, level, lat, lon]` and `[variable, lat, lon]`, return the same two."""
        tokens = self.embed(upper, surface)
        skip = self.layer(0, tokens)
        x = self.layer(2, self.layer(1, self.down(skip)))
        x = self.layer(3, self.up(x, skip.shape))
        return self.recover(np.concatenate([skip, x], axis=-1), upper.shape)

    def get(self, name):
        return self.weights[name].astype(float)

    def linear(self, name, x):
        weight = self.get(f"{name}.weight")
        bias = self.get(f"{name}.bias") if f"{name}.bias" in self.weights else 0
        return x @ weight.reshape(len(weight), -1).T + bias

    def norm(self, name, x):
        x = x - x.mean(-1, keepdims=True)
        return x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-5) * self.get(f"{name}.weight") + self.get(
            f"{name}.bias"
        )

    def embed(self, upper, surface):
        level, lat, lon = self.patch
        surface = fill_up(surface, (1, lat, lon))
        if "constant_maps" in self.weights:
            surface = np.concatenate([surface, self.get("constant_maps")[0]])
        if "const_h" in self.weights:
            upper = np.concatenate([upper, self.get("const_h").reshape(1, *upper.shape[1:])])
        upper = fill_up(upper, (1, *self.patch))
        counts = np.array(upper.shape[1:]) // self.patch
        tokens = np.empty((counts[0] + 1, *counts[1:], len(self.get("backbone._input_layer.conv.bias"))))
        for k, i, j in np.ndindex(*tokens.shape[:3]):
            rows, columns = slice(i * lat, (i + 1) * lat), slice(j * lon, (j + 1) * lon)
            if k == 0:
                points = surface[:, rows, columns].ravel()
                tokens[k, i, j] = self.linear("backbone._input_layer.conv_surface", points)
            else:
                points = upper[:, (k - 1) * level : k * level, rows, columns].ravel()
                tokens[k, i, j] = self.linear("backbone._input_layer.conv", points)
        return tokens

    def recover(self, tokens, shape):
        level, lat, lon = self.patch
        n_surface = len(self.get("_output_layer.conv_surface.bias")) // (lat * lon)
        upper = np.empty((shape[0], *(np.array(tokens.shape[:3]) - (1, 0, 0)) * self.patch))
        surface = np.empty((n_surface, tokens.shape[1] * lat, tokens.shape[2] * lon))
        for k, i, j in np.ndindex(*tokens.shape[:3]):
            rows, columns = slice(i * lat, (i + 1) * lat), slice(j * lon, (j + 1) * lon)
            if k == 0:
                points = self.linear("_output_layer.conv_surface", tokens[k, i, j])
                surface[:, rows, columns] = points.reshape(-1, lat, lon)
            else:
                points = self.linear("_output_layer.conv", tokens[k, i, j])
                upper[:, (k - 1) * level : k * level, rows, columns] = points.reshape(-1, *self.patch)
        _, n_level, n_lat, n_lon = shape
        return upper[:, :n_level, :n_lat, :n_lon], surface[:, :n_lat, :n_lon]

    def down(self, x):
        x = fill_up(x, (1, 2, 2, 1))
        four = [x[:, i::2, j::2] for i in (0, 1) for j in (0, 1)]
        x = self.norm("backbone.downsample.norm", np.concatenate(four, axis=-1))
        return self.linear("backbone.downsample.linear", x)

    def up(self, x, shape):
        four = np.split(self.linear("backbone.upsample.linear1", x), 4, axis=-1)
        fine = np.empty((x.shape[0], 2 * x.shape[1], 2 * x.shape[2], four[0].shape[-1]))
        for part, (i, j) in zip(four, np.ndindex(2, 2), strict=True):
            fine[:, i::2, j::2] = part
        fine = fine[:, : shape[1], : shape[2]]
        return self.linear("backbone.upsample.linear2", self.norm("backbone.upsample.norm", fine))

    def layer(self, index, x):
        for block in range(self.depths[index]):
            name = f"backbone.layers.EarthSpecificLayer{index}.blocks.EarthSpecificBlock{block}"
            shift = np.array(self.window) // 2 if block % 2 else np.zeros(3, int)
            x = x + self.norm(f"{name}.norm1", self.attention(f"{name}.attention", x, self.heads[index], shift))
            hidden = self.linear(f"{name}.linear.linear1", x)
            hidden = hidden * (1 + erf(hidden / np.sqrt(2))) / 2
            x = x + self.norm(f"{name}.norm2", self.linear(f"{name}.linear.linear2", hidden))
        return x

    def attention(self, name, x, heads, shift):
        padded = fill_up(x, (*self.window, 1))
        sizes = np.array(padded.shape[:3])
        counts = sizes // self.window
        mixed = np.empty_like(padded)
        inside = np.array(list(np.ndindex(*self.window)))
        for k, i, j in np.ndindex(*counts):
            seen = inside + np.array([k, i, j]) * self.window  # where the tokens are once the volume is rolled
            places = tuple(((seen + shift) % sizes).T)
            table = self.get(f"{name}.earth_specific_bias_table")[:, k * counts[1] + i]
            mask = self.mask(seen, sizes, shift)
            mixed[places] = self.mix(name, padded[places], self.bias(table, inside) + mask, heads)
        level, lat, lon, _ = x.shape
        return mixed[:level, :lat, :lon]

    def mix(self, name, x, bias, heads):
        query, key, value = np.split(self.linear(f"{name}.linear1", x), 3, axis=-1)
        mixed = []
        for head, (q, k, v) in enumerate(
            zip(*(np.split(part, heads, axis=-1) for part in (query, key, value)), strict=True)
        ):
            scores = np.exp(q @ k.T / np.sqrt(q.shape[-1]) + bias[head])
            mixed.append(scores @ v / scores.sum(-1, keepdims=True))
        return self.linear(f"{name}.linear2", np.concatenate(mixed, axis=-1))

    def bias(self, table, inside):
        """Bias `[head, query, key]` from a table `[index, head]`."""
        level, lat, lon = self.window
        (z, h, w), (z_key, h_key, w_key) = inside.T[:, :, None], inside.T[:, None, :]
        index = ((z + level * z_key) * lat**2 + h + lat * h_key) * (2 * lon - 1) + w - w_key + lon - 1
        return np.moveaxis(table[index], -1, 0)

    def mask(self, seen, sizes, shift):
        """What keeps apart tokens that only rolling made neighbours, in level and latitude but not in longitude."""
        regions = 0
        for axis in (0, 1):
            at_end = seen[:, axis] >= sizes[axis] - self.window[axis]
            came_round = seen[:, axis] >= sizes[axis] - shift[axis]
            regions = 3 * regions + at_end.astype(int) + came_round
        return np.where(regions[:, None] == regions, 0.0, -100.0)


def fill_up(x, multiples):
    """Append zeros to each axis up to a multiple."""
    return np.pad(x, [(0, -size % multiple) for size, multiple in zip(x.shape, multiples, strict=True)])
