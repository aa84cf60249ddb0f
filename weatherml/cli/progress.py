"""Progress bars with the time that remains."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

console = Console(stderr=True, highlight=False)
"""For people; what programs read goes to standard output."""


@contextmanager
def bar(phase: str) -> Iterator[Callable[..., None]]:
    """Draw a bar while the block runs; where nobody watches, print one line at its end.

    Yields:
        A function of the number done, the number of all, and the latest news.
    """
    start = time.perf_counter()
    columns = (
        TextColumn("{task.description:<10}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("[dim]{task.fields[news]}"),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task, latest = progress.add_task(phase, total=None, news=""), [""]

        def update(done: int, total: int, news: str = "") -> None:
            latest[0] = news
            progress.update(task, completed=done, total=total, news=news)

        yield update
    said = f"{phase:<10} done in {time.perf_counter() - start:.0f} s"
    console.print(f"{said:<28}{latest[0]}".rstrip(), soft_wrap=True)
