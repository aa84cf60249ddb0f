"""Laws of archives in the cloud: canonical whatever their layout, each chunk fetched once, failures in one line."""

import pickle
import shutil
import sys
import warnings
from itertools import pairwise

import numpy as np
import pytest
import xarray as xr
from archive_layouts import like_arco, like_weatherbench
from fake_data import analyses
from http_store import serving

import weatherml as wml
from weatherml.config import from_mapping
from weatherml.data.source import bytes_of_a_time, hold_within
from weatherml.data.sources import ArchiveConfig
from weatherml.data.sources.archive.pieces import PieceCache
from weatherml.data.sources.archive.reading import Reader
from weatherml.data.sources.archive.source import ArchiveSource
from weatherml.data.store.ingest import IngestOptions, ingest
from weatherml.data.store.opening import digest, open_store
from weatherml.errors import UserError
from weatherml.grid import LatLonGrid
from weatherml.storage.cloud import opening
from weatherml.storage.cloud import store as cloud_store
from weatherml.storage.share import Share

LEVELS = (50, 300, 500, 700, 850)
KEPT = (500, 850)
GRID = LatLonGrid.regular(7, 12)
TRUTH = analyses(
    {"geopotential": LEVELS, "temperature": LEVELS, "2m_temperature": ()}, times=22, start="2001-01-01", grid=GRID
)
TRUTH["geopotential_at_surface"] = TRUTH["2m_temperature"][0].drop_vars("time", errors="ignore").drop_attrs() * 100


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    folder = tmp_path_factory.mktemp("archives")
    truths = {
        "arco": like_arco(TRUTH, folder / "arco"),
        "weatherbench": like_weatherbench(TRUTH, folder / "weatherbench"),
    }
    return folder, truths


@pytest.fixture
def server(archives):
    with serving(archives[0]) as counting:
        yield counting


@pytest.mark.parametrize("layout", ["arco", "weatherbench"])
def test_an_archive_is_read_as_what_it_is_whatever_its_layout(server, archives, layout):
    truth = archives[1][layout]
    source = ArchiveConfig(url=f"{server.url}/{layout}", levels=KEPT).source(archives[0])
    times = source.times()[[3, 4, 9, 20]]
    read = source.read(times, source.variables())
    xr.testing.assert_identical(read.drop_attrs(), truth.sel(time=times, level=list(KEPT)).drop_attrs())
    np.testing.assert_array_equal(source.times(), truth["time"])
    assert (source.grid, source.levels) == (GRID, KEPT)


@pytest.mark.parametrize(("layout", "shard"), [("arco", 4), ("weatherbench", 4), ("weatherbench", 3)])
def test_ingestion_fetches_each_chunk_once(server, archives, tmp_path, layout, shard):
    source = ArchiveConfig(url=f"{server.url}/{layout}", levels=KEPT, parallel=3).source(archives[0])
    ingest(source, tmp_path / "store.zarr", shard_length=shard)
    for name in ("geopotential", "temperature", "2m_temperature"):
        counts = server.chunks(f"{layout}/{name}")
        assert set(counts.values()) == {1}
        assert len(counts) == (22 if layout == "arco" else 3)
    assert server.most_at_once <= 3
    truth = archives[1][layout].sel(level=list(KEPT))
    xr.testing.assert_equal(open_store(tmp_path / "store.zarr").load(), truth)


@pytest.mark.parametrize("n_shares", [1, 2])
def test_what_is_kept_and_made_into_others_is_fetched_once(tmp_path, n_shares):
    """Also where variables are made of each other's inputs, and by shares: what reads the same is one's own work."""
    names = ("u_component_of_wind", "v_component_of_wind", "specific_humidity")
    winds = analyses(
        {**dict.fromkeys(names, (*LEVELS, 1000)), "2m_temperature": ()}, times=22, start="2001-01-01", grid=GRID
    )
    like_arco(winds, tmp_path / "arco")
    made = ("wind_speed", "integrated_vapor_transport")
    with serving(tmp_path) as server:
        for index in range(n_shares):
            keys = {"url": f"{server.url}/arco", "derive": made, "levels": [500, 850]}  # vapour is of all levels
            source = from_mapping(ArchiveConfig, keys).source(tmp_path)
            options = IngestOptions(share=Share(index, n_shares))
            report = ingest(source, tmp_path / "store.zarr", shard_length=8, options=options)
        counts = [server.chunks(f"arco/{name}") for name in names]
    # The first time tells every share what variables look like.
    assert [set(list(one.values())[1:]) for one in counts] == [{1}] * 3
    assert [max(one.values()) for one in counts] == [n_shares] * 3 and report.is_complete
    store = open_store(tmp_path / "store.zarr")
    u, v = store["u_component_of_wind"], store["v_component_of_wind"]
    np.testing.assert_allclose(store["wind_speed"], np.hypot(u, v), rtol=1e-6)


