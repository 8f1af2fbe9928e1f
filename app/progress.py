"""How far long work has come: a bar on a terminal, plain lines when piped."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

Say = Callable[[str, int, int], None]
_LINE_EVERY_S = 10.0


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f}/s" if speed else "", style="progress.data.speed")


@contextmanager
def shown(console: Console) -> Iterator[Say]:
    """Give what is to be called with (part, rows so far, rows in all) whenever there is more to show.

    A part without rows is not shown.
    """
    with (_bars if console.is_terminal else _lines)(console) as say:
        yield lambda part, rows, of: say(part, rows, of) if of else None


@contextmanager
def _bars(console: Console) -> Iterator[Say]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        tasks: dict[str, TaskID] = {}

        def say(part: str, rows: int, of: int) -> None:
            if part not in tasks:
                tasks[part] = progress.add_task(part, total=of)
            progress.update(tasks[part], completed=rows, total=of)

        yield say


@contextmanager
def _lines(console: Console) -> Iterator[Say]:
    latest: dict[str, str] = {}
    due_at = time.monotonic() + _LINE_EVERY_S

    def say(part: str, rows: int, of: int) -> None:
        nonlocal due_at
        if latest and (part not in latest or time.monotonic() >= due_at):
            tell()
            due_at = time.monotonic() + _LINE_EVERY_S
        latest.clear()
        latest[part] = f"{part}: {rows:,} of {of:,} rows"

    def tell() -> None:
        for line in latest.values():
            console.print(line, markup=False, highlight=False, soft_wrap=True)

    yield say
    tell()
