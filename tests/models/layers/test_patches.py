"""Three-dimensional patches."""

import jax.numpy as jnp
import numpy as np

from weatherml.models.layers.patches import from_patches, to_patches, volume_of

PATCH, SPACE = (2, 3, 4), (3, 7, 9)


def test_a_patch_holds_its_own_points_with_the_channel_slowest():
    field = np.random.default_rng(0).normal(size=(2, 5, *SPACE))
    tokens = np.asarray(to_patches(jnp.asarray(field, jnp.float32), PATCH))
    padded = np.pad(field, [(0, 0), (0, 0), (0, 1), (0, 2), (0, 3)])
    assert tokens.shape == (2, *volume_of(SPACE, PATCH), 5 * 24) == (2, 2, 3, 3, 120)
    for level, lat, lon in np.ndindex(2, 3, 3):
        points = np.s_[1, :, 2 * level : 2 * level + 2, 3 * lat : 3 * lat + 3, 4 * lon : 4 * lon + 4]
        np.testing.assert_allclose(tokens[1, level, lat, lon], padded[points].ravel(), rtol=1e-6)


def test_from_patches_is_the_inverse_of_to_patches():
    field = jnp.arange(2.0 * 5 * 3 * 7 * 9).reshape(2, 5, *SPACE)
    np.testing.assert_array_equal(from_patches(to_patches(field, PATCH), PATCH, SPACE), field)
