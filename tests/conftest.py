"""What every test may lean on."""

from pathlib import Path

import pytest
from hypothesis import settings

# Compilation makes the first example slow; that is no failure.
settings.register_profile("weatherml", deadline=None)
settings.load_profile("weatherml")

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared():
    """Return a function from a path below the shared data to a file; the test skips where the file is absent."""

    def locate(path: str) -> Path:
        if not (SHARED / path).exists():
            pytest.skip(f"needs shared/{path} beside the checkout (reanalysis and reference data are not distributed)")
        return SHARED / path

    return locate