def test_pieces_begin_where_chunks_do(server, archives):
    config = ArchiveConfig(url=f"{server.url}/weatherbench", exclude=("2001-01-03",))
    assert list(config.open(archives[0]).piece_starts("geopotential")) == [0, 8, 16]
    assert list(config.source(archives[0]).piece_starts("geopotential")) == [0, 8, 12]  # the second lost four


@pytest.mark.parametrize("n_bytes", [0, 20_000, 2**20])
def test_what_is_kept_stays_within_its_budget_and_values_are_right_without_it(server, archives, n_bytes):
    truth, source = archives[1]["weatherbench"], ArchiveConfig(url=f"{server.url}/weatherbench").open(archives[0])
    source._reader.cache.n_bytes = n_bytes
    most = 0
    for first, last in ((0, 1), (0, 3), (5, 12), (3, 5), (12, 22)):
        times = truth["time"].values[first:last]
        read = source.read(times, ["temperature", "2m_temperature"])
        np.testing.assert_array_equal(read["temperature"], truth["temperature"].sel(time=times))
        most = max(most, source._reader.cache.n_used)
    assert (most > 0) == (n_bytes > 0) and most <= n_bytes
    if n_bytes == 2**20:
        assert set(server.chunks("weatherbench/temperature").values()) == {1}


def test_what_is_kept_counts_in_the_memory_of_an_ingestion(server, archives, tmp_path, monkeypatch):
    """Half of it at most, and a quarter in flight; the rest is for the part that is made."""
    config, memory, used = ArchiveConfig(url=f"{server.url}/weatherbench", every="12h"), 2**15, []
    keep, limit = PieceCache.keep, Reader.limit
    monkeypatch.setattr(PieceCache, "keep", lambda cache, *told: (keep(cache, *told), used.append(cache.n_used)))
    ingest(config.source(archives[0]), tmp_path / "unbounded", shard_length=4)
    assert max(used) > memory // 2
    used.clear()
    in_flight = []
    monkeypatch.setattr(Reader, "limit", lambda reader, *told: (limit(reader, *told), in_flight.append(told[1])))
    source = config.source(archives[0])
    ingest(source, tmp_path / "bounded", shard_length=4, options=IngestOptions(memory=memory))
    assert 0 < max(used) <= memory // 2 and set(in_flight) == {memory // 4}
    assert hold_within(source, memory) == memory // 4
    assert digest(tmp_path / "bounded") == digest(tmp_path / "unbounded")


def test_what_is_read_of_a_finer_grid_counts_in_the_memory_of_an_ingestion(server, archives, tmp_path, monkeypatch):
    memory, read, lengths = 2**15, ArchiveSource.read, []
    noted = lambda source, times, names: (lengths.append(len(times)), read(source, times, names))[1]  # noqa: E731
    monkeypatch.setattr(ArchiveSource, "read", noted)
    keys = {"variables": ("temperature",), "regrid": {"grid": "90deg"}}
    source = from_mapping(ArchiveConfig, {"url": f"{server.url}/weatherbench", **keys}).source(archives[0])
    ingest(source, tmp_path / "store.zarr", shard_length=16, options=IngestOptions(memory=memory))
    of_a_time = len(LEVELS) * GRID.n_lat * GRID.n_lon * 4
    assert bytes_of_a_time(source, "temperature") == of_a_time
    assert max(lengths) == memory // 4 // (2 * of_a_time)
    chunks = server.chunks("weatherbench/temperature")
    assert chunks and set(chunks.values()) == {1}


def test_only_times_that_are_chosen_are_kept_of_a_piece(server, archives):
    source = ArchiveConfig(url=f"{server.url}/weatherbench", every="24h").source(archives[0])
    source.read(source.times()[:1], ["2m_temperature"])
    assert source.source._reader.cache.n_used == 2 * 7 * 12 * 4  # two of eight


