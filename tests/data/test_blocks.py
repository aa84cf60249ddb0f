import numpy as np
from fake_data import analyses

from weatherml.data import blocks
from weatherml.state import spec_of, to_array

# Ragged and out of order: not what the dataset lists.
CHANNELS = ["2m_temperature", "geopotential_850"]


def test_blocks_joined_are_the_whole_array(monkeypatch):
    dataset = analyses(times=29)
    spec = spec_of(dataset, CHANNELS)
    monkeypatch.setattr(blocks, "_BLOCK_BYTES", 4 * 5 * np.prod(spec.shape))
    times, arrays = zip(*blocks.iterate_blocks(dataset, spec), strict=True)
    assert [len(array) for array in arrays] == [5, 5, 5, 5, 5, 4]
    np.testing.assert_array_equal(np.concatenate(times), dataset["time"].values)
    np.testing.assert_array_equal(np.concatenate(arrays), to_array(dataset, spec))


def test_a_state_larger_than_a_block_is_read_time_by_time(monkeypatch):
    monkeypatch.setattr(blocks, "_BLOCK_BYTES", 1)
    assert blocks.block_length(spec_of(analyses())) == 1
