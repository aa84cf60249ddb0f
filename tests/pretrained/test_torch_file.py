"""Files of torch.save: tensors are as PyTorch wrote them, nothing that a file contains is run, other files are refused.

`golden/torch_tensors.ckpt` and `golden/torch_legacy.ckpt` were written by PyTorch 2.13: `rows` is `arange(30) / 8` as
6 x 5, other entries are it in other types and views of it, and beside them is the state of an Adam optimiser.
"""

import io
import os
import pickle
import zipfile
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from torch_writer import pickled_dictionary, pickled_tensor, write_archive

from weatherml.errors import UserError
from weatherml.pretrained.torch_file import open_torch

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
ROWS = np.arange(30, dtype=np.float32).reshape(6, 5) / 8
VIEWS = {
    "transposed": ROWS.T,
    "every_second": ROWS[1:6:2, 1:4],
    "repeated": np.repeat(ROWS[:, :1], 4, axis=1),
    "scalar": ROWS[2, 3],
    "empty": ROWS[:0],
    "parameter": ROWS[4:],
}


@pytest.fixture
def whole():
    return GOLDEN / "torch_tensors.ckpt"


def refusal(path):
    with pytest.raises(UserError) as refused:
        read_all(open_torch(path))
    message = str(refused.value)
    assert str(path) in message
    assert "\n" not in message
    return message


def read_all(content):
    for tensor in content["model_state"].values():
        tensor.read()


@pytest.mark.parametrize("name", ["float32", "float64", "float16", "bfloat16", "int64"])
def test_every_type_is_read(whole, name):
    array = open_torch(whole)["model_state"][name].read()
    assert array.dtype.name == name
    np.testing.assert_array_equal(array.astype(np.float32), ROWS.astype(array.dtype).astype(np.float32))


@pytest.mark.parametrize("name", VIEWS)
def test_views_keep_offset_and_strides(whole, name):
    tensor = open_torch(whole)["model_state"][name]
    assert tensor.shape == VIEWS[name].shape
    np.testing.assert_array_equal(tensor.read(), VIEWS[name])


def test_numbers_and_containers_are_what_they_were(whole):
    content = open_torch(whole)
    assert (content["iters"], content["epoch"]) == (7, 2)
    assert content["optimizer_state_dict"]["param_groups"][0]["betas"] == (0.9, 0.999)


def test_only_what_is_asked_for_is_read(whole, tmp_path):
    wanted = open_torch(whole)["model_state"]
    members = {tensor.storage.member for tensor in wanted.values()}
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(tmp_path / "lean.ckpt", "w") as lean:
        for name in old.namelist():
            if "/data/" not in name or name in members:
                lean.writestr(name, old.read(name))
    assert (tmp_path / "lean.ckpt").stat().st_size < whole.stat().st_size
    read_all(open_torch(tmp_path / "lean.ckpt"))


