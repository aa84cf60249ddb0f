"""What a place does, on a disk and in a bucket alike."""

import hashlib
import os

import pytest

from weatherml.errors import UserError
from weatherml.storage.places import bucket as bucket_place
from weatherml.storage.places import place_at


@pytest.fixture(params=["disk", "bucket"])
def place(request, tmp_path):
    """Return an empty place of each kind."""
    return place_at(tmp_path / "store" if request.param == "disk" else request.getfixturevalue("bucket") + "/a/store")


def test_what_is_written_is_there_by_its_name(place, monkeypatch):
    assert (place.entries(), place.keys(""), place.read("a/b")) == ([], [], None)
    place.write("a/b", b"one")
    place.write_unflushed("a/c", b"three")
    place.write("root", b"")
    assert sorted(place.entries()) == ["a", "root"]
    assert place.keys("a") == ["a/b", "a/c"]
    assert place.keys("") == ["a/b", "a/c", "root"]
    assert (place.read("a/c"), place.exists("a/b"), place.exists("a/d")) == (b"three", True, False)
    assert place.sizes(["a/b", "a/c", "root", "a/d"]) == {"a/b": 3, "a/c": 5, "root": 0}
    monkeypatch.setattr(bucket_place, "_AT_ONCE", 1)  # so that folders are listed
    assert place.sizes(["a/b", "a/c", "root", "a/d"]) == {"a/b": 3, "a/c": 5, "root": 0}
    assert place.checksums(["a/b", "a/d"]) == {"a/b": hashlib.sha256(b"one").hexdigest()}


def test_files_are_moved_over_others_and_what_was_moved_before_is_passed_over(place):
    for key in ("new/a", "new/deep/b", "a"):
        place.write(key, key.encode())
    place.move({"new/a": "a", "new/deep/b": "deep/b"})
    assert (place.read("a"), place.read("deep/b"), place.keys("new")) == (b"new/a", b"new/deep/b", [])
    place.remove(["a", "never/there"])
    place.remove_folder("deep")
    assert not place.exists("a") and not place.exists("deep/b")


def test_a_log_has_the_lines_of_all_that_write_one(place, monkeypatch):
    monkeypatch.setattr(bucket_place, "_LOG_BYTES", 10)  # so that it goes on in another object
    for number in range(5):
        place.append("logs/one.jsonl", f"line {number}".encode())
    place_at(place.root).append("logs/two.jsonl", b"of another")
    assert sorted(place.lines("logs")) == [*(f"line {number}".encode() for number in range(5)), b"of another"]


def test_files_that_are_written_here_are_there_in_the_end_whatever_their_size(place):
    content = {"large/file": os.urandom(20 * 2**20 + 1), "small": b"1"}
    with place.writing() as path_of:
        for key, own in content.items():
            path_of(key).parent.mkdir(parents=True, exist_ok=True)
            path_of(key).write_bytes(own)
    assert place.checksums(content) == {key: hashlib.sha256(own).hexdigest() for key, own in content.items()}


def test_one_at_a_time_may_be_asked_for_again_by_who_is_alone(place):
    with place.alone_at(".ingest"), place.alone_at(".ingest"):
        place.write("a", b"")
    with place.alone_at(".ingest"):
        assert place.exists("a")


def test_what_a_disk_does_not_give_is_not_taken_to_be_absent(tmp_path):
    (tmp_path / "store" / "request.json").mkdir(parents=True)
    with pytest.raises(UserError, match=r"cannot read .*request.json: Is a directory; see to it, then run again"):
        place_at(tmp_path / "store").read("request.json")
