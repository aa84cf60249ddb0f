"""Locks: of one process at a time, free again when it is killed, and said to be missing where there are none."""

import errno
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from weatherml.errors import UserError
from weatherml.storage.locks import Lock, alone_at

HOLD = """
import sys, time
from pathlib import Path
from weatherml.storage.locks import Lock
lock = Lock(Path(sys.argv[1]))
lock.acquire("busy")
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def file(tmp_path):
    return tmp_path / "run.lock"


def held(file):
    lock = Lock(file)
    lock.acquire("nobody has it")
    return lock


def test_a_lock_is_of_one_holder_at_a_time(file):
    first = held(file)
    with pytest.raises(UserError, match=r"^another run has it$"):
        Lock(file).acquire("another run has it")
    assert not Lock(file).is_free()
    first.release()
    assert Lock(file).is_free()
    held(file)


def test_who_waited_for_a_lock_that_is_then_removed_has_one_that_keeps_others_out(file):
    first, second = held(file), Lock(file)
    waiting = threading.Thread(target=second.acquire, args=("busy", 60.0))
    waiting.start()
    time.sleep(0.1)
    first.release(remove=True)
    waiting.join()
    assert not Lock(file).is_free()
    second.release(remove=True)
    assert not file.exists()


def test_a_killed_holder_lets_go(file):
    with subprocess.Popen([sys.executable, "-c", HOLD, str(file)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        assert not Lock(file).is_free()
        process.send_signal(signal.SIGKILL)
    held(file)


def test_one_process_at_a_time_is_at_a_path(tmp_path):
    path = tmp_path / "new" / "thing"
    refusals = []

    def meet():
        with pytest.raises(UserError) as refusal, alone_at(path, wait=0):
            raise AssertionError
        refusals.append(str(refusal.value))

    with alone_at(path):
        with alone_at(path, wait=0):  # its own holder may ask again
            pass
        other = threading.Thread(target=meet)
        other.start()
        other.join()
    assert refusals == [f"another process is at work on {path}; wait for it, or choose another path"]
    with alone_at(path, wait=0):
        pass
    assert not list(path.parent.iterdir())


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_without_locks_a_file_stands_for_one_and_is_named(file, monkeypatch, number, caplog):
    """No file system here is without locks, so the system's call refuses."""
    fcntl = pytest.importorskip("fcntl")

    def refuse(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    first = held(file)
    assert caplog.messages == [f"the file system of {file.parent} has no locks; files stand for them"]
    with pytest.raises(UserError) as refusal:
        Lock(file).acquire("another ingestion is writing")
    substitute = file.with_name("run.lock.held")
    assert str(refusal.value) == (
        f"another ingestion is writing (this file system has no locks: if no other run is at work, delete {substitute})"
    )
    first.release(remove=True)
    assert not list(file.parent.iterdir())


def test_a_folder_that_cannot_be_written_is_no_sign_of_another_run(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(PermissionError):
        Lock(tmp_path / "lock").acquire("another run has it")


def test_a_lock_whose_folder_was_just_removed_is_taken(tmp_path):
    lock = Lock(tmp_path / "removed" / "run.lock")
    assert lock.is_free() and not (tmp_path / "removed").exists()
    lock.acquire("busy")
    assert not Lock(tmp_path / "removed" / "run.lock").is_free()
    lock.release()
