"""What every test may lean on."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings
from tiny_experiment import Finished, write_config

# Compilation makes the first example slow; that is no failure.
settings.register_profile("weatherml", deadline=None)
settings.load_profile("weatherml")

# Tests and the programs they start share what they compile, and so does the next run: jax reads this on import.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path(__file__).resolve().parents[1] / ".jax_cache"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared():
    """Return a function from a path below the shared data to a file; the test skips where the file is absent."""

    def locate(path: str) -> Path:
        if not (SHARED / path).exists():
            pytest.skip(f"needs shared/{path} beside the checkout (reanalysis and reference data are not distributed)")
        return SHARED / path

    return locate


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory):
    """Return the one run of the whole road that tests look at, made by the real program; nobody writes to it."""
    folder = tmp_path_factory.mktemp("tiny")
    config = write_config(folder / "tiny.yaml")
    program = Path(sys.executable).with_name("weatherml")
    words = [program, "demo", config, "-o", folder / "run"]
    process = subprocess.run(words, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    return Finished(config, folder / "run", process.stdout)
