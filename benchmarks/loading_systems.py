"""Draws random training samples by one system, in a process of its own; `loading.py` starts it and says how.

Each system yields once when it is ready, and then the bytes of batches of windows of two times, normalised: float32
`[sample, 2, channel, lat, lon]`, or what it calls so. Peers are used as their users do: FourCastNet's files behind
torch's DataLoader, `open_dataset` of anemoi, a generator of xbatcher; their workers are processes. Nothing of weatherml
is imported for them.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

N_CHANNELS = 69


def batches_of(starts: list[int], size: int) -> list[list[int]]:
    return [starts[first : first + size] for first in range(0, len(starts) - size + 1, size)]


def raw(task: dict[str, Any]) -> Iterator[int]:
    """Read the same bytes by `preadv` into arrays that are used again, and do nothing with them."""
    chunks = json.loads(Path(task["chunks"]).read_text())  # of each time: [file, offset, bytes]
    files = {name: os.open(name, os.O_RDONLY) for pieces in chunks for name, _, _ in pieces}
    most = max(size for pieces in chunks for _, _, size in pieces)
    buffers = np.zeros((task["size"], 2, len(chunks[0]), most), np.uint8)

    def read(work: tuple[int, int, int]) -> int:
        sample, step, start = work
        total = 0
        for place, (name, offset, size) in enumerate(chunks[start + step]):
            total += os.preadv(files[name], [buffers[sample, step, place, :size]], offset)
        return total

    yield 0  # ready
    with ThreadPoolExecutor(task["workers"]) as pool:
        for batch in batches_of(task["starts"], task["size"]):
            work = [(sample, step, start) for sample, start in enumerate(batch) for step in (0, 1)]
            yield sum(pool.map(read, work))


def weatherml(task: dict[str, Any]) -> Iterator[int]:
    """Our loader; the starts are its own, of which a run without repeats takes each time once."""
    from weatherml.data.loading.loader import Loader
    from weatherml.data.loading.order import Order
    from weatherml.data.loading.samples import Samples
    from weatherml.data.statistics.channel_statistics import Statistics
    from weatherml.data.statistics.forcings import Forcings
    from weatherml.data.statistics.normalization import Normalizer
    from weatherml.data.store.opening import open_store
    from weatherml.process.heap import keep_freed_memory

    keep_freed_memory()

    class Given(Order):
        def batch(self, position: int) -> list[int]:
            own = batches_of(task["starts"], task["size"])
            return own[position % len(own)]

    normalizer = Normalizer(Statistics.load(task["statistics"]))
    forcings = Forcings((), normalizer.spec.grid, normalizer.statistics.time_step)
    store = open_store(task["data"])
    samples = Samples(store, normalizer, forcings, 1, ("1900", "2100"), task["memory"])
    if samples.memory_left != task["memory"]:
        raise SystemExit("the period is held; write a longer one")
    yield 0
    loader = Loader(samples, Given(len(samples), task["size"], 0), n_threads=task["workers"])
    for _ in batches_of(task["starts"], task["size"]):
        yield next(loader).state.nbytes
    loader.close()


def _by_torch(dataset: Any, task: dict[str, Any]) -> Iterator[int]:
    from torch.utils.data import DataLoader

    loader = DataLoader(dataset, task["size"], sampler=task["starts"], num_workers=task["workers"], drop_last=True)
    yield 0
    for batch in loader:
        yield batch.numel() * 4


def hdf5(task: dict[str, Any]) -> Iterator[int]:
    """FourCastNet's files, `fields[time, channel, lat, lon]`, read and normalised as its data loader does."""
    import h5py
    import torch

    class Fields(torch.utils.data.Dataset):
        file = None

        def __init__(self) -> None:
            self.mean, self.std = (np.load(task[name]).astype(np.float32)[:, None, None] for name in ("mean", "std"))

        def __len__(self) -> int:
            return task["n_times"] - 1

        def __getitem__(self, start: int) -> Any:
            if self.file is None:
                self.file = h5py.File(task["data"], "r")["fields"]
            fields = self.file[start : start + 2]
            fields -= self.mean
            fields /= self.std
            return torch.as_tensor(fields)

    return _by_torch(Fields(), task)


def anemoi(task: dict[str, Any]) -> Iterator[int]:
    """`open_dataset`, normalised where it is read."""
    import torch
    from anemoi.datasets import open_dataset

    class Fields(torch.utils.data.Dataset):
        def __init__(self) -> None:
            self.dataset = open_dataset(task["data"])
            self.mean, self.std = (
                self.dataset.statistics[n][:, None, None].astype(np.float32) for n in ("mean", "stdev")
            )

        def __len__(self) -> int:
            return len(self.dataset) - 1

        def __getitem__(self, start: int) -> Any:
            fields = self.dataset[start : start + 2]
            fields -= self.mean
            fields /= self.std
            return torch.as_tensor(fields)

    return _by_torch(Fields(), task)


def xbatcher(task: dict[str, Any]) -> Iterator[int]:
    """A generator of windows over the store that our loader reads, normalised where it is read."""
    import torch
    import xarray as xr
    import xbatcher as xb

    dataset = xr.open_zarr(task["data"], chunks=None)
    fields = dataset[[name for name in dataset if "time" in dataset[name].dims]]
    generator = xb.BatchGenerator(fields, {**fields.sizes, "time": 2}, {"time": 1})
    means, stds = (np.load(task[name]).astype(np.float32)[:, None, None] for name in ("mean", "std"))

    class Windows(torch.utils.data.Dataset):
        def __len__(self) -> int:
            return len(generator)

        def __getitem__(self, start: int) -> Any:
            window = generator[start].load()
            maps = [field.values.reshape(2, -1, *field.shape[-2:]) for field in window.values()]
            state = np.concatenate(maps, axis=1)
            state -= means
            state /= stds
            return torch.as_tensor(state)

    return _by_torch(Windows(), task)


def cpu_seconds() -> float:
    """Return the CPU time of this process and of workers that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(own.ru_utime + own.ru_stime for own in used)


def main() -> None:
    task = json.loads(sys.argv[1])
    batches = globals()[task["system"]](task)
    next(batches)
    cpu_before, first = cpu_seconds(), sum(draw(batches, task["step"])[1] for _ in range(task["skip"]))
    started, waited, n_bytes = time.perf_counter(), 0.0, 0
    while (drawn := draw(batches, task["step"]))[1]:
        waited += drawn[0]
        n_bytes += drawn[1]
    told = {"bytes": n_bytes, "waited": waited, "seconds": time.perf_counter() - started}
    # Of all batches: what workers took is known only when they have ended.
    print(json.dumps(told | {"cpu": (cpu_seconds() - cpu_before) * n_bytes / (n_bytes + first)}), flush=True)


def draw(batches: Iterator[int], step: float) -> tuple[float, int]:
    """Return the seconds that a batch was waited for, and its bytes, none after the last; then compute with it."""
    asked = time.perf_counter()
    n_bytes = next(batches, 0)
    waited = time.perf_counter() - asked
    time.sleep(step if n_bytes else 0)
    return waited, n_bytes


if __name__ == "__main__":
    main()
