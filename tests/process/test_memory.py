import pytest

from weatherml.errors import UserError
from weatherml.process.memory import parse_memory
from weatherml.training import Stage, TrainingConfig


@pytest.mark.parametrize(
    ("text", "n_bytes"), [("4GiB", 2**32), ("800 MB", 8 * 10**8), ("1.5gib", 3 * 2**29), ("12b", 12), (2**20, 2**20)]
)
def test_amounts_are_read_as_people_write_them(text, n_bytes):
    assert parse_memory(text) == n_bytes


@pytest.mark.parametrize("text", ["9" * 400 + "GiB", "", "4", "GiB", "4 GiBs", "-1GiB", "0MB", 0, -3, True, None, 1.5])
def test_what_is_no_amount_is_refused(text):
    with pytest.raises(UserError, match="is no amount of memory; write it as 4GiB or 800MB"):
        parse_memory(text)


def test_a_configuration_keeps_what_was_written():
    stages = (Stage(n_steps=1, learning_rate=1e-3),)
    assert TrainingConfig(stages=stages, memory="800MB").memory == "800MB"
    with pytest.raises(UserError, match=r"memory.*is no amount of memory"):
        TrainingConfig(stages=stages, memory="much")
