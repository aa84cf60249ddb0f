"""A server of S3 on this machine, in a process of its own, for tests of stores in buckets."""

import contextlib
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass

import obstore
from obstore.store import S3Store

KEYS = {"AWS_ACCESS_KEY_ID": "me", "AWS_SECRET_ACCESS_KEY": "geheim", "AWS_REGION": "us-east-1"}


@dataclass(frozen=True)
class Server:
    """Where a server answers."""

    endpoint: str

    @property
    def environment(self) -> dict[str, str]:
        """What programs need to reach it."""
        return {**KEYS, "AWS_ENDPOINT_URL": self.endpoint}

    def make(self, bucket: str) -> None:
        """Make a bucket."""
        urllib.request.urlopen(urllib.request.Request(f"{self.endpoint}/{bucket}", method="PUT"))


@contextlib.contextmanager
def s3_server() -> Iterator[Server]:
    """Start a server; its process ends with the block."""
    words = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        line = next(line for line in process.stdout if "Running on" in line)
        threading.Thread(target=process.stdout.read, daemon=True).start()  # what it tells of requests must go somewhere
        yield Server(line.split()[-1])
    finally:
        process.kill()
        process.communicate()


def keys_of(url: str) -> list[str]:
    """Return the paths of all objects below a prefix."""
    return [found["path"] for found in obstore.list(_store(url)).collect()]


def contents_of(url: str) -> dict[str, bytes]:
    """Return every object below a prefix by its path, as `fake_data.contents` does of a folder."""
    store = _store(url)
    return {key: bytes(obstore.get(store, key).bytes()) for key in keys_of(url)}


def put_contents(url: str, contents: dict[str, bytes]) -> None:
    """Make what lies below a prefix that which is given."""
    store = _store(url)
    obstore.delete(store, keys_of(url))
    for key, content in contents.items():
        obstore.put(store, key, content)


def _store(url: str) -> S3Store:
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    return S3Store(bucket, prefix=prefix, client_options={"allow_http": True})