FAULTS = [
    (
        {f"arco/{name}": 403 for name in ("zarr.json", ".zmetadata", ".zgroup")},
        r"may not be read \(403\); it does not let in the key of source.header",
    ),
    ({"arco/geopotential/5.0.0.0": 403}, r"arco/geopotential/5.0.0.0 may not be read \(403\)"),
    ({"arco/geopotential/5.0.0.0": 500}, "answers 500 again and again; run the same again later, what is done stays"),
    ({"arco/geopotential/5.0.0.0": 429}, "answers 429 again and again"),
    ({"arco/geopotential/5.0.0.0": "cut"}, "was cut off again and again; check the network"),
    ({"arco/geopotential/5.0.0.0": "garbage"}, "geopotential from 2001-01-01T01:00 cannot be decoded .*source.exclude"),
    ({"arco/geopotential/5.0.0.0": 1.0}, "does not answer; check the address and the network"),
    ({"arco/.zmetadata": "garbage"}, "holds no metadata of zarr"),
]


@pytest.fixture
def impatient(monkeypatch):
    """Do not wait in vain for long."""
    for name, value in {"_RETRIES": 1, "_SECONDS_OF_SILENCE": 0.3}.items():
        monkeypatch.setattr(opening, name, value)
    for name, value in {"TRIES": 2, "SECONDS_BETWEEN": 0.01}.items():
        monkeypatch.setattr(cloud_store, name, value)


@pytest.mark.parametrize(("faults", "words"), FAULTS)
def test_what_goes_wrong_is_one_line_without_the_key(server, archives, impatient, monkeypatch, faults, words):
    monkeypatch.setenv("KEY_OF_ARCHIVE", "geheim")
    server.fault = lambda path, n: faults.get(path)
    with pytest.raises(UserError, match=words) as refused:
        source = ArchiveConfig(url=f"{server.url}/arco", header="X-Key: ${KEY_OF_ARCHIVE}").open(archives[0])
        source.read(source.times()[1:5], ["geopotential"])
    assert "geheim" not in str(refused.value) and "\n" not in str(refused.value)
    assert server.headers["X-Key"] == "geheim"


@pytest.mark.parametrize(("fault", "n_faults"), [("cut", 1), (429, 1), (500, 3)])
def test_what_goes_wrong_for_a_while_is_done_again(server, archives, impatient, fault, n_faults):
    wrong = "arco/geopotential/5.0.0.0"
    server.fault = lambda path, n: fault if path == wrong and n < n_faults else None
    source = ArchiveConfig(url=f"{server.url}/arco").open(archives[0])
    read = source.read(source.times()[1:5], ["geopotential"])
    np.testing.assert_array_equal(read["geopotential"], archives[1]["arco"]["geopotential"][1:5])
    assert server.asked[wrong] == n_faults + 1


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("{url}/nothing", "there is no zarr store at .*/nothing; check the address"),
        ("http://127.0.0.1:9/x", "http://127.0.0.1:9/x cannot be reached; check the address and the network"),
        ("http://me:geheim@127.0.0.1:9/x", "127.0.0.1:9/x: a URL with a password or a query is not read"),
        ("https://h/x?sig=geheim", "a URL with a password or a query is not read"),
        ("nowhere://h/x", "nowhere://h/x .*; check the address"),
    ],
)
def test_a_place_without_a_store_is_one_line(server, archives, impatient, place, words):
    with pytest.raises(UserError, match=words) as refused:
        ArchiveConfig(url=place.format(url=server.url)).open(archives[0]).times()
    assert "geheim" not in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"url": "acro"}, "no archive is called 'acro' and no store lies there; did you mean 'arco'?"),
        ({"url": []}, "url is empty; name at least 1"),
        ({"channels": []}, "channels is empty; name at least 1"),
        ({"variables": []}, "variables is empty; name at least 1"),
        ({"levels": []}, "levels is empty; name at least 1"),
        ({"periods": []}, "periods is empty; name at least 1"),
        ({"latitude": [0, 90]}, r"latitude: \[0.0, 90.0\] runs north; write the northern one first, \[90, 0\]"),
        ({"channels": "pangoo"}, "unknown channel set 'pangoo'; did you mean 'pangu'?"),
        ({"channels": ["z500"], "levels": [500]}, "channels say variables and levels already"),
        ({"channels": ["zz500"]}, "unknown variable 'zz'"),
        ({"variables": ["temprature"]}, "unknown variable 'temprature'; did you mean 'temperature'?"),
        ({"header": "Authorization: Bearer geheim"}, r"header must read 'Name: \$\{VARIABLE\}'"),
        ({"credentials": "geheim"}, "credentials"),
        ({"parallel": 0}, "parallel"),
    ],
)
def test_a_wrong_configuration_is_one_line(keys, words):
    with pytest.raises(UserError, match=words) as refused:
        from_mapping(ArchiveConfig, {"url": "arco", **keys})
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"levels": (500, 501)}, "the data have no level 501 hPa; they have"),
        ({"variables": ("total_column_water_vapour",)}, "there is no variable 'total_column_water_vapour'"),
        ({"variables": ("relative_humidity",)}, r"it can be made of others: source.derive=\[relative_humidity\]"),
        ({"periods": (("1939", "1940"),)}, "source.periods: the archive data have no time in 1939-01-01"),
        ({"header": "Authorization: Bearer ${NOT_SET}"}, "needs the environment variable NOT_SET, which is not set"),
        ({"rename": {"nothere": "2t"}}, "source.rename says what 'nothere' is, but no store has it"),
        ({"latitude": (12, 11)}, "no row lies between latitudes"),
    ],
)
def test_what_an_archive_has_not_is_one_line(server, archives, keys, words):
    with pytest.raises(UserError, match=words) as refused:
        ArchiveConfig(url=f"{server.url}/arco", **keys).source(archives[0]).times()
    assert "\n" not in str(refused.value)


