import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from weatherml.data.loading.order import Order
from weatherml.errors import UserError

SIZES = st.tuples(st.integers(1, 60), st.integers(1, 12), st.integers(0, 2**32 - 1))


@settings(max_examples=25)
@given(SIZES, st.integers(0, 5))
def test_an_epoch_is_a_permutation_less_its_last_incomplete_batch(sizes, epoch):
    n_samples, batch_size, seed = sizes
    assume(batch_size <= n_samples)
    order = Order(n_samples, batch_size, seed)
    first = epoch * order.batches_per_epoch
    drawn = [index for position in range(order.batches_per_epoch) for index in order.batch(first + position)]
    assert len(set(drawn)) == len(drawn) == n_samples // batch_size * batch_size
    assert set(drawn) <= set(range(n_samples))


@settings(max_examples=25)
@given(SIZES, st.integers(1, 6), st.integers(0, 100))
def test_processes_see_together_what_one_sees_alone(sizes, process_count, position):
    n_samples, share, seed = sizes
    batch_size = share * process_count
    assume(batch_size <= n_samples)
    alone = Order(n_samples, batch_size, seed).own(position)
    together = [
        index
        for process in range(process_count)
        for index in Order(n_samples, batch_size, seed, process, process_count).own(position)
    ]
    assert together == list(alone)


def test_epochs_and_seeds_differ():
    order = Order(50, 10, seed=3)
    epochs = [[index for place in range(5) for index in order.batch(5 * epoch + place)] for epoch in range(3)]
    others = [index for place in range(5) for index in Order(50, 10, seed=40).batch(place)]
    assert len({tuple(each) for each in [*epochs, others]}) == 4


def test_the_order_is_that_of_older_versions():
    """Batches that grain's iterator gave where a snapshot holds its state: training goes on with the same ones."""
    order = Order(17, 5, seed=3)
    assert [order.batch(position) for position in (0, 2, 3, 6)] == [
        [4, 7, 11, 8, 2],
        [3, 12, 16, 1, 0],
        [13, 16, 12, 3, 2],
        [4, 0, 14, 13, 7],
    ]


def test_a_batch_that_processes_cannot_share_alike_is_refused():
    with pytest.raises(UserError, match="batch size 10 cannot be shared among 4 processes alike"):
        Order(50, 10, 0, 1, 4)


@pytest.mark.parametrize("batch_size", [0, 18])
def test_a_batch_larger_than_the_period_is_refused(batch_size):
    with pytest.raises(UserError, match=f"batch size {batch_size} must be from 1 to 17, the number of samples"):
        Order(17, batch_size, 0)
