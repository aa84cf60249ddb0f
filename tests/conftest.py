"""What every test may lean on."""

import atexit
import gc
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from filelock import FileLock
from hypothesis import settings
from tiny_experiment import Finished, write_config

# Compilation makes the first example slow; that is no failure.
settings.register_profile("weatherml", deadline=None)
settings.load_profile("weatherml")

# Tests and the programs they start share what they compile, and so does the next run: jax reads this on import.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path(__file__).resolve().parents[1] / ".jax_cache"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")

# What is compiled here runs for milliseconds: optimising its machine code would take longer; jax reads this, too.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")

# What is learnt of files is kept apart from what the user's own programs have learnt.
os.environ["WEATHERML_CACHE"] = tempfile.mkdtemp(prefix="weatherml-tests-")
atexit.register(shutil.rmtree, os.environ["WEATHERML_CACHE"], ignore_errors=True)

# What a shell runs in the background is deaf to Ctrl-C, and so would be the programs that tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    """Begin with tests that fork: a process that has computed takes a hundred times as long to."""
    fork = {"killed_before_each_change", "run_and_kill"}
    items.sort(key=lambda item: fork.isdisjoint(dir(getattr(item, "module", None))))


def pytest_collection_finish():
    """Leave what was imported out of garbage collections, an eighth of the time of the tests."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000)


# Programs that tests start find what these lean on.
os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])

SHARED = Path(__file__).resolve().parents[2] / "shared"


@dataclass(frozen=True)
class SmallDisk:
    """A file system that is soon full."""

    folder: Path

    def fill(self, n_left):
        """Leave so many bytes free, in whole pages."""
        (self.folder / "filler").unlink(missing_ok=True)
        space = os.statvfs(self.folder)
        (self.folder / "filler").write_bytes(bytes(max(space.f_bavail * space.f_frsize - n_left, 0)))

    def protect(self):
        """Let nothing more be written."""
        subprocess.run(["mount", "-o", "remount,ro", self.folder], check=True)

    def clear(self):
        (self.folder / "filler").unlink()


@pytest.fixture(scope="session")
def shared():
    """Return a function from a path below the shared data to a file; the test skips where the file is absent."""

    def locate(path: str) -> Path:
        if not (SHARED / path).exists():
            pytest.skip(f"needs shared/{path} beside the checkout (reanalysis and reference data are not distributed)")
        return SHARED / path

    return locate


@pytest.fixture(scope="module")
def optimised():
    """Have machine code optimised, for programs that run for seconds."""
    import jax

    chosen = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", False)
    yield
    jax.config.update("jax_disable_most_optimizations", chosen)


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory):
    """Return the one run of the whole road that tests look at, made by the real program; nobody writes to it.

    Processes that test side by side have a copy each of what the first one of them made.
    """
    base = tmp_path_factory.getbasetemp()
    made = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "tiny"
    with FileLock(made.with_suffix(".lock")):
        if not made.exists():
            _make_run(made)
    own = shutil.copytree(made, tmp_path_factory.mktemp("own") / "tiny")
    said = [(made / name).read_text().replace(str(made), str(own)) for name in ("stdout", "stderr")]
    return Finished(own / "tiny.yaml", own / "run", *said)


def _make_run(folder):
    folder.mkdir()
    config = write_config(folder / "tiny.yaml")
    program = Path(sys.executable).with_name("weatherml")
    words = [program, "demo", config, "-o", folder / "run"]
    process = subprocess.run(words, capture_output=True, text=True, check=False)
    if process.returncode:
        shutil.rmtree(folder)
    assert process.returncode == 0, process.stderr
    (folder / "stdout").write_text(process.stdout)
    (folder / "stderr").write_text(process.stderr)


@pytest.fixture(scope="session")
def s3():
    """Return a server of S3 on this machine, in a process of its own."""
    pytest.importorskip("moto", reason="needs moto[server], a server of S3")
    pytest.importorskip("obstore", reason="needs obstore")
    from s3_server import s3_server

    with s3_server() as server:
        yield server


@pytest.fixture
def bucket(s3, monkeypatch):
    """Return the URL of a bucket of the test's own, which this process and those that it starts have the keys of."""
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    name = f"test-{uuid4().hex}"
    s3.make(name)
    return f"s3://{name}"


@pytest.fixture
def small_disk(tmp_path):
    """Return a file system of 3 MiB; the test skips where none may be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", folder]
    if shutil.which("mount") is None or subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a small file system (root in a container has it)")
    yield SmallDisk(folder)
    subprocess.run(["umount", "--lazy", folder], check=True)
