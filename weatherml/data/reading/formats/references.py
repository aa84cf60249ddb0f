"""References of kerchunk and virtualizarr: chunks that lie in other files, opened as the zarr store that they make.

A reference is a JSON file or a folder of Parquet; what it names is read by byte ranges where it lies.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import xarray as xr

from weatherml.data.reading.formats.decoding import open_decoded
from weatherml.errors import UserError

_MOST_WORDS = 200
_ONLY_HERE = "only references to files on this machine are read"


def is_reference_folder(path: Path) -> bool:
    """Return whether a folder holds a reference in Parquet rather than a zarr store."""
    try:
        return b'"record_size"' in (path / ".zmetadata").read_bytes()
    except OSError:
        return False


def open_references(path: Path) -> xr.Dataset:
    """Open what a reference points to, lazily; leads stay numbers.

    Raises:
        UserError: It is no reference, or points to what is not there, too short, or not on this machine.
    """
    from zarr.storage import FsspecStore

    references = _read(path)
    _require_targets(path, references)
    try:
        store: Any = FsspecStore(references, read_only=True, path="")
        options = {"consolidated": False, "zarr_format": 2}
        return open_decoded(store, "zarr", str(path), {}, options)
    except UserError:
        raise
    except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        raise _unreadable(path, error) from None


def targets_of(path: Path) -> list[Path]:
    """Return the files that a reference points to.

    Raises:
        UserError: It is no reference.
    """
    return sorted({Path(target) for target, _ in _ranges(_read(path))})


def _read(path: Path) -> Any:
    """Return a reference as a file system; files that are named without a folder may lie beside it."""
    from fsspec.implementations.reference import ReferenceFileSystem

    try:
        found = ReferenceFileSystem(fo=str(path), asynchronous=True, skip_instance_cache=True)
        # Of a reference in Parquet `items` tells nothing of what it has not loaded yet.
        references = {key: found.references[key] for key in list(found.references)}
    except ImportError as error:
        if path.is_dir():
            raise UserError(f"{path} is a reference in Parquet ({error}); pip install fastparquet") from None
        raise UserError(f"{path} points elsewhere ({error}); {_ONLY_HERE}") from None
    except Exception as error:  # whatever JSON holds that is no reference
        raise _unreadable(path, error) from None
    if ".zgroup" not in references and ".zmetadata" not in references:
        raise UserError(f"{path} is JSON, but no reference of kerchunk; pass the files that hold the data")
    found.references = {key: _beside(path, value) for key, value in references.items()}
    return found


def _beside(path: Path, reference: Any) -> Any:
    if not isinstance(reference, list | tuple) or not reference:
        return reference
    target = str(reference[0]).removeprefix("file://")
    near = path.parent / target
    return [str(near) if not Path(target).exists() and near.exists() else target, *reference[1:]]


def _ranges(references: Any) -> Iterator[tuple[str, int]]:
    """Yield the file of each chunk and where in it the chunk ends, 0 for a whole file."""
    for reference in references.references.values():
        if isinstance(reference, list | tuple):
            yield str(reference[0]), sum(reference[1:]) if len(reference) > 1 else 0


def _require_targets(path: Path, references: Any) -> None:
    """Refuse chunks that are not there: zarr would read them as missing values, silently."""
    ends: dict[str, int] = {}
    for target, end in _ranges(references):
        ends[target] = max(end, ends.get(target, 0))
    for target, end in ends.items():
        if "://" in target:
            raise UserError(f"{path} points to {target}; {_ONLY_HERE}")
        if not Path(target).exists():
            raise UserError(
                f"{path} points to {target}, which does not exist; put it there or make the reference again"
            )
        if Path(target).stat().st_size < end:
            raise UserError(f"{path} points beyond the end of {target}; the file is cut off, or has been written anew")


def _unreadable(path: Path, error: Exception) -> UserError:
    reason = " ".join(str(error).split())[:_MOST_WORDS] or type(error).__name__
    return UserError(f"cannot read {path} as a reference of kerchunk ({reason}); make it again")
