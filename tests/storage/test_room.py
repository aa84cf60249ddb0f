"""Room on the disk: refused is only what cannot fit; what a disk refuses is one line with its remedy."""

import errno
import logging
import shutil
from collections import namedtuple

import pytest

from weatherml.errors import UserError
from weatherml.storage.room import explaining_errors, require_space


@pytest.fixture
def free(monkeypatch):
    """Return a function that says how many bytes are free."""
    usage = namedtuple("usage", "free")
    return lambda n: monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(n))


def test_what_may_fit_when_compressed_goes_on_with_a_warning(tmp_path, free, caplog):
    free(3 * 10**9)
    with caplog.at_level(logging.WARNING):
        require_space(tmp_path / "f.zarr", 4 * 10**9)
    (told,) = caplog.messages
    assert f"{tmp_path / 'f.zarr'} needs up to 4 GB" in told and "3 GB free" in told and "it goes on" in told


def test_what_fits_is_no_news(tmp_path, free, caplog):
    free(4 * 10**9)
    require_space(tmp_path / "f.zarr", 4 * 10**9)
    assert not caplog.messages


def test_what_cannot_fit_is_refused(tmp_path, free):
    free(10**9)
    with pytest.raises(UserError, match=r"needs up to 20 GB and .* has 1 GB free; make room, or keep fewer channels"):
        require_space(tmp_path / "new" / "f.zarr", 20 * 10**9)


@pytest.mark.parametrize(
    ("number", "remedy"),
    [(errno.ENOSPC, "make room"), (errno.EDQUOT, "make room"), (errno.ESTALE, "see to it, or choose another place")],
)
def test_what_a_disk_refuses_is_one_line_with_its_remedy(tmp_path, number, remedy):
    with pytest.raises(UserError) as refusal, explaining_errors(tmp_path, "checkpoint", "run the same forecast again"):
        raise OSError(number, "No")
    assert str(refusal.value) == f"cannot write checkpoint {tmp_path}: No; {remedy}, then run the same forecast again"
