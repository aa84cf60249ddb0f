"""Progress bars with the time that remains."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn
from rich.table import Column
from rich.text import Text

# FORCE_COLOR, which notebooks and CI services set, asks for colours: nobody watches their logs for all that.
console = Console(stderr=True, highlight=False, force_interactive=None if sys.stderr.isatty() else False)
"""For people; what programs read goes to standard output."""

_EVERY = 30.0
"""Seconds between the lines of a phase that nobody watches: a log shows that it goes on, and how far it is."""
_WIDE = 110  # characters from which there is room for a long bar beside the news


class _Times(ProgressColumn):
    """The time that has passed, and the time that is left once that can be told."""

    max_refresh = 0.5  # seconds; faster, it would be restless

    def render(self, task: Task) -> Text:
        """Write both."""
        words = [_clock(task.elapsed or 0.0)]
        if task.total is not None and task.time_remaining is not None:
            words.append(f"{_clock(task.time_remaining)} left")
        return Text(", ".join(words))


class _Counts(MofNCompleteColumn):
    """How much of all is done, once that can be told."""

    def render(self, task: Task) -> Text:
        """Write both numbers."""
        return Text("") if task.total is None else super().render(task)


@contextmanager
def bar(phase: str, closes: bool = True) -> Iterator[Callable[..., None]]:
    """Draw a bar while the block runs; where nobody watches, print a line now and then.

    Args:
        phase: What goes on.
        closes: Whether a line is left that says how long it took; not where what was found follows at once.

    Yields:
        A function of the number done, the number of all, and the latest news.
    """
    start = told = time.perf_counter()
    begun: tuple[int, float] | None = None  # where a phase that goes on was when it began, and when
    with Progress(*_columns(), console=console, transient=True, disable=not console.is_interactive) as progress:
        task, latest = progress.add_task(phase, total=None, news=""), [""]

        def update(done: int, total: int, news: str = "") -> None:
            nonlocal begun, told
            latest[0] = news
            progress.update(task, completed=done, total=total, news=news)
            now = time.perf_counter()
            begun = begun or (done, now)
            if not console.is_interactive and now - told >= _EVERY:
                told = now
                said = f"{phase:<10} {done} of {total}, {_clock(now - start)}{_left(*begun, done, total, now)}"
                console.print(f"{said}  {news}".rstrip(), soft_wrap=True)

        yield update
    if not closes:
        return
    said = f"{phase:<10} done in {time.perf_counter() - start:.0f} s"
    console.print(f"{said:<28}{latest[0]}".rstrip(), soft_wrap=True)


def _columns() -> tuple[ProgressColumn, ...]:
    """Return the parts of the line: whatever the width, news alone give way, and go on in another line."""
    whole = Column(no_wrap=True)
    return (
        TextColumn("{task.description:<10}", table_column=whole),
        BarColumn(bar_width=30 if console.width >= _WIDE else 10, table_column=whole),
        _Counts(table_column=whole),
        _Times(table_column=whole),
        TextColumn("[dim]{task.fields[news]}", table_column=Column()),
    )


def _left(first: int, start: float, done: int, total: int, now: float) -> str:
    """Return how long is left, once that can be told."""
    return f", {_clock((now - start) * (total - done) / (done - first))} left" if done > first else ""


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=int(seconds)))
