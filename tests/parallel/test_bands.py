"""How many bands the fields of each network can be cut into, and what is said where they cannot."""

import pytest
from jax.sharding import AbstractMesh
from spatial_problems import PROBLEMS

from weatherml.errors import UserError
from weatherml.models import FourCastNetConfig, PanguConfig, PrecipitationConfig, SFNOConfig
from weatherml.parallel import require_bands
from weatherml.parallel.layouts.mesh import LAT, LON

FULL, WITHOUT_POLE = (721, 1440), (720, 1440)

REFUSED = [
    (
        FourCastNetConfig(),
        WITHOUT_POLE,
        (4, 1),
        "4 bands of latitude do not divide rows of patches (90); choose 1, 2, 3,",
    ),
    (FourCastNetConfig(), WITHOUT_POLE, (1, 12), "12 bands of longitude do not divide n_blocks (8); choose 1, 2, 4"),
    (
        PanguConfig(),
        FULL,
        (2, 1),
        "721 rows, which windows tile only in multiples of 2 x patch x window = 48 (1); choose 1",
    ),
    (PanguConfig(), FULL, (1, 2), "columns of windows at the coarser resolution (15); choose 1, 3, 5, 15"),
    (SFNOConfig(), FULL, (7, 1), "7 bands of latitude do not divide rows inside, where scale_factor is 3 (240)"),
    (PrecipitationConfig(), WITHOUT_POLE, (1, 9), "9 bands of longitude do not divide n_blocks (8); choose 1, 2, 4"),
    (
        SFNOConfig(),
        WITHOUT_POLE,
        (1, 9),
        "columns inside, where scale_factor is 3 (480); choose 1, 2, 3, 4, 5, 6, 8, 10,",
    ),
]


@pytest.mark.parametrize(("config", "grid", "spatial", "words"), REFUSED)
def test_bands_that_do_not_fit_are_refused_with_those_that_would(config, grid, spatial, words):
    with pytest.raises(UserError, match="bands of") as refusal:
        require_bands(*config.uncut(grid), mesh(spatial))
    assert words in str(refusal.value)


@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)
def test_bands_that_are_tested_fit(problem):
    require_bands(*problem.config.uncut(problem.grid.shape), mesh((2, 4)))


def mesh(spatial):
    return AbstractMesh(spatial, (LAT, LON))
