"""Progress bars with rate and time left, on standard error, silent where that is no terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


def _make_bar(*, has_total: bool) -> Progress:
    # Where nobody watches, nothing is drawn and rich is not loaded.
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = [TextColumn("{task.description}"), TextColumn("{task.completed:,.0f}"), TextColumn("{task.fields[rate]}")]
    ends = [BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TimeRemainingColumn()] if has_total else []
    return Progress(*columns, *ends, console=Console(file=sys.stderr), transient=True)


@contextmanager
def count_rows(label: str) -> Iterator[Callable[[int], None]]:
    """Show a running count of rows; yields a function that is told of more rows."""
    if not sys.stderr.isatty():
        yield lambda rows: None
        return
    # The bar begins with the first rows: it has a thread, and processes that were forked before are the cheapest.
    with ExitStack() as stack:
        bars: list[tuple[Progress, TaskID]] = []

        def advance(rows: int) -> None:
            if not bars:
                bar = stack.enter_context(_make_bar(has_total=False))
                bars.append((bar, bar.add_task(label, total=None, rate="")))
            bar, task = bars[0]
            speed = bar.tasks[task].speed
            bar.update(task, advance=rows, rate=f"{speed:,.0f}/s" if speed else "")

        yield advance


@contextmanager
def count_stages() -> Iterator[Callable[[str, int, int], None]]:
    """Show one bar per stage; yields a function that is told the stage, what is done and the total."""
    if not sys.stderr.isatty():
        yield lambda stage, done, total: None
        return
    with _make_bar(has_total=True) as bar:
        tasks: dict[str, TaskID] = {}

        def advance(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(stage, rate="")
            speed = bar.tasks[tasks[stage]].speed
            bar.update(tasks[stage], completed=done, total=total, rate=f"{speed:,.0f}/s" if speed else "")

        yield advance