class Calls:
    """Pickles as a call of any function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


ATTACKS = {
    "system": lambda mark: pickle.dumps(Calls(os.system, f"touch {mark}"), 2),
    "newer protocol": lambda mark: pickle.dumps(Calls(os.system, f"touch {mark}"), 4),
    "eval": lambda mark: pickle.dumps(Calls(eval, f"open({str(mark)!r}, 'w')"), 2),
    "open": lambda mark: pickle.dumps(Calls(open, str(mark), "w"), 2),
    "inst": lambda mark: f"(S'touch {mark}'\nios\nsystem\n.".encode(),
    "through an allowed class": lambda mark: b"\x80\x04\x8c\x0bcollections\x8c\x14OrderedDict.__init__\x93.",
    "through an allowed module": lambda mark: b"ccollections\nnamedtuple\n.",
    "another function of torch": lambda mark: b"ctorch._utils\n_import_dotted_name\n(S'os.system'\ntR.",
    "getattr": lambda mark: b"cbuiltins\ngetattr\n.",
    "hidden among weights": lambda mark: pickle.dumps(
        {"model_state": OrderedDict(a=Calls(os.system, f"touch {mark}"))}
    ),
    "persistent": lambda mark: b"(S'storage'\ncposix\nsystem\nS'0'\nS'cpu'\nI1\ntQ.",
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_code_in_a_pickle_is_named_and_not_run(tmp_path, attack):
    mark = tmp_path / "mark"
    message = refusal(write_archive(tmp_path / "evil.ckpt", ATTACKS[attack](mark)))
    assert "was not run" in message
    assert not mark.exists()


def test_the_attacks_work_on_an_ordinary_unpickler(tmp_path):
    for name in ("system", "newer protocol", "eval", "open", "inst", "hidden among weights"):
        mark = tmp_path / name.replace(" ", "")
        pickle.loads(ATTACKS[name](mark))
        assert mark.exists(), name


@pytest.mark.parametrize("name", ["_rebuild_tensor_v2", "_rebuild_parameter"])
def test_a_pickle_cannot_change_what_it_may_name(tmp_path, name):
    build = f"ctorch._utils\n{name}\n(N(dS'path'\nS'x'\nstb.".encode()  # setattr(function, "path", "x")
    assert "is damaged" in refusal(write_archive(tmp_path / "evil.ckpt", build))


def one_tensor(**changes):
    return pickled_dictionary(model_state=pickled_dictionary(a=pickled_tensor(**changes))) + b"."


def test_a_tensor_written_by_hand_is_read(tmp_path):
    path = write_archive(tmp_path / "a.ckpt", one_tensor(), {"0": np.arange(6, dtype="<f4").tobytes()})
    np.testing.assert_array_equal(open_torch(path)["model_state"]["a"].read(), [[0, 1, 2], [3, 4, 5]])


@pytest.mark.parametrize(
    "wrong",
    [
        {"offset": 1},
        {"offset": -1},
        {"shape": (3, 3)},
        {"strides": (4, 1)},
        {"strides": (-3, 1)},
        {"strides": (3,)},
        {"key": "1"},
        {"key": "../data.pkl"},
    ],
)
def test_a_tensor_outside_its_storage_is_refused(tmp_path, wrong):
    path = write_archive(tmp_path / "a.ckpt", one_tensor(**wrong), {"0": np.arange(6, dtype="<f4").tobytes()})
    assert "is damaged" in refusal(path)


def test_a_file_cut_anywhere_is_refused(whole, tmp_path):
    content = whole.read_bytes()
    for n_bytes in range(1, len(content), 97):
        path = tmp_path / "cut.ckpt"
        path.write_bytes(content[:n_bytes])
        assert "copy it again" in refusal(path) or n_bytes < 4


def test_damage_anywhere_is_one_line_or_harmless(whole, tmp_path):
    content, rng, path = whole.read_bytes(), np.random.default_rng(0), tmp_path / "damaged.ckpt"
    for _ in range(60):
        damaged = np.frombuffer(content, np.uint8).copy()
        damaged[rng.integers(0, len(damaged), 12)] = rng.integers(0, 256, 12)
        path.write_bytes(damaged.tobytes())
        with suppress(UserError):
            for tensor in open_torch(path)["model_state"].values():
                tensor.read()


def test_a_flipped_bit_in_a_weight_is_noticed(whole, tmp_path):
    with zipfile.ZipFile(whole) as archive:
        member = open_torch(whole)["model_state"]["float64"].storage.member
        place = archive.getinfo(member).header_offset + 200
    content = bytearray(whole.read_bytes())
    content[place] ^= 1
    (tmp_path / "flipped.ckpt").write_bytes(content)
    assert "is damaged" in refusal(tmp_path / "flipped.ckpt")


def npz(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


FOREIGN = {
    "text": (b"weights\n", "is no weights file"),
    "empty": (b"", "is no weights file"),
    "pickle": (pickle.dumps({"model_state": {}}), "is no weights file"),
    "arrays": (npz(a=ROWS), "without weights of PyTorch"),
    "legacy": ((GOLDEN / "torch_legacy.ckpt").read_bytes(), "PyTorch before 1.6"),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_what_is_no_such_file_is_refused(tmp_path, kind):
    content, reason = FOREIGN[kind]
    (tmp_path / "file.ckpt").write_bytes(content)
    assert reason in refusal(tmp_path / "file.ckpt")


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    assert "No such file" in refusal(tmp_path / "nothing.ckpt")
    assert "directory" in refusal(tmp_path)


@pytest.mark.parametrize(
    "pickled", [b"", b"N", b"\x80\x02}q\x00", b"(I1\n", b"\x00\x01\x02", b"ctorch\nFloatStorage\n)R."]
)
def test_a_damaged_pickle_is_refused(tmp_path, pickled):
    assert "is damaged" in refusal(write_archive(tmp_path / "a.ckpt", pickled))


def test_weights_of_a_big_endian_machine_are_refused(tmp_path):
    path = write_archive(tmp_path / "a.ckpt", one_tensor(), {"0": bytes(24)})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("archive/byteorder", "big")
    assert "big-endian" in refusal(path)
