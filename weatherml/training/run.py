"""The folder of one training: what is where in it, and whose it is."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from weatherml.checkpoint import Checkpoint
from weatherml.config import Config
from weatherml.data.loading.samples import Samples
from weatherml.errors import UserError
from weatherml.parallel import broadcast, is_first, together
from weatherml.storage.files import write_bytes
from weatherml.storage.locks import alone_in
from weatherml.training.config import TrainingConfig
from weatherml.training.records.metrics import read_metrics
from weatherml.training.recovery.snapshots import has_begun
from weatherml.training.validation.glimpse import FOLDER

MAY_CHANGE: dict[str, Any] = {
    "memory": True,
    "mesh": True,
    "stages": {"__all__": {"mesh"}},
    "device_memory": {"remat", "accumulate", "offload"},
    "log_every": True,
    "snapshot_every": True,
    "snapshots_kept": True,
    "non_finite": True,
    "most_non_finite": True,
    "watchdog": True,
    "profile_steps": True,
}
"""Settings that may differ from one time to the next: machines do, what is noted, and what is done about mishaps.

Not `validate_every`, which says among which weights the best are looked for.
"""


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

    @property
    def glimpse(self) -> Path:
        """A forecast at the best validation, the analysis, and the spectra of both."""
        return self.directory / FOLDER

    def metrics(self) -> list[dict[str, Any]]:
        """Return the entries of `metrics.jsonl`, in order of `step`."""
        return read_metrics(self.directory / "metrics.jsonl")


@contextmanager
def claimed(
    run: Run, config: TrainingConfig, models: tuple[Checkpoint, Checkpoint | None], samples: Mapping[str, Samples]
) -> Iterator[None]:
    """Keep the folder for this training, while it goes on and from one time to the next; of processes the first does.

    Args:
        run: The folder.
        config: Of the training.
        models: What is trained; and the model of whose forecasts that is trained, if it is a diagnostic.
        samples: By name.

    Raises:
        UserError: Another program is training there; the folder belongs to another configuration, model or data; or
            processes that train together were given different ones: the message says which key differs.
    """
    # Through JSON and back, so that tuples and lists compare equal.
    description = json.loads(
        json.dumps(
            {
                "training": config.model_dump(mode="json", exclude=MAY_CHANGE),
                **_meshes(config),
                **_describe(models[0]),
                "forecasts": None if models[1] is None else _describe(models[1]),
                **_describe_samples(samples),
            }
        )
    )
    first = broadcast(description)
    with ExitStack() as held:
        together(lambda: _claim(held, run, description) if is_first() else _require_same(first, description))
        yield


def _claim(held: ExitStack, run: Run, description: Mapping[str, Any]) -> None:
    """Lock the folder, and write down whose it is, or compare; and on what mesh it is trained now.

    A folder without a snapshot is nobody's yet: what is trained there begins at the first step, as given then.
    """
    busy = f"another process is training in {run.directory}; wait for it, or choose another folder"
    held.enter_context(alone_in(run.directory, "training.lock", busy))
    file = run.directory / "training.json"
    written = _whose(file) if has_begun(run.snapshots) else {}
    own = {**(written or description), "mesh": description["mesh"], "meshes": description["meshes"]}
    # Folders of before hold settings that may change by now.
    own["training"] = {key: value for key, value in own.get("training", {}).items() if MAY_CHANGE.get(key) is not True}
    for key, before, now in _differences(own, description):
        if key == "data":
            raise UserError(
                f"the store has other content than when {run.directory} was trained: it has grown or changed since;"
                " compute statistics again, and train in another folder"
            )
        raise UserError(
            f"{run.directory} was trained with {key} = {before}, now it is {now}; set it back, or choose another folder"
        )
    if written != own:
        write_bytes(file, json.dumps(own, indent=1).encode())


def _whose(file: Path) -> dict[str, Any]:
    """Return what was written down of whose a folder is; nothing where that is not there."""
    try:
        written = json.loads(file.read_bytes()) if file.exists() else {}
    except ValueError:
        written = None
    if not isinstance(written, dict):
        raise UserError(
            f"{file} is damaged, and says no more how {file.parent} was trained; put it back from a copy, or delete it"
            " to go on with the configuration and data that are given now"
        )
    return written


def _require_same(first: Mapping[str, Any], description: Mapping[str, Any]) -> None:
    for key, there, here in _differences(first, description):
        raise UserError(
            f"{key} is {here} here, and {there} in the first process; give all the same configuration and data"
        )


def _differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Yield the keys in which two descriptions differ, with what each has."""
    before, now = (dict(_settings(tree)) for tree in (one, other))
    for key in sorted(before.keys() | now.keys()):
        if before.get(key) != now.get(key):
            yield key, _written(before.get(key)), _written(now.get(key))


def _meshes(config: TrainingConfig) -> dict[str, Any]:
    """Return on what meshes a training goes on: its own, and those that stages name."""
    told = config.model_dump(mode="json", include={"mesh": True, "stages": {"__all__": {"mesh"}}})
    return {"mesh": told["mesh"], "meshes": [stage["mesh"] for stage in told["stages"]]}


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
