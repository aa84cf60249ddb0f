"""What is noted of a file is what the file is, in whatever order its chunks came; nothing is read again for it."""

import numpy as np
import pytest

from weatherml.data.store.layout import Layout
from weatherml.data.store.making.shard import ShardFile
from weatherml.data.store.manifest import FileNote

LAYOUT = Layout("temperature", ("time", "level", "latitude", "longitude"), (6, 3, 4, 8), (2, 1, 4, 8), (6, 3, 4, 8))
POSITIONS = list(np.ndindex(3, 3))


def write(path, order):
    values = np.random.default_rng(0).standard_normal((3, 3, 2, 1, 4, 8)).astype(np.float32)
    shard = ShardFile(path, LAYOUT, slice(0, 6))
    for position in order:
        shard.write(position, values[position])
    return shard


@pytest.mark.parametrize(
    "order",
    [
        POSITIONS,
        POSITIONS[::-1],
        sorted(POSITIONS, key=lambda p: p[::-1]),
        [*POSITIONS[:8], POSITIONS[2], POSITIONS[8]],
    ],
)
def test_the_note_is_that_of_the_file_and_the_bytes_do_not_tell_the_order(tmp_path, order):
    note = write(tmp_path / "one", order).finish()
    content = (tmp_path / "one").read_bytes()
    assert note == FileNote.of(content)
    write(tmp_path / "two", POSITIONS).finish()
    assert content == (tmp_path / "two").read_bytes()


def test_what_is_written_in_order_is_not_read_again(tmp_path):
    shard, read = write(tmp_path / "one", POSITIONS), []

    class Watched:
        def __init__(self, file):
            self.file = file

        def __getattr__(self, name):
            read.extend([name] if name.startswith("read") or name == "fileno" else [])
            return getattr(self.file, name)

    shard._file = Watched(shard._file)
    shard.finish()
    assert not read


def test_a_chunk_that_was_never_written_is_noticed(tmp_path):
    shard = write(tmp_path / "one", POSITIONS[:-1])
    with pytest.raises(ValueError, match="lacks chunks"):
        shard.finish()
    shard.abandon()
    assert not list(tmp_path.iterdir())
