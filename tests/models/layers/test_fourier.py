"""Transforms by matrix product against numpy's."""

import numpy as np
import pytest

from weatherml.models.layers.fourier import PartialFourier

SHAPES = [(6, 10), (7, 9), (9, 4), (5, 8)]


def field(shape, seed=0):
    return np.random.default_rng(seed).normal(size=(2, *shape, 3))


def as_complex(modes):
    return modes[:, :, 0] + 1j * modes[:, :, 1]


@pytest.mark.parametrize("shape", SHAPES)
def test_forward_gives_the_kept_modes_of_rfft2(shape):
    rows, columns = range(1, shape[0] - 1), range(shape[1] // 2)
    x = field(shape)
    expected = np.fft.rfft2(x, axes=(1, 2), norm="ortho")[:, rows][:, :, columns]
    modes = np.asarray(PartialFourier(shape, rows, columns).forward(x.astype(np.float32)))
    np.testing.assert_allclose(as_complex(modes), expected, atol=2e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_inverse_of_any_spectrum_is_ifft_then_irfft(shape):
    rows, columns = range(1, shape[0]), range(shape[1] // 2 + 1)
    rng = np.random.default_rng(1)
    modes = rng.normal(size=(2, len(rows), 2, len(columns), 3))
    spectrum = np.zeros((2, shape[0], len(columns), 3), complex)
    spectrum[:, 1:] = as_complex(modes)
    expected = np.fft.irfft(np.fft.ifft(spectrum, axis=1, norm="ortho"), shape[1], axis=2, norm="ortho")
    grid = PartialFourier(shape, rows, columns).inverse(modes.astype(np.float32))
    np.testing.assert_allclose(grid, expected, atol=2e-6)


def test_all_modes_there_and_back_is_the_identity():
    shape = (7, 10)
    fourier = PartialFourier(shape, range(7), range(6))
    x = field(shape).astype(np.float32)
    np.testing.assert_allclose(fourier.inverse(fourier.forward(x)), x, atol=2e-6)
