"""What was written is on the disk, with the names that lead to it, before anything says that it is."""

import os

import pytest

from weatherml.storage.files import replacing
from weatherml.storage.flush import flush_all, flush_tree, make_folder
from weatherml.storage.folders import replacing_folder


@pytest.fixture
def acts(monkeypatch):
    """Return what was flushed and renamed, in order, by path."""
    seen = []

    def fsync(descriptor, original=os.fsync):
        seen.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        original(descriptor)

    def renaming(name):
        original = getattr(os, name)

        def rename(source, target):
            original(source, target)
            seen.append(f"{source} -> {target}")

        monkeypatch.setattr(os, name, rename)

    monkeypatch.setattr(os, "fsync", fsync)
    renaming("replace")
    renaming("rename")
    return seen


def test_a_file_is_flushed_before_it_gets_its_name_and_its_folder_after(tmp_path, acts):
    path = tmp_path / "new" / "file"
    with replacing(path) as partial:
        partial.write_text("content")
    above, *rest = acts
    assert above == str(tmp_path), "which has the name of the new folder"
    assert rest == [str(partial), f"{partial} -> {path}", str(path.parent)]


def test_a_folder_is_flushed_whole_before_it_gets_its_name_and_the_names_before_the_old_one_goes(tmp_path, acts):
    path = tmp_path / "folder"
    for _ in range(2):
        acts.clear()
        with replacing_folder(path) as folder:
            (folder / "below").mkdir()
            (folder / "below" / "file").write_text("content")
    named = acts.index(f"{folder} -> {path}")
    assert {str(folder / "below" / "file"), str(folder / "below"), str(folder)} <= set(acts[:named])
    dropped = next(n for n, act in enumerate(acts) if act.startswith(f"{tmp_path}/.folder.old -> "))
    assert named < acts.index(str(tmp_path), named) < dropped


def test_files_and_the_folders_up_to_the_root_are_flushed_once(tmp_path, acts):
    files = [tmp_path / "root" / "a" / name for name in ("x", "y")]
    files[0].parent.mkdir(parents=True)
    for file in files:
        file.write_text("content")
    flush_all([*files, tmp_path / "root" / "a" / "gone"], tmp_path / "root")
    assert sorted(acts) == sorted(map(str, [*files, tmp_path / "root" / "a", tmp_path / "root"]))


def test_a_tree_is_flushed_with_its_empty_folders(tmp_path, acts):
    (tmp_path / "empty").mkdir()
    flush_tree(tmp_path)
    assert set(acts) == {str(tmp_path), str(tmp_path / "empty")}


def test_the_names_of_new_folders_are_flushed(tmp_path, acts):
    make_folder(tmp_path / "a" / "b")
    assert set(acts) == {str(tmp_path), str(tmp_path / "a")}
    make_folder(tmp_path / "a" / "b")
    assert len(acts) == 2
