"""A file comes over the network and goes on where it was cut off, in this process or the next."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from weatherml.data.sources.cds.service import Asset, JobGoneError, Service
from weatherml.errors import UserError
from weatherml.storage.room import explaining_errors

_CHUNK = 1 << 18
_FRUITLESS = 8
"""Answers in a row that bring nothing new."""
_GONE = (403, 404, 410)  # addresses of files are signed, and end


def fetch(
    service: Service, asset: Asset, partial: Path, version: str | None, begin: Callable[[str | None], None]
) -> None:
    """Have all bytes of a file on the disk, of which some may be there.

    Args:
        service: Where it lies.
        asset: The file.
        partial: Where its first bytes are, and all of them in the end.
        version: The ETag of those that are there; None where it is not known.
        begin: Told the ETag whenever the file comes from its first byte on.

    Raises:
        JobGoneError: It is no longer there.
        UserError: The service does not send it whole, or the disk refuses.
    """
    fruitless = 0
    while (here := _size(partial)) != asset.n_bytes:
        if fruitless == _FRUITLESS:
            raise UserError(f"{service.url} sends {here} of the {asset.n_bytes} bytes of a file; run again later")
        if here > asset.n_bytes:
            partial.unlink()
            here = 0
        answer = service.open(asset.url, here, version)
        with answer:
            if answer.status_code in _GONE:
                raise JobGoneError(f"its file is gone ({answer.status_code})")
            appends = answer.status_code == 206 and _first_byte(answer) == here
            if not appends:
                version = answer.headers.get("ETag")
                begin(version)
            _write(service, answer, partial, appends)
        is_further = _size(partial) > here
        fruitless = 0 if is_further else fruitless + 1
        if _size(partial) < asset.n_bytes:
            service.pause(min(2.0**fruitless / 2, 60))


def _write(service: Service, answer: Any, partial: Path, appends: bool) -> None:
    """Write what an answer brings until it ends or is cut off."""
    with explaining_errors(partial):
        file = partial.open("ab" if appends else "wb", buffering=0)
    with file:
        if answer.status_code not in (200, 206):
            return
        while chunk := _next(answer):
            with explaining_errors(partial):
                file.write(chunk)
            service.require_going_on()


def _next(answer: Any) -> bytes:
    """Return the bytes that have come; none at the end, or where it is cut off."""
    from urllib3.exceptions import HTTPError

    try:
        # What `requests` iterates over is whole chunks: one that is cut off would be lost.
        return bytes(answer.raw.read1(_CHUNK, decode_content=False))
    except HTTPError:
        return b""


def _first_byte(answer: Any) -> int:
    _, _, span = answer.headers.get("Content-Range", "").partition("bytes ")
    first = span.partition("-")[0]
    return int(first) if first.isdigit() else -1


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
