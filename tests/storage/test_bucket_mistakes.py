"""What goes wrong with a store in a bucket is one line that says what to do, and never a key."""

import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from fake_data import FakeSource, analyses
from s3_server import KEYS

import weatherml as wml

SOURCE = FakeSource(analyses(times=2))
LISTED, DELETED = b"<ListBucketResult/>", b"<DeleteResult><Deleted><Key>k</Key></Deleted></DeleteResult>"


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    """Have no keys but those that a test gives."""
    for name in (*KEYS, "AWS_PROFILE", "AZURE_STORAGE_ACCOUNT_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@contextmanager
def answering(status):
    """Yield the address of a server that refuses all, or takes all and forgets it, whatever the condition."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self):
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            is_absent = status == 200 and (self.command == "HEAD" or "/era5.zarr/" in self.path)
            is_absent = is_absent and self.command != "PUT"
            content = b"" if is_absent or status != 200 else {"GET": LISTED, "POST": DELETED}.get(self.command, b"")
            self.send_response(404 if is_absent else status)
            self.send_header("ETag", '"0"')
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = answer

        def log_message(self, *words):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def refusals(url):
    """Yield what is said to who writes a store, and to who opens one."""
    for act in (lambda: wml.ingest(SOURCE, url), lambda: wml.open_store(url)):
        with pytest.raises(wml.UserError) as refused:
            act()
        assert "\n" not in str(refused.value) and "geheim" not in str(refused.value)
        yield str(refused.value)


def with_keys(monkeypatch, endpoint):
    for name, value in {**KEYS, "AWS_ENDPOINT_URL": endpoint}.items():
        monkeypatch.setenv(name, value)


def test_a_bucket_that_does_not_answer(monkeypatch):
    monkeypatch.setattr("weatherml.storage.cloud.opening._RETRIES", 0)
    with_keys(monkeypatch, "http://127.0.0.1:1")
    for told in refusals("s3://weather/era5.zarr"):
        assert told == "s3://weather/era5.zarr cannot be reached; check the address and the network"


def test_a_bucket_that_is_not_there(s3, monkeypatch):
    with_keys(monkeypatch, s3.endpoint)
    for told in refusals("s3://nowhere/era5.zarr"):
        assert told == "s3://nowhere/era5.zarr: there is no such bucket; make it, or check the name"


def test_keys_that_may_not(monkeypatch):
    with answering(403) as endpoint:
        with_keys(monkeypatch, endpoint)
        for told in refusals("s3://weather/era5.zarr"):
            assert re.match(r"s3://weather/era5.zarr.* may not be read \(403\); the credentials found may not", told)


def test_no_keys(s3, monkeypatch):
    s3.make("public-to-read")
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.endpoint)
    with pytest.raises(
        wml.UserError, match=r"lease may not be written \(403\); it was asked without .*: set AWS_ACCESS"
    ):
        wml.ingest(SOURCE, "s3://public-to-read/era5.zarr")


def test_without_keys_the_role_of_a_machine_in_a_cloud_is_taken(s3, monkeypatch):
    s3.make("of-the-role")
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
    for name in ("AWS_ENDPOINT_URL", "AWS_METADATA_ENDPOINT"):  # which the same server plays
        monkeypatch.setenv(name, s3.endpoint)
    wml.ingest(SOURCE, "s3://of-the-role/era5.zarr")
    assert wml.open_store("s3://of-the-role/era5.zarr").load().sizes["time"] == 2


def test_a_server_that_passes_over_conditions(monkeypatch):
    with answering(200) as endpoint:
        with_keys(monkeypatch, endpoint)
        with pytest.raises(wml.UserError, match=r"of s3://weather/era5.zarr knows no conditional writes, .* copy the"):
            wml.ingest(SOURCE, "s3://weather/era5.zarr")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://host/era5.zarr", r"is a URL of no bucket \(s3://, gs://, az://\)"),
        ("s3://me:geheim@weather/era5.zarr", "s3://weather/era5.zarr: a URL with a password or a query is not read"),
        ("file://data/era5.zarr", "a file of the machine 'data'; .* three slashes, file:///data/era5.zarr"),
        ("file://", "file:// names no folder"),
        ("s3:///era5.zarr", "s3:///era5.zarr names no bucket; .* s3://BUCKET/era5.zarr"),
        ("az://weather/era5.zarr", "set AZURE_STORAGE_ACCOUNT_NAME"),
    ],
)
def test_addresses_that_mean_no_bucket(url, words):
    for told in refusals(url):
        assert re.search(words, told)


def test_a_url_of_a_folder_is_that_folder(tmp_path):
    wml.ingest(SOURCE, f"file://{tmp_path}/era5.zarr")
    assert wml.open_store(tmp_path / "era5.zarr").sizes["time"] == 2
