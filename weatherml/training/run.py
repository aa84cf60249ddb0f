"""The folder of one training: what is where in it, and whose it is."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from weatherml.checkpoint import Checkpoint
from weatherml.config import Config
from weatherml.data.loading.samples import Samples
from weatherml.errors import UserError
from weatherml.storage.files import write_bytes
from weatherml.storage.locks import alone_in
from weatherml.training.records.metrics import read_metrics

MAY_CHANGE = {"memory"}
"""Settings that may differ from one time to the next: machines do."""


@dataclass(frozen=True)
class Run:
    """A training, running or ended.

    Attributes:
        directory: Its folder.
    """

    directory: Path

    @property
    def best_checkpoint(self) -> Path:
        """The checkpoint with the lowest validation loss so far."""
        return self.directory / "checkpoints" / "best"

    @property
    def last_checkpoint(self) -> Path:
        """The checkpoint after the last optimiser step; there once the training has ended."""
        return self.directory / "checkpoints" / "last"

    @property
    def snapshots(self) -> Path:
        """Where the training goes on from."""
        return self.directory / "snapshots"

    def metrics(self) -> list[dict[str, Any]]:
        """Return the entries of `metrics.jsonl`, in order of `step`."""
        return read_metrics(self.directory / "metrics.jsonl")


@contextmanager
def claimed(run: Run, config: Config, start: Checkpoint, samples: Mapping[str, Samples]) -> Iterator[None]:
    """Keep the folder for this training, while it goes on and from one time to the next.

    Raises:
        UserError: Another process is training there; or the folder belongs to another configuration, model or data: the
            message says which key differs.
    """
    busy = f"another process is training in {run.directory}; wait for it, or choose another folder"
    with alone_in(run.directory, "training.lock", busy):
        _require_own(run, config, start, samples)
        yield


def _require_own(run: Run, config: Config, start: Checkpoint, samples: Mapping[str, Samples]) -> None:
    """Write down whose the folder is, or compare."""
    file = run.directory / "training.json"
    # Through JSON and back, so that tuples and lists compare equal.
    current = json.loads(
        json.dumps(
            {
                "training": config.model_dump(mode="json", exclude=MAY_CHANGE),
                **_describe(start),
                **_describe_samples(samples),
            }
        )
    )
    if not file.exists():
        write_bytes(file, json.dumps(current, indent=1).encode())
        return
    before, now = (dict(_settings(tree)) for tree in (json.loads(file.read_text()), current))
    for key in sorted(before.keys() | now.keys()):
        if before.get(key) != now.get(key):
            if key == "data":
                raise UserError(
                    f"the store has other content than when {run.directory} was trained: it has grown or changed since;"
                    " compute statistics again, and train in another folder"
                )
            old, new = _written(before.get(key)), _written(now.get(key))
            raise UserError(
                f"{run.directory} was trained with {key} = {old}, now it is {new};"
                " set it back, or choose another folder"
            )


def _describe(start: Checkpoint) -> dict[str, Any]:
    statistics = start.normalizer.statistics
    digest = hashlib.sha256()
    for array in (statistics.mean, statistics.std, statistics.difference_std, statistics.valid):
        digest.update(array.tobytes())
    return {
        "model": cast(Config, start.model).model_dump(mode="json"),
        "prediction": start.prediction,
        "forcings": start.forcings.names,
        "state": json.loads(start.spec.to_json()),
        "statistics": digest.hexdigest(),
        "data": start.provenance.data,
        # To six digits: other processors may draw the same weights with other last bits.
        "weights at the start": f"{sum(float(np.abs(array).sum()) for array in start.weights.values()):.6g}",
    }


def _describe_samples(samples: Mapping[str, Samples]) -> dict[str, Any]:
    return {
        f"{name} samples": [len(windows), str(windows.times(0)[0]), str(windows.times(len(windows) - 1)[-1])]
        for name, windows in samples.items()
    }


def _settings(tree: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield what can be set by its key: lists as a whole, of which no part can."""
    if not isinstance(tree, Mapping):
        yield prefix, tree
        return
    for key, value in tree.items():
        yield from _settings(value, f"{prefix}.{key}" if prefix else str(key))


def _written(value: Any) -> str:
    """Return a value as it is set: lists as YAML reads them."""
    return json.dumps(value) if isinstance(value, list) else repr(value)
