"""Folders that replace others: a kill between any two changes to the disk leaves the old one or the new one, whole."""

import os
import shutil
import threading

import pytest
from kills import killed_before_each_change

from weatherml.errors import UserError
from weatherml.storage import folders
from weatherml.storage.folders import locate, put_in_place, read_folder, replacing_folder


def write(path, content):
    with replacing_folder(path) as folder:
        (folder / "below").mkdir()
        for name in ("a", "below/b"):
            (folder / name).write_text(content)


def content(path):
    """Return what is in the whole folder; fail where a part is missing or of another one."""
    (whole,) = {(path / name).read_text() for name in ("a", "below/b")}
    return whole


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: None)  # a kill leaves what was written, flushed or not
    return tmp_path / "folder.v1"


def test_a_folder_takes_the_place_of_another(path):
    write(path, "old")
    write(path, "new")
    assert content(path) == "new"
    assert os.listdir(path.parent) == [path.name]


def test_killed_before_any_change_the_old_one_or_the_new_one_is_there(path):
    write(path, "old")
    seen = []
    for _ in killed_before_each_change(lambda: write(path, "new")):
        seen.append((path.exists(), content(locate(path))))
        assert content(path) == seen[-1][1], "located folders are put back"
        write(path, "old")
        assert os.listdir(path.parent) == [path.name]
    assert {whole for _, whole in seen} == {"old", "new"}
    assert (False, "old") in seen, "one kill came between the two renames"
    assert content(path) == "new"


def test_killed_before_any_change_what_the_next_one_writes_is_there(path):
    write(path, "old")
    for n in killed_before_each_change(lambda: write(path, "new")):
        write(path, f"after {n}")
        assert content(path) == f"after {n}"
        assert os.listdir(path.parent) == [path.name]


def test_killed_while_what_a_kill_left_is_put_back_it_is_still_there(path):
    write(path, "old")
    aside = path.with_name(f".{path.name}.old")
    path.rename(aside)
    for _ in killed_before_each_change(lambda: locate(path)):
        assert content(locate(path)) == "old"
        path.rename(aside)
    assert content(path) == "old"


@pytest.mark.parametrize("is_put_back", [True, False])
def test_a_second_rename_that_fails_loses_nothing(path, monkeypatch, is_put_back):
    write(path, "old")

    def rename(source, target, original=os.rename):
        if source.name.endswith(".new") or (target == path and not is_put_back):
            raise OSError(5, "Input/output error")
        original(source, target)

    with monkeypatch.context() as patched, pytest.raises(UserError, match="Input/output error"):
        patched.setattr(os, "rename", rename)
        write(path, "new")
    assert path.exists() == is_put_back
    assert content(locate(path)) == "old"


def test_what_was_moved_aside_is_read_where_it_lies_if_it_cannot_be_put_back(path, monkeypatch):
    write(path, "old")
    path.rename(path.with_name(f".{path.name}.old"))

    def refuse(*_, **__):
        raise PermissionError(13, "Read-only file system")

    monkeypatch.setattr(folders.os, "rename", refuse)
    assert content(locate(path)) == "old"


def test_what_was_deleted_by_hand_does_not_come_back_in_part(path):
    """A kill in the deletion of the old one, then the new one goes: half of the old one must not take its place."""
    write(path, "old")
    for _ in killed_before_each_change(lambda: write(path, "new")):
        if path.exists():
            shutil.rmtree(path)
        found = locate(path)
        assert not found.exists() or content(found) == "old"
        write(path, "old")


def test_a_block_that_fails_leaves_what_was_there_and_nothing_else(path):
    write(path, "old")
    with pytest.raises(RuntimeError), replacing_folder(path) as folder:
        (folder / "a").write_text("new")
        raise RuntimeError
    assert content(path) == "old"
    assert os.listdir(path.parent) == [path.name]


def test_one_at_a_time_writes_a_folder(path):
    refusals = []

    def meet():
        with pytest.raises(UserError) as refusal, replacing_folder(path, wait=0):
            raise AssertionError
        refusals.append(str(refusal.value))

    with replacing_folder(path) as folder:
        (folder / "a").write_text("first")
        second = threading.Thread(target=meet)
        second.start()
        second.join()
    assert refusals == [f"another process is at work on {path}; wait for it, or choose another path"]
    assert (path / "a").read_text() == "first"


def test_a_neighbour_with_a_longer_name_is_left_alone(path):
    write(path, "old")
    neighbour = path.with_name(f"{path.name}.zarr")
    write(neighbour, "neighbour")
    neighbour.rename(neighbour.with_name(f".{neighbour.name}.old"))
    write(path, "new")
    assert content(locate(neighbour)) == "neighbour"


def test_what_is_read_while_it_is_replaced_is_of_one_version(path):
    write(path, "old")
    seen = []

    def read(folder):
        first = (folder / "a").read_text()
        seen.append(first)
        if len(seen) == 1:
            write(path, "new")
        return first, (folder / "below" / "b").read_text()

    assert read_folder(path, read) == ("new", "new")
    assert seen == ["old", "new"]


def test_what_cannot_be_read_is_an_error_of_the_reader(path):
    with pytest.raises(FileNotFoundError):
        read_folder(path, content)


def test_a_file_takes_the_place_of_another_in_one_act(tmp_path):
    path, new = tmp_path / "file", tmp_path / "new"
    path.write_text("old")
    for _ in killed_before_each_change(lambda: new.write_text("new") and put_in_place(new, path)):
        assert path.read_text() == "old"
    assert path.read_text() == "new"
