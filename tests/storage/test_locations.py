"""Laws of paths and URLs: a URL is read as a zarr store or refused by name, never taken for a folder of that name."""

import json
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import get_args, get_type_hints

import pytest
from fake_data import FakeSource, analyses, forecasts
from tiny_experiment import done, refused

import weatherml as wml
from weatherml.cli.app import app
from weatherml.cli.options import FOLDER, LOCAL
from weatherml.cli.verbs.weights import imports
from weatherml.data.sources.files import FilesConfig
from weatherml.data.statistics.climatology import Climatology
from weatherml.data.store.ingest import IngestOptions, ingest
from weatherml.experiment import ExperimentConfig
from weatherml.forecast.workdir import Record, WorkDir
from weatherml.pretrained.torch_file import open_torch
from weatherml.products.convert import convert
from weatherml.products.stations import Stations
from weatherml.storage.files import write_bytes
from weatherml.storage.locations import as_url, is_url, local_folder, local_path, path_or_url
from weatherml.storage.share import Share

URL = "gs://bucket/f.zarr"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *words):
        pass


@pytest.fixture
def serve():
    """Return a function from a folder to the URL at which it is served, on this machine alone."""
    servers = []

    def start(folder):
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("place", [URL, Path(URL), "s3://b/k", "https://host/x.zarr", "file:///tmp/x", "memory://x"])
def test_urls_are_told_from_paths_also_when_a_path_was_made_of_them(place):
    assert is_url(place)
    with pytest.raises(wml.UserError, match=r"^[a-z0-9]+://.* is a URL, .*pass a path"):
        local_path(place)


@pytest.mark.parametrize(
    "url", ["file:///tmp/x.zarr", "gs://bucket/a/b.zarr", "https://host/a//b.zarr/", "memory://x", "s3://b/k"]
)
def test_a_url_loses_no_slash(url):
    assert as_url(url) == url
    assert as_url(Path(url)) == url.rstrip("/").replace("a//b", "a/b")


@pytest.mark.parametrize("place", ["f.zarr", "/data/f.zarr", "C:/data/f.zarr", "run:1/f.zarr", "./gs:/f.zarr", "a b"])
def test_paths_are_paths(place):
    assert not is_url(place)
    assert local_path(place) == Path(place)


def path_options():
    """Yield the words of every verb and what says of a parameter that is a path how it is read."""
    for program, before in ((app, ()), (imports, ("import",))):
        for command in program.registered_commands:
            words = (*before, command.name or command.callback.__name__)
            for hint in get_type_hints(command.callback, include_extras=True).values():
                kinds = get_args(hint)
                if kinds and "Path" in str(kinds[0]):
                    yield words, kinds[1]


def test_no_verb_takes_a_path_that_was_not_told_from_a_url():
    found = list(path_options())
    assert len(found) > 20
    parsers = (LOCAL["parser"], FOLDER["parser"])
    assert [words for words, told in found if told.parser not in parsers] == []


def test_an_empty_path_is_not_the_current_folder():
    for read in (local_path, local_folder, path_or_url):
        with pytest.raises(wml.UserError, match="a path is empty"):
            read("")


def test_a_folder_is_not_made_under_a_name_of_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert local_folder("runs/v1.2") == Path("runs/v1.2") and local_folder("f.zarr") == Path("f.zarr")
    folders = [(words, told.param_decls[0]) for words, told in path_options() if told.parser is FOLDER["parser"]]
    assert {words[-1] for words, _ in folders} >= {"demo", "train", "pangu"}
    for words, option in folders:
        assert "x.nc ends in .nc as files do, but a folder is made there" in refused(*words, option, "x.nc")
    with pytest.raises(wml.UserError, match=r"x\.nc ends in \.nc as files do, but a zarr store"):
        WorkDir(Path("x.nc"), "request", Record(), overwrite=False)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "option"), [(words, told.param_decls[0]) for words, told in path_options() if told.param_decls], ids=str
)
def test_every_option_that_takes_a_path_refuses_a_url_by_name(tmp_path, monkeypatch, words, option):
    monkeypatch.chdir(tmp_path)
    assert f"{URL} is a URL" in refused(*words, option, URL)
    assert not list(tmp_path.iterdir())


def test_arguments_and_configurations_refuse_urls_too(tiny_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for words in (("export", URL, "-o", "x.onnx"), ("forecast", URL, "--show-plan"), ("train", "gs://bucket/c.yaml")):
        assert "is a URL" in refused(*words)
    with pytest.raises(ValueError, match=f"{URL} is a URL"):
        FilesConfig(paths=(URL,))
    assert not list(tmp_path.iterdir())


def entry_points():
    yield lambda: wml.Checkpoint.load(URL)
    yield lambda: wml.load_yaml(ExperimentConfig, URL)
    yield lambda: Climatology.load(URL)
    yield lambda: Stations.read(URL)
    yield lambda: open_torch(URL)
    yield lambda: convert(forecasts(), URL)
    yield lambda: convert(forecasts(), "gs://bucket/f.nc")
    yield lambda: WorkDir(Path(URL), "request", Record(), overwrite=False)
    yield lambda: write_bytes(Path("gs://bucket/metrics.json"), b"")


@pytest.mark.parametrize("call", list(entry_points()))
def test_every_entry_point_refuses_a_url_by_name(tmp_path, monkeypatch, call):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(wml.UserError, match=r"gs://bucket/.* is a URL, which only a zarr store may be"):
        call()
    assert not list(tmp_path.iterdir())


def test_verbs_read_stores_behind_a_url_as_those_on_the_disk(tiny_run, serve, tmp_path):
    url = serve(tiny_run.folder)
    local = json.loads(done("evaluate", tiny_run.forecast, tiny_run.store, "--json"))
    assert json.loads(done("evaluate", f"{url}/forecast.zarr", f"{url}/data.zarr", "--json")) == local
    for name in ("forecast.zarr", "data.zarr"):
        there, here = (json.loads(done("info", f"{root}/{name}", "--json")) for root in (url, tiny_run.folder))
        assert there.items() <= here.items() and here.keys() - there.keys() == {"size"}  # on this machine's disk
    assert "checksums of its files are not read" in done("check", f"{url}/data.zarr")
    done("convert", f"{url}/forecast.zarr", "--layout", "weatherbench2", "-o", tmp_path / "wb.zarr")
    assert json.loads(done("info", f"{serve(tmp_path)}/wb.zarr", "--json"))["kind"] == "forecast"
    words = ("--init", "2000-01-12", "--lead", "6h", "-o", tmp_path / "f.zarr")
    done("forecast", tiny_run.checkpoint, "--analysis", f"{url}/data.zarr", *words)


def test_a_store_behind_a_url_that_is_not_whole_or_not_there_is_refused(serve, tmp_path):
    half = IngestOptions(share=Share(0, 2))
    assert not ingest(FakeSource(analyses()), tmp_path / "run/data.zarr", None, 6, half).is_complete
    analyses(times=2).to_netcdf(tmp_path / "a.nc")
    url = serve(tmp_path)
    assert "data.zarr is unfinished; run the ingest that wrote it again" in refused("info", f"{url}/run/data.zarr")
    for name in ("a.nc", "nothing.zarr"):
        assert f"there is no zarr store at {url}/{name}; check the address" in refused("info", f"{url}/{name}")
