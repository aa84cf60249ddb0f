"""Random keys: of whole hours as they have always been, and no two initial times share theirs."""

import jax
import numpy as np

from weatherml.forecast.perturbation.base import member_keys, step_keys


def words(keys):
    return [tuple(words) for words in np.asarray(jax.random.key_data(keys)).reshape(-1, 2).tolist()]


def test_key_of_a_whole_hour_folds_in_hours_number_and_step():
    times = np.array(["2020-02-29T06", "1969-12-31T23"], "datetime64[ns]")
    for time, hours in zip(times, (439710, -1), strict=True):
        key = jax.random.key(7)
        for word in (hours >> 32 & 0xFFFFFFFF, hours & 0xFFFFFFFF, 5, 3):
            key = jax.random.fold_in(key, np.uint32(word))
        found = step_keys(member_keys(7, np.array([time]), np.array([5])), 3)
        assert words(found) == words(key)


def test_times_within_an_hour_have_keys_of_their_own():
    hour = np.datetime64("2020-02-29T06", "ns")
    times = hour + np.array([0, 1, 2**32, 2**32 + 1, 30 * 60 * 10**9, 3600 * 10**9 - 1, 3600 * 10**9])
    keys = words(step_keys(member_keys(7, times, np.full(len(times), 5)), np.arange(2)))
    assert len(set(keys)) == 2 * len(times)


def test_key_does_not_depend_on_the_unit_of_times():
    for time in ("2020-02-29T06:30", "2020-02-29"):
        coarse, fine = (np.array([time], unit) for unit in ("datetime64[m]", "datetime64[ns]"))
        assert words(member_keys(1, coarse, np.array([2]))) == words(member_keys(1, fine, np.array([2])))