def test_a_key_is_kept_nowhere(server, archives, monkeypatch):
    monkeypatch.setenv("KEY_OF_ARCHIVE", "geheim")
    source = ArchiveConfig(url=f"{server.url}/arco", header="Authorization: Bearer ${KEY_OF_ARCHIVE}").open(archives[0])
    read = source.read(source.times()[:1], ["geopotential"])
    assert server.headers["Authorization"] == "Bearer geheim"
    assert b"geheim" not in pickle.dumps(source) and b"geheim" not in pickle.dumps(read)
    assert "geheim" not in source.config.model_dump_json()
    other = pickle.loads(pickle.dumps(source))
    np.testing.assert_array_equal(other.read(other.times()[:1], ["geopotential"])["geopotential"], read["geopotential"])


def test_the_digest_is_of_what_is_read_and_not_of_how(server, archives):
    def digest(**keys):
        return ArchiveConfig(url=f"{server.url}/arco", **keys).open(archives[0]).digest()

    assert digest() == digest(parallel=2, cache=7, credentials="anonymous")
    assert len({digest(), digest(levels=KEPT), digest(latitude=(90, 0))}) == 3


def overlapping(ranges):
    """Return the keys of which bytes were asked for twice."""
    spans = sorted(ranges)
    return [one[0] for one, two in pairwise(spans) if one[0] == two[0] and two[1] <= one[2]]


def test_several_stores_are_one_source_at_the_times_they_share(tmp_path):
    on_levels, flat = ["geopotential", "temperature"], ["2m_temperature", "geopotential_at_surface"]
    west = TRUTH.roll(longitude=6, roll_coords=True)
    west = west.assign_coords(longitude=(west["longitude"] + 180) % 360 - 180)  # as ECMWF's own archive has it
    chunks = {n: {"chunks": (2, 1, 7, 12), "shards": (6, 5, 7, 12)} for n in on_levels}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Consolidated metadata")
        west[on_levels].isel(time=slice(0, None, 2)).to_zarr(tmp_path / "pl", zarr_format=3, encoding=chunks)
        west[flat].isel(time=slice(2, None)).to_zarr(tmp_path / "sfc", zarr_format=3)
        west[on_levels].to_zarr(tmp_path / "pl2", zarr_format=3)
    with serving(tmp_path) as server:
        config = ArchiveConfig(url=(f"{server.url}/pl", f"{server.url}/sfc"), levels=(300, 700))
        source = config.open(tmp_path)
        read = source.read(source.times(), source.variables())
        xr.testing.assert_equal(read, TRUTH.sel(time=TRUTH["time"][2::2], level=[300, 700]))
        assert set(server.ranges.values()) == {1}
        assert not overlapping(server.ranges)  # newer versions of zarr ask for neighbouring chunks together
        assert len(server.ranges) <= 2 * 2 * (3 * 2 + 1)  # variables, shards, chunks of kept levels and their index
        with pytest.raises(UserError, match=r"geopotential is in .*/pl and .*/pl2; leave one of them out"):
            ArchiveConfig(url=(f"{server.url}/pl", f"{server.url}/pl2")).open(tmp_path).times()


