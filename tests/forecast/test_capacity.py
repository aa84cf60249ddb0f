"""The batch that fits: the largest whose needs are met, with few looks at what it needs."""

import pytest

from weatherml.forecast.capacity import fitting_batch


@pytest.mark.parametrize(
    ("room", "expected"), [(100, 12), (99, 6), (52, 6), (51, 3), (27, 1), (3, 1)], ids=lambda value: str(value)
)
def test_batch_is_the_largest_divisor_that_fits(room, expected):
    assert fitting_batch(12, lambda n: (4, 8 * n), room) == expected


def test_what_fits_at_once_is_looked_at_once():
    looked = []
    fitting_batch(8, lambda n: (looked.append(n) or 0, n), 8)
    assert looked == [8]


def test_needs_that_do_not_shrink_in_proportion_are_looked_at_again():
    looked = []
    assert fitting_batch(8, lambda n: (looked.append(n) or 0, n + 2), 5) == 2
    assert looked == [8, 4, 2]
