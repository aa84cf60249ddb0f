"""What phases of a run are done, on which inputs, and what they took."""

import hashlib
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from weatherml.storage.files import write_bytes

_BYTES_PER_MAXRSS = 1 if sys.platform == "darwin" else 1024


class Ledger:
    """A JSON file that outlives the process: one entry a finished phase."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def entries(self) -> dict[str, dict[str, Any]]:
        """Return the finished phases.

        Each has `inputs` (a digest), `seconds`, `cpu_seconds` of all cores, and `peak_memory_bytes` of its process.
        """
        if not self._path.exists():
            return {}
        content: dict[str, dict[str, Any]] = json.loads(self._path.read_text())
        return content

    def is_done(self, phase: str, inputs: str) -> bool:
        """Return whether the phase has ended on these inputs."""
        return self.entries().get(phase, {}).get("inputs") == inputs

    @contextmanager
    def timing(self, phase: str, inputs: str) -> Iterator[None]:
        """Enter the phase as finished once the block ends without an error."""
        start, cpu_start = time.perf_counter(), time.process_time()
        yield
        entry = {
            "inputs": inputs,
            "seconds": round(time.perf_counter() - start, 1),
            "cpu_seconds": round(time.process_time() - cpu_start, 1),
            "peak_memory_bytes": _peak_memory(),
        }
        write_bytes(self._path, json.dumps({**self.entries(), phase: entry}, indent=1).encode())


def _peak_memory() -> int:
    """Return the most memory that this process has had so far, bytes; 0 where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _BYTES_PER_MAXRSS


def digest_of(*parts: Any) -> str:
    """Return a fingerprint of plain values."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]