@pytest.mark.parametrize("as_url", [str, "file://{}".format])
def test_a_store_on_the_disk_is_an_archive_too(archives, as_url):
    source = ArchiveConfig(url=as_url(archives[0] / "weatherbench"), levels=KEPT).open(archives[0])
    read = source.read(source.times()[9:11], ["temperature"])
    np.testing.assert_array_equal(read["temperature"], TRUTH["temperature"].sel(level=list(KEPT))[9:11])


def test_without_obstore_fsspec_reads_the_same(server, archives, monkeypatch):
    pytest.importorskip("aiohttp", reason="fsspec reads http through aiohttp")
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    source = ArchiveConfig(url=f"{server.url}/arco").open(archives[0])
    read = source.read(source.times()[1:3], ["geopotential"])
    np.testing.assert_array_equal(read["geopotential"], archives[1]["arco"]["geopotential"][1:3])
    server.fault = lambda path, n: 403
    with pytest.raises(UserError, match=r"may not be read \(403\)"):
        ArchiveConfig(url=f"{server.url}/weatherbench").open(archives[0]).times()


def test_days_that_an_archive_lacks_are_left_out_of_a_store(archives, tmp_path):
    shutil.copytree(archives[0] / "weatherbench", tmp_path / "holes")
    for name in ("geopotential", "temperature", "2m_temperature"):
        for chunk in (tmp_path / "holes" / name).glob("1.*"):
            chunk.unlink()  # zarr reads what is not there as missing values
    with serving(tmp_path) as server:
        url = f"{server.url}/holes"
        with pytest.raises(UserError, match=r"(missing where the first time .* is not|no value of).*source.exclude"):
            ingest(ArchiveConfig(url=url).source(tmp_path), tmp_path / "store.zarr", shard_length=4)
        without = ArchiveConfig(url=url, exclude=(("2001-01-03", "2001-01-04"),))
        ingest(without.source(tmp_path), tmp_path / "whole.zarr", shard_length=4)
    np.testing.assert_array_equal(
        open_store(tmp_path / "whole.zarr")["temperature"], TRUTH["temperature"].drop_isel(time=range(8, 16))
    )


@pytest.mark.parametrize("layout", ["arco", "weatherbench"])
@pytest.mark.parametrize("name", ["time", "level", "latitude", "longitude"])
def test_coordinates_that_have_lost_their_chunks_are_refused_wherever_they_are_read(archives, tmp_path, layout, name):
    """Zarr reads them as so many equal values: of 24 times one would be left."""
    shutil.copytree(archives[0] / layout, tmp_path / "lost")
    (tmp_path / "lost" / name / "0").unlink()
    told = rf"lost has lost {name}/0, and with it values of its coordinate {name}; "
    with serving(tmp_path) as server:
        for place in (tmp_path / "lost", f"{server.url}/lost"):
            for read in (lambda place: ArchiveConfig(url=str(place)).source(tmp_path).times(), wml.open_files):
                with pytest.raises(UserError, match=told):
                    read(place)


def test_a_coordinate_whose_writer_left_out_a_chunk_of_its_fill_value_is_whole(tmp_path):
    place, fields = tmp_path / "a.zarr", TRUTH[["2m_temperature"]]
    encoding = {"time": {"chunks": (1,), "units": "hours since 2001-01-01", "dtype": "int64"}}
    fields.isel(time=[0]).to_zarr(place, zarr_format=2, encoding=encoding)
    for index in (1, 2):
        fields.isel(time=[index]).to_zarr(place, append_dim="time")
    assert not (place / "time" / "0").exists()
    np.testing.assert_array_equal(wml.open_files(place)["time"], TRUTH["time"][:3])
    (place / "time" / "1").unlink()
    with pytest.raises(UserError, match="has lost time/1"):
        wml.open_files(place)


@pytest.mark.parametrize("name", ["2m_temperature", "geopotential_at_surface"])
def test_a_variable_that_has_lost_all_its_chunks_is_not_stored_as_missing_values(archives, tmp_path, name):
    shutil.copytree(archives[0] / "weatherbench", tmp_path / "lost")
    for chunk in (tmp_path / "lost" / name).glob("[0-9]*"):
        chunk.unlink()
    with pytest.raises(UserError, match=rf"lost has no value of {name}.*; leave out the variable"):
        ingest(ArchiveConfig(url=str(tmp_path / "lost")).source(tmp_path), tmp_path / "store.zarr", shard_length=4)
