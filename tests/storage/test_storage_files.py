import resource

import pytest
from fake_data import analyses

from weatherml.errors import UserError
from weatherml.storage.files import replacing, write_bytes, write_netcdf


def test_a_file_is_replaced_only_when_the_new_one_is_whole(tmp_path):
    path = tmp_path / "file"
    write_bytes(path, b"old")
    with pytest.raises(RuntimeError), replacing(path) as partial:
        partial.write_bytes(b"ne")
        raise RuntimeError
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
    assert path.read_bytes() == b"old"


def test_folders_are_made(tmp_path):
    write_bytes(tmp_path / "new" / "folder" / "file", b"content")
    assert (tmp_path / "new" / "folder" / "file").read_bytes() == b"content"


def test_a_place_that_cannot_be_written_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UserError, match=r"cannot write .*/file/below: File exists"):
        write_bytes(tmp_path / "file" / "below", b"")


def test_a_netcdf_file_that_does_not_fit_is_a_clear_error_and_not_left(tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
        with pytest.raises(UserError, match=r"cannot write .*is the disk full"):
            write_netcdf(tmp_path / "file.nc", analyses(times=100))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(tmp_path.iterdir())


def test_a_netcdf_file_on_a_full_disk_is_said_to_find_no_room(small_disk):
    """Not that it may not be written, as the library says."""
    small_disk.fill(0)
    with pytest.raises(UserError, match=r"cannot write .*No space left on device; make room"):
        write_netcdf(small_disk.folder / "file.nc", analyses(times=3))
