"""Tensors of ONNX files: found wherever they are, read as they were written, and none of a file that is not whole."""

import numpy as np
import pytest
from onnx_writer import Tensor, before, node, number, tensor_header, text, write_onnx

from weatherml.errors import UserError
from weatherml.pretrained.onnx_file import open_onnx

VALUES = np.arange(6, dtype=np.float32).reshape(2, 3) / 4


def write_model(path, *graph_fields):
    path.write_bytes(number(1, 8) + text(7, b"".join(graph_fields)))
    return path


def initializer(content):
    return text(5, content)


def refusal(path):
    with pytest.raises(UserError) as refused:
        open_onnx(path)
    message = str(refused.value)
    assert str(path) in message
    assert "\n" not in message
    return message


@pytest.mark.parametrize("dtype", ["float32", "float16", "float64"])
def test_floating_point_types_are_read_as_float32(tmp_path, dtype):
    header = tensor_header("w", (2, 3), dtype)
    (tensor,) = open_onnx(
        write_model(tmp_path / "m.onnx", initializer(header + text(9, VALUES.astype(dtype).tobytes())))
    )
    assert (tensor.name, tensor.shape, tensor.read().dtype) == ("w", (2, 3), np.float32)
    np.testing.assert_array_equal(tensor.read(), VALUES)


def test_packed_values_and_packed_sizes_are_read(tmp_path):
    header = text(1, bytes([2, 3])) + number(2, 1) + text(8, "w")
    (tensor,) = open_onnx(write_model(tmp_path / "m.onnx", initializer(header + text(4, VALUES.tobytes()))))
    np.testing.assert_array_equal(tensor.read(), VALUES)


def test_integers_are_no_weights(tmp_path):
    header = tensor_header("shape", (2,), "int64") + text(9, bytes(16))
    assert open_onnx(write_model(tmp_path / "m.onnx", initializer(header))) == []


def test_scalars_and_empty_tensors_are_read(tmp_path):
    scalar = tensor_header("scalar", ()) + text(9, np.float32(2.5).tobytes())
    empty = tensor_header("empty", (0, 3))
    found = open_onnx(write_model(tmp_path / "m.onnx", initializer(scalar), initializer(empty)))
    assert [(tensor.name, tensor.read().shape) for tensor in found] == [("scalar", ()), ("empty", (0, 3))]
    assert found[0].read() == 2.5


def test_constants_have_the_name_of_their_node(tmp_path):
    tensors = [
        Tensor("w", (2, 3), lambda: VALUES),
        Tensor("/b1/Constant_9", (3, 2), lambda: VALUES.T, is_constant=True),
    ]
    found = {tensor.name: tensor for tensor in open_onnx(write_onnx(tmp_path / "m.onnx", tensors))}
    assert set(found) == {"w", "/b1/Constant_9"}
    np.testing.assert_array_equal(found["/b1/Constant_9"].read(), VALUES.T)


def test_the_first_operation_that_reads_a_tensor_is_known(tmp_path):
    tensors = [Tensor(name, (2, 3), lambda: VALUES, name == "c") for name in "abcd"]
    nodes = [node("MatMul", ["x", "b"]), node("Conv", ["y", "c_output_0", "a"]), node("Add", ["b", "a"])]
    uses = {tensor.name: tensor.first_use for tensor in open_onnx(write_onnx(tmp_path / "m.onnx", tensors, nodes))}
    assert uses == {"b": (0, 1), "c": (1, 1), "a": (1, 2), "d": None}


def test_values_in_another_file_are_refused(tmp_path):
    for marked in (text(13, text(1, "location") + text(2, "weights.bin")), number(14, 1)):
        path = write_model(tmp_path / "m.onnx", initializer(tensor_header("w", (2, 3)) + marked))
        assert "'w' in another file" in refusal(path)


def test_a_file_cut_anywhere_is_refused(tmp_path):
    tensors = [Tensor("w", (2, 3), lambda: VALUES), Tensor("c", (3, 2), lambda: VALUES.T, is_constant=True)]
    whole = write_onnx(tmp_path / "m.onnx", tensors, [node("MatMul", ["x", "w"])]).read_bytes()
    trailer = len(text(8, b"\x10\x11"))
    for n_bytes in range(len(whole) - trailer):
        (tmp_path / "cut.onnx").write_bytes(whole[:n_bytes])
        assert "copy it again" in refusal(tmp_path / "cut.onnx")


@pytest.mark.parametrize("n_bytes", [20, 28])
def test_a_tensor_of_another_size_than_its_values_is_refused(tmp_path, n_bytes):
    path = write_model(tmp_path / "m.onnx", initializer(tensor_header("w", (2, 3)) + text(9, bytes(n_bytes))))
    assert "'w' of shape (2, 3) does not hold 24 bytes" in refusal(path)


@pytest.mark.parametrize(
    "content",
    [b"weights\n", b"PK\x03\x04" + bytes(100), b"\xff" * 40, bytes(40), number(1, 8), before(7, 0) + before(7, 0)],
)
def test_what_is_no_model_is_refused(tmp_path, content):
    (tmp_path / "m.onnx").write_bytes(content)
    assert "is no whole ONNX model" in refusal(tmp_path / "m.onnx")


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    assert "No such file" in refusal(tmp_path / "nothing.onnx")
    assert "directory" in refusal(tmp_path)
