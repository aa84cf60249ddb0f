"""Laws of reading a source in its own pieces."""

import numpy as np
from fake_data import FakeSource, analyses

from weatherml.data.pieces import read_in_pieces, times_of

DATASET = analyses({"geopotential": (500, 850), "2m_temperature": (), "land_sea_mask": ()}, times=11)
DATASET["land_sea_mask"] = DATASET["land_sea_mask"][0].drop_vars("time")
TIMES = DATASET["time"].values


class InPieces(FakeSource):
    """Files of four times."""

    def piece_starts(self, variable):
        return np.arange(0, 11, 4)

    def times_of(self, variable):
        return TIMES[:7]


def test_a_block_is_a_piece_of_the_source():
    found = read_in_pieces(InPieces(DATASET), TIMES[2:], ("geopotential", "land_sea_mask"))
    assert found["geopotential"].chunks[0] == (2, 4, 3) and found["land_sea_mask"].chunks is None
    np.testing.assert_array_equal(found["geopotential"], DATASET["geopotential"][2:])


def test_a_source_without_pieces_is_read_time_by_time():
    found = read_in_pieces(FakeSource(DATASET), TIMES[:3], ("2m_temperature",))
    assert found["2m_temperature"].chunks[0] == (1, 1, 1)


def test_what_is_lazy_keeps_its_blocks():
    found = read_in_pieces(InPieces(DATASET.chunk(time=5)), TIMES, ("geopotential",))
    assert found["geopotential"].chunks[0] == (5, 5, 1)


def test_times_of_a_variable_are_those_that_the_source_tells():
    assert times_of(InPieces(DATASET), "geopotential").tolist() == TIMES[:7].tolist()
    assert times_of(FakeSource(DATASET), "geopotential").tolist() == TIMES.tolist()
