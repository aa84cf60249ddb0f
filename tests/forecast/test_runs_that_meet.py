"""Runs that meet on one path: whatever comes when, nobody takes, ends or reads what is another's.

Two runs begin, write, finish or are killed in every order. A payload of two files stands for the members; the folders,
locks and records are the real ones.
"""

import json
import os
import shutil
from contextlib import suppress
from itertools import combinations, product
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from kills import killed_before_each_change, run_and_kill

from weatherml.errors import UserError
from weatherml.forecast.workdir import Record, WorkDir
from weatherml.products.store import attributes_of, token_at
from weatherml.storage.share import WHOLE, Share

N_MEMBERS = 2
STEPS = ("begin", "write", "finish")


MEMORY = Path("/dev/shm")


@pytest.fixture
def path(monkeypatch):
    """Return a path in a file system in memory, where there is one: some thousand folders come and go."""
    monkeypatch.setattr(os, "fsync", lambda _: None)  # a kill leaves what was written, flushed or not
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        yield Path(folder) / "f.zarr"


class Run:
    """One process that makes a forecast, all of it or a share, one step after the other."""

    def __init__(self, path, request, overwrite=True, share=WHOLE):
        self.path, self.request, self.overwrite, self.share = path, request, overwrite, share
        self.is_refused = self.has_finished = False

    def step(self, name):
        """Take a step, unless the run was refused before; a refusal is one line."""
        if not self.is_refused:
            try:
                getattr(self, name)()
            except UserError as error:
                assert "\n" not in str(error) and self.path.name in str(error)
                self.is_refused = True
                self.kill()  # what is left of a process that ends

    def begin(self):
        self.work = WorkDir(self.path, self.request, Record(), self.overwrite)
        self.work.begin({}, 1, self.declare)
        self.work.lock(self.share)

    def declare(self):
        self.work.result.mkdir()
        attributes = {"forecast_config": "", "request": self.request}
        (self.work.result / "zarr.json").write_text(json.dumps({"attributes": attributes}))

    def write(self):
        self.work.result.mkdir(parents=True, exist_ok=True)  # as zarr does
        for member in set(self.share.of(N_MEMBERS)) - self.work.done():
            (self.work.result / f"member_{member}").write_text(f"{self.request} {self.work.folder.name}")
        record = self.work.record(self.share)
        self.work.save(self.share, Record(**record.after(tuple(self.share.of(N_MEMBERS)), {})))

    def finish(self):
        if self.work.has_all(N_MEMBERS):
            with self.work.finishing() as is_to_do:
                if is_to_do:
                    self.work.publish({})
                assert token_at(self.path) == self.work.folder.name, "what a run returns is its own"
            self.has_finished = True
        self.work.close()

    def kill(self):
        """Let go of what the system lets go of when a process dies; nothing else."""
        if hasattr(self, "work"):
            self.work.close()


def request_at(path):
    """Return whose forecast is at a path, None where there is none; fail where it is not whole or of two runs."""
    if not path.exists():
        return None
    attributes = attributes_of(path)
    assert attributes["complete"] is True
    members = {(path / f"member_{n}").read_text() for n in range(N_MEMBERS)}
    assert members == {f"{attributes['request']} {attributes['run']}"}
    return attributes["request"]


def make(path, request, **options):
    """Make a whole forecast."""
    run = Run(path, request, **options)
    for name in STEPS:
        getattr(run, name)()
    return run


def schedules():
    """Yield which of two runs takes the next step, and after how many steps each is killed; 3 is never."""
    for n_a, n_b in product(range(1, 4), repeat=2):
        for of_a in combinations(range(n_a + n_b), n_a):
            yield [0 if position in of_a else 1 for position in range(n_a + n_b)], (n_a, n_b)


