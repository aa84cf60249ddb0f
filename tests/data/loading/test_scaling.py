import numpy as np
import pytest
from fake_data import FakeSource, analyses
from hypothesis import given
from hypothesis import strategies as st

from weatherml.data.loading.samples import Samples
from weatherml.data.loading.scaling import _are_finite
from weatherml.data.statistics.channel_statistics import compute_statistics
from weatherml.data.statistics.climatology import Climatology
from weatherml.data.statistics.forcings import Forcings
from weatherml.data.statistics.normalization import Normalizer
from weatherml.data.store import layout, maps
from weatherml.data.store.ingest import ingest
from weatherml.data.store.opening import open_store
from weatherml.errors import UserError
from weatherml.state import spec_of, to_array

PERIOD = ("2001", "2001")
VARIABLES = {"geopotential": (500, 850, 1000), "2m_temperature": ()}


@pytest.fixture(scope="module", params=[0, 3], ids=["plain", "compressed"])
def dataset(request, tmp_path_factory):
    """A store some of whose cells of temperature never have data."""
    fields = analyses(VARIABLES, times=16)
    fields["2m_temperature"][:, 3, 4] = np.nan
    store = tmp_path_factory.mktemp("scaling") / "store.zarr"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "_COMPRESSOR", layout.Blosc("zstd", request.param, layout.Blosc.BITSHUFFLE))
        ingest(FakeSource(fields), store, shard_length=4)
    return open_store(store)


@pytest.mark.parametrize("tile", [2**17, 200, 50], ids=["all maps", "some maps", "parts of maps"])
@pytest.mark.parametrize("rows", [slice(None), slice(2, 5)], ids=["all rows", "a band"])
@pytest.mark.parametrize("is_lazy", [False, True], ids=["files", "library"])
def test_what_is_read_is_to_the_last_bit_what_is_normalised_in_memory(dataset, monkeypatch, tile, rows, is_lazy):
    monkeypatch.setattr(maps, "_TILE", tile)
    spec = spec_of(dataset, ["z500", "z1000", "t2m", "z850"])
    normalizer = Normalizer(compute_statistics(dataset, spec, PERIOD))
    forcings = Forcings((), spec.grid, normalizer.statistics.time_step)
    samples = Samples(dataset.compute() if is_lazy else dataset, normalizer, forcings, 1, PERIOD, 0, rows)
    states = normalizer.normalize(to_array(dataset, spec), dataset["time"].values)[..., rows, :]
    for index, state in zip([3, 14, 3], samples.gather([3, 14, 3]).state, strict=True):
        np.testing.assert_array_equal(state, states[index : index + 2])


@pytest.mark.parametrize("has_climatology", [False, True])
def test_values_that_are_large_are_not_taken_for_missing(dataset, has_climatology):
    spec = spec_of(dataset, ["z850", "t2m"])
    climatology = Climatology.fit(dataset, spec, PERIOD, 0, 1) if has_climatology else None
    normalizer = Normalizer(compute_statistics(dataset, spec, PERIOD, climatology), climatology)
    changed = dataset.compute()
    changed["geopotential"][5, 1, 2:4, 7] = [1e35, -1e35]
    forcings = Forcings((), spec.grid, normalizer.statistics.time_step)
    assert abs(Samples(changed, normalizer, forcings, 1, PERIOD, 0).gather([5]).state[0, 0, 0, 2, 7]) > 1e20
    changed["geopotential"][6, 1, 6, 11] = np.inf
    with pytest.raises(UserError, match=r"850.* has missing values at 2001-01-02T12"):
        Samples(changed, normalizer, forcings, 1, PERIOD, 0).gather([5])


@given(st.integers(1, 40_000), st.data())
def test_one_value_that_is_not_finite_is_seen_wherever_it_lies(n, data):
    values = np.zeros(n, np.float32)
    assert _are_finite(values)
    place = data.draw(st.integers(0, n - 1))
    for value in (np.nan, -np.inf, np.inf):
        values[place] = value
        with np.errstate(invalid="ignore"):
            assert not _are_finite(values)
