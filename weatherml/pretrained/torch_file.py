"""Files of `torch.save`, read without PyTorch and without running anything that they contain.

Such a file is a zip archive: `data.pkl` describes nested containers whose tensors are views of storages, and `data/KEY`
holds the bytes of each storage. A pickle may call any function that it names; here it can name the three that build
tensors and dictionaries, and nothing else.
"""

import pickle
import zipfile
import zlib
from collections import OrderedDict
from dataclasses import dataclass
from io import BytesIO
from operator import index
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from weatherml.errors import UserError
from weatherml.storage.locations import local_path

_LEGACY_MAGIC = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"
"""First bytes of what PyTorch before 1.6 wrote: a pickled magic number."""


@dataclass(frozen=True, slots=True)
class Storage:
    """The bytes behind one or more tensors, still on disk: member `member` of the archive `path`."""

    path: Path
    member: str
    dtype: str


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A tensor that is still on disk.

    Attributes:
        storage: Where its elements are.
        offset: The first of them.
        shape: Of the tensor.
        strides: Elements from one index to the next along each axis.
    """

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def read(self) -> np.ndarray:
        """Read the tensor, and of the archive its storage only.

        Raises:
            UserError: The storage is missing, damaged, or smaller than the tensor.
        """
        path, member = self.storage.path, self.storage.member
        try:
            with zipfile.ZipFile(path) as archive:
                elements = np.frombuffer(archive.read(member), self.storage.dtype)
        except (OSError, KeyError, ValueError, RuntimeError, EOFError, zlib.error, zipfile.BadZipFile) as error:
            raise UserError(f"{path} is damaged: {member} cannot be read ({error}); copy it again") from None
        last = self.offset + sum((n - 1) * stride for n, stride in zip(self.shape, self.strides, strict=True))
        if min(self.offset, *self.shape, *self.strides, 0) < 0 or (0 not in self.shape and last >= len(elements)):
            raise UserError(f"{path} is damaged: a tensor of shape {self.shape} leaves {member}; copy it again")
        strides = [stride * elements.itemsize for stride in self.strides]
        view = np.lib.stride_tricks.as_strided(elements[self.offset :], self.shape, strides, writeable=False)
        return np.ascontiguousarray(view).reshape(self.shape)


def open_torch(path: str | Path) -> Any:
    """Read the containers of a file, leaving tensors on disk.

    Returns:
        Dictionaries, lists and numbers, with a `StoredTensor` for every tensor.

    Raises:
        UserError: The file is no such archive, is damaged, or names something that weights do not need.
    """
    path = local_path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            return _read_containers(path, archive)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; pass a file that torch.save wrote") from None
    except zipfile.BadZipFile:
        raise UserError(_explain(path)) from None
    except UserError:
        raise
    except Exception as error:  # a damaged directory may raise anything
        raise UserError(f"{path} is damaged: its directory cannot be read ({error}); copy it again") from None


def _read_containers(path: Path, archive: zipfile.ZipFile) -> Any:
    descriptions = [name for name in archive.namelist() if name.endswith("/data.pkl")]
    if len(descriptions) != 1:
        raise UserError(f"{path} is a zip archive without weights of PyTorch; pass a file that torch.save wrote")
    root = descriptions[0].removesuffix("data.pkl")
    if f"{root}byteorder" in archive.namelist() and archive.read(f"{root}byteorder") != b"little":
        raise UserError(f"{path} was written on a big-endian machine; load and save it again on another")
    try:
        return _Unpickler(archive.read(descriptions[0]), path, root).load()
    except UserError:
        raise
    except Exception as error:  # a damaged pickle may raise anything
        raise UserError(f"{path} is damaged: its {descriptions[0]} is no pickle ({error}); copy it again") from None


def _explain(path: Path) -> str:
    """Say what a file that is no zip archive is."""
    with open(path, "rb") as file:
        start = file.read(len(_LEGACY_MAGIC))
    if start == _LEGACY_MAGIC:
        return f"{path} is in the format of PyTorch before 1.6; torch.load and torch.save it again with a later one"
    if start.startswith(b"PK"):
        return f"{path} is cut off: the directory at the end of the archive is missing or damaged; copy it again"
    return f"{path} is no weights file: it is not the zip archive that torch.save writes; pass such a file"


class _RebuildTensor:
    """Stands for `torch._utils._rebuild_tensor_v2`; has no dictionary, so that a pickle cannot change it."""

    __slots__ = ()

    def __call__(self, storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> StoredTensor:
        if not isinstance(storage, Storage) or len(shape) != len(strides):
            raise TypeError("a tensor without storage or strides")
        return StoredTensor(storage, index(offset), tuple(map(index, shape)), tuple(map(index, strides)))


class _RebuildParameter:
    """Stands for `torch._utils._rebuild_parameter`: a parameter is its tensor."""

    __slots__ = ()

    def __call__(self, tensor: StoredTensor, *_: Any) -> StoredTensor:
        return tensor


_ALLOWED: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _RebuildTensor(),
    ("torch._utils", "_rebuild_parameter"): _RebuildParameter(),
    # Types of storages are only ever arguments: a name of ours does.
    ("torch", "DoubleStorage"): "float64",
    ("torch", "FloatStorage"): "float32",
    ("torch", "HalfStorage"): "float16",
    ("torch", "BFloat16Storage"): jnp.dtype("bfloat16").name,
    ("torch", "LongStorage"): "int64",
    ("torch", "IntStorage"): "int32",
    ("torch", "ShortStorage"): "int16",
    ("torch", "CharStorage"): "int8",
    ("torch", "ByteStorage"): "uint8",
    ("torch", "BoolStorage"): "bool",
}


class _Unpickler(pickle.Unpickler):
    """Builds containers and stored tensors; whatever else a pickle names is refused before it is imported."""

    def __init__(self, content: bytes, path: Path, root: str) -> None:
        super().__init__(BytesIO(content))
        self._path, self._root = path, root

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise UserError(
                f"{self._path} asks for {module}.{name}, which weights do not need and which may be harmful; it was not"
                " run: get the file from its publisher"
            )
        return _ALLOWED[module, name]

    def persistent_load(self, pid: Any) -> Storage:
        _, dtype, key, *_ = pid
        return Storage(self._path, f"{self._root}data/{key}", dtype)