@pytest.mark.parametrize("requests", [("a", "a"), ("a", "b")], ids=["same request", "others"])
@pytest.mark.parametrize(
    ("overwrite", "older"),
    [
        ((True, True), None),
        ((True, True), "a"),
        ((True, True), "older"),
        ((True, False), None),
        ((True, False), "older"),
        ((False, False), None),
    ],
    ids=str,
)
def test_two_runs_in_every_order_each_whole_or_refused(path, requests, older, overwrite):
    for number, (order, lives) in enumerate(schedules()):
        own = path.with_name(f"{number}.zarr")
        if older:
            make(own, older)
        runs = [Run(own, request, overwrite=may) for request, may in zip(requests, overwrite, strict=True)]
        taken, before = [0, 0], request_at(own)
        first_token = token_at(own)
        for which in order:
            run = runs[which]
            run.step(STEPS[taken[which]])
            taken[which] += 1
            if taken[which] == lives[which] < len(STEPS):
                run.kill()
            token = token_at(own)
            assert request_at(own) is not None or not older, "what was there stays until another is whole"
            if token != first_token:
                assert run.has_finished and taken[which] == len(STEPS), "only a finished run changes the path"
                assert run.overwrite or first_token is None, "without overwrite nothing gives way"
                first_token, before = token, request_at(own)
        assert before == request_at(own)
        alive = [run for run, life in zip(runs, lives, strict=True) if life == len(STEPS)]
        if len(alive) == 2:
            assert any(run.has_finished for run in alive) or not all(overwrite), "not both are refused"
        last = make(own, "last")
        assert token_at(own) == last.work.folder.name and request_at(own) == "last"
        assert [p.name for p in own.parent.glob("*")] + [p.name for p in own.parent.glob(".*")] == [own.name]
        shutil.rmtree(own)


def test_two_shares_in_every_order_make_one_forecast(path):
    for number, order in enumerate(combinations(range(6), 3)):
        own = path.with_name(f"{number}.zarr")
        runs = [Run(own, "a", overwrite=False, share=Share(index, 2)) for index in range(2)]
        taken = [0, 0]
        for position in range(6):
            which = 0 if position in order else 1
            runs[which].step(STEPS[taken[which]])
            taken[which] += 1
        assert request_at(own) == "a", order
        assert any(run.has_finished for run in runs) and not any(run.is_refused for run in runs)


def test_a_run_killed_before_any_change_leaves_a_whole_forecast_or_the_older_one_and_goes_on(path):
    make(path, "older")
    seen = []
    for n in killed_before_each_change(lambda: make(path, "new")):
        WorkDir(path, "new", Record(), overwrite=True)  # which puts back what a kill has moved aside
        seen.append(request_at(path))
        if n % 2:
            make(path, "new")
            assert request_at(path) == "new"
        make(path, "older")
        assert [p.name for p in path.parent.iterdir()] == [path.name]
    assert set(seen) == {"older", "new"} and request_at(path) == "new"


def test_a_killed_run_leaves_nothing_in_that_of_another_request(path):
    """Killed with half of its members written; another with overwrite then makes its own."""
    n_changes = 12
    while run_and_kill(lambda: make(path, "a"), n_changes):
        made = make(path, "b")
        assert request_at(path) == "b" and token_at(path) == made.work.folder.name
        shutil.rmtree(path)
        n_changes += 3


def test_without_working_locks_a_run_whose_place_was_taken_is_refused_and_leaves_the_other_whole(path, monkeypatch):
    first = Run(path, "a")
    first.begin()
    first.work.close()  # as if the lock had never kept anybody out
    second = Run(path, "b")
    second.begin()
    for late in (first.write, first.finish):
        with pytest.raises(UserError, match="another run has taken the place of this one"):
            late()
    second.write()
    with pytest.raises(UserError, match="another run has taken the place of this one"):
        first.finish()
    second.finish()
    with pytest.raises(UserError, match="another run has taken the place of this one"):
        first.finish()
    assert request_at(path) == "b"


def test_what_a_run_without_overwrite_finds_at_its_end_stays_and_its_own_is_kept(path):
    late = Run(path, "a", overwrite=False)
    late.begin()
    late.write()
    os.mkdir(path)
    with pytest.raises(
        UserError, match=r"was made by another run meanwhile.*; choose another path, or pass overwrite=True"
    ):
        late.finish()
    late.kill()
    again = Run(path, "a")
    again.begin()
    assert again.work.done() == {0, 1}
    again.finish()
    assert request_at(path) == "a"


def test_a_second_run_is_told_what_is_in_its_way(path):
    Run(path, "a").begin()
    for request, reason in (("a", "making this very forecast"), ("b", "making another forecast at .* not give way")):
        first = Run(path, "a")
        with suppress(UserError):
            first.begin()
        with pytest.raises(UserError, match=f"another process is {reason}.*; wait for it, or choose another path"):
            Run(path, request).begin()
        first.kill()
