import numpy as np
import pytest
from fake_data import analyses

from weatherml.data.statistics.channel_statistics import compute_statistics
from weatherml.data.statistics.climatology import Climatology
from weatherml.data.statistics.normalization import Normalizer
from weatherml.errors import UserError
from weatherml.state import spec_of, to_array

PERIOD = ("2001", "2001")


@pytest.fixture(scope="module")
def dataset():
    dataset = analyses(times=29)
    dataset["geopotential"] = dataset["geopotential"] * 1e3 + 5e5
    dataset["2m_temperature"] += 280 + 9 * np.cos(2 * np.pi * dataset["time"].dt.hour / 24).astype(np.float32)
    dataset["2m_temperature"][:, 2:4, 5] = np.nan
    return dataset


@pytest.fixture(scope="module", params=[False, True], ids=["mean", "climatology"])
def normalizer(request, dataset):
    spec = spec_of(dataset)
    climatology = Climatology.fit(dataset, spec, PERIOD, 0, 1) if request.param else None
    return Normalizer(compute_statistics(dataset, spec, PERIOD, climatology), climatology)


def test_normalized_values_have_mean_zero_and_variance_one(dataset, normalizer):
    array = normalizer.normalize(to_array(dataset, normalizer.spec), dataset["time"].values)
    weights = normalizer.statistics.valid * normalizer.spec.grid.area_weights()
    weights = weights / (len(array) * weights.sum(axis=(1, 2), keepdims=True))
    np.testing.assert_allclose((array * weights).sum(axis=(0, 2, 3)), 0, atol=1e-4)
    np.testing.assert_allclose((array**2 * weights).sum(axis=(0, 2, 3)), 1, atol=1e-4)


def test_denormalize_undoes_normalize_and_gives_the_mask_back(dataset, normalizer):
    array, times = to_array(dataset, normalizer.spec), dataset["time"].values
    there_and_back = normalizer.denormalize(normalizer.normalize(array, times), times)
    assert there_and_back.dtype == np.float32
    np.testing.assert_allclose(there_and_back, array, rtol=2e-6)


def test_cells_without_data_are_zero_to_the_model(dataset, normalizer):
    array = normalizer.normalize(to_array(dataset, normalizer.spec), dataset["time"].values)
    assert (array[:, 2, 2:4, 5] == 0).all()


def test_missing_values_in_valid_cells_are_not_hidden(dataset, normalizer):
    array = to_array(dataset, normalizer.spec)
    array[3, 0, 1, 2] = np.nan
    assert np.argwhere(np.isnan(normalizer.normalize(array, dataset["time"].values))).tolist() == [[3, 0, 1, 2]]


def test_members_share_the_times_they_are_broadcast_to(dataset, normalizer):
    times = dataset["time"].values[:6].reshape(2, 3, 1)
    array = np.random.default_rng(0).standard_normal((2, 3, 4, *normalizer.spec.shape)).astype(np.float32)
    together = normalizer.denormalize(array, times)
    for init, lead, member in np.ndindex(2, 3, 4):
        alone = normalizer.denormalize(array[init, lead, member][None], times[init, lead])
        np.testing.assert_array_equal(together[init, lead, member], alone[0])


def test_arguments_are_left_as_they_were(dataset, normalizer):
    array = to_array(dataset, normalizer.spec)
    before = array.copy()
    normalizer.denormalize(normalizer.normalize(array, dataset["time"].values), dataset["time"].values)
    np.testing.assert_array_equal(array, before)


def test_a_climatology_of_other_channels_is_refused(dataset, normalizer):
    other = Climatology.fit(dataset, spec_of(dataset, ["t2m"]), PERIOD, 0, 1)
    with pytest.raises(UserError, match=r"climatology has channels 2m_temperature, statistics"):
        Normalizer(normalizer.statistics, other)


def test_an_array_of_another_state_is_refused(normalizer):
    with pytest.raises(UserError, match="array must end in"):
        normalizer.normalize(np.zeros((1, 2, 7, 12), np.float32), np.array(["2001-01-01"], "datetime64[ns]"))
