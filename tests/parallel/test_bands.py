"""How many bands the fields of each network can be cut into, and what is said where they cannot."""

import re

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
        "4 bands of latitude do not divide rows of patches (90); choose one of 1, 2, 3,",
    ),
    (FourCastNetConfig(), WITHOUT_POLE, (1, 12), "12 bands of longitude do not divide n_blocks (8); choose 1, 2 or 4"),
    (
        PanguConfig(),
        FULL,
        (2, 1),
        "721 rows, which windows tile only in multiples of 2 x patch x window = 48 (1);"
        " cut along longitude, with spatial [1, 3], [1, 5] or [1, 15], or choose 1",
    ),
    (PanguConfig(), FULL, (1, 2), "columns of windows at the coarser resolution (15); choose 1, 3, 5 or 15"),
    (SFNOConfig(), FULL, (7, 1), "7 bands of latitude do not divide rows inside, where scale_factor is 3 (240)"),
    (PrecipitationConfig(), WITHOUT_POLE, (1, 9), "9 bands of longitude do not divide n_blocks (8); choose 1, 2 or 4"),
    (
        SFNOConfig(),
        WITHOUT_POLE,
        (1, 9),
        "columns inside, where scale_factor is 3 (480); choose one of 1, 2, 3, 4, 5, 6, 8, 10,",
    ),
]


@pytest.mark.parametrize(("config", "grid", "spatial", "words"), REFUSED)
def test_bands_that_do_not_fit_are_refused_with_those_that_would(config, grid, spatial, words):
    with pytest.raises(UserError, match="bands of") as refusal:
        require_bands(grid, *config.uncut(grid), mesh(spatial))
    assert words in str(refusal.value)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize(
    ("config", "grid"),
    [(FourCastNetConfig(), WITHOUT_POLE), (PanguConfig(), FULL), (SFNOConfig(), FULL), (SFNOConfig(), WITHOUT_POLE)],
)
def test_all_bands_that_a_refusal_names_fit(config, grid, axis):
    def bands(n):
        return mesh((n, 1) if axis == 0 else (1, n))

    with pytest.raises(UserError) as refusal:
        require_bands(grid, *config.uncut(grid), bands(7 if axis == 0 else 11))
    named = [
        int(number) for number in re.findall(r"\d+", str(refusal.value).rpartition("choose")[2].partition("...")[0])
    ]
    assert 1 in named
    for n in named:
        require_bands(grid, *config.uncut(grid), bands(n))


def test_pangu_at_its_published_size_is_cut_along_longitude_alone():
    fitting = {(n, m) for n in range(1, 60) for m in range(1, 60) if _fits(PanguConfig(), FULL, (n, m))}
    assert fitting == {(1, 1), (1, 3), (1, 5), (1, 15)}


def _fits(config, grid, spatial):
    try:
        require_bands(grid, *config.uncut(grid), mesh(spatial))
    except UserError:
        return False
    return True


@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)
def test_bands_that_are_tested_fit(problem):
    require_bands(problem.grid.shape, *problem.config.uncut(problem.grid.shape), mesh((2, 4)))


def mesh(spatial):
    return AbstractMesh(spatial, (LAT, LON))
