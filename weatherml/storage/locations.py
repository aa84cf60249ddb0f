"""Paths and URLs: the one place that tells them apart, so that a URL is never taken for a folder of that name."""

import re
from pathlib import Path

from weatherml.errors import UserError
from weatherml.errors.secrecy import without_secrets

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/+")  # one letter is a drive
_ONE_SLASH = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]+):/(?!/)")  # what `Path` makes of two or three

_ZARR = ("zarr.json", ".zgroup")
_OF_FILES = frozenset(
    ".nc .nc4 .cdf .netcdf .grib .grib2 .grb .grb2 .h5 .hdf5 .csv .txt .json .yaml .yml .html .png .pdf .svg".split()
)


def is_url(place: str | Path) -> bool:
    """Return whether a place is a URL such as `gs://bucket/data.zarr`, also one that `Path` has been made of."""
    return _SCHEME.match(str(place)) is not None


def local_path(place: str | Path) -> Path:
    """Return a path on this machine.

    Raises:
        UserError: It is a URL, or empty, which would be taken for the current folder.
    """
    if not str(place):
        raise UserError("a path is empty; name a file or a folder, '.' for the current one")
    if is_url(place):
        raise UserError(
            f"{shown(place)} is a URL, which only a zarr store may be that is read, or that ingest writes to a bucket;"
            " pass a path: mount the bucket, or copy from there and to there"
        )
    return Path(place)


def local_folder(place: str | Path, what: str = "a folder", otherwise: str = "choose another name") -> Path:
    """Return a path on this machine where a folder may be made.

    Args:
        place: Its name.
        what: What is made there, for the message.
        otherwise: What to do instead.

    Raises:
        UserError: It is a URL or empty, it lies in a zarr store, whose readers would find it there, or it ends as a
            file of another format does, which others would take it for.
    """
    path = local_path(place)
    for folder in path.absolute().parents:
        if any((folder / file).exists() for file in _ZARR):
            raise UserError(f"{path} lies in the zarr store {folder}; choose a place outside of it")
    if path.suffix.lower() in _OF_FILES:
        raise UserError(f"{path} ends in {path.suffix} as files do, but {what} is made there; {otherwise}")
    return path


def shown(place: str | Path) -> str:
    """Return a place as messages tell it: of a URL no user, no password, no query."""
    if not is_url(place):
        return str(place)
    return without_secrets(re.split(r"[?#]", re.sub(r"[\s'\"]", "%20", as_url(place)))[0])


def path_or_url(place: str | Path) -> Path | str:
    """Return a path on this machine, or a URL as text.

    Raises:
        UserError: It is empty.
    """
    return as_url(place) if is_url(place) else local_path(place)


def as_url(place: str | Path) -> str:
    """Return a URL with the slashes that `Path` makes one of; text that has them stays as it is."""
    return _ONE_SLASH.sub(lambda found: f"{found[1]}:///" if found[1] == "file" else f"{found[1]}://", str(place))
