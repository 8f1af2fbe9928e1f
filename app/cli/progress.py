"""How far long work has come: a bar on a terminal, plain lines when piped; each with its rate and its end."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
)
from rich.text import Text

_LINE_EVERY_S = 10.0


class Say(Protocol):
    """What is called whenever there is more to show."""

    def __call__(self, part: str, rows: int, of: int, beside: str = "") -> None:
        """Show how many rows of a part are done, of how many in all, and what else there is to say."""


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f}/s" if speed else "", style="progress.data.speed")


class _End(ProgressColumn):
    def render(self, task: Task) -> Text:
        left_s = None if task.finished else task.time_remaining
        return Text("" if left_s is None else _done_by(left_s), style="progress.remaining")


@contextmanager
def showing(console: Console, unit: str = "rows") -> Iterator[Say]:
    """Give what is to be called whenever there is more to show. A part without rows is not shown.

    unit  what is counted, where the part's name does not say it
    """
    with _bars(console) if console.is_terminal else _lines(console, unit) as say:

        def told(part: str, rows: int, of: int, beside: str = "") -> None:
            if of:
                say(part, rows, of, beside)

        yield told


@contextmanager
def _bars(console: Console) -> Iterator[Say]:
    words = TextColumn("{task.fields[beside]}", style="dim")
    columns = (
        TextColumn("{task.description}"),
        BarColumn(20),
        MofNCompleteColumn(),
        _Rate(),
        _End(),
        words,
    )
    with Progress(*columns, console=console) as progress:
        tasks: dict[str, TaskID] = {}

        def say(part: str, rows: int, of: int, beside: str = "") -> None:
            if part not in tasks:
                tasks[part] = progress.add_task(part, total=of, beside=beside)
            progress.update(tasks[part], completed=rows, total=of, beside=beside)

        yield say


@contextmanager
def _lines(console: Console, unit: str) -> Iterator[Say]:
    latest: dict[str, str] = {}
    began: dict[str, tuple[float, int]] = {}
    due_at = time.monotonic() + _LINE_EVERY_S

    def say(part: str, rows: int, of: int, beside: str = "") -> None:
        nonlocal due_at
        if latest and (part not in latest or time.monotonic() >= due_at):
            tell()
            due_at = time.monotonic() + _LINE_EVERY_S
        latest.clear()
        since, first = began.setdefault(part, (time.monotonic(), rows))
        took_s = time.monotonic() - since
        rest = _rest((rows - first) / took_s, of - rows) if took_s >= 1 and rows > first else ""
        latest[part] = f"{part}: {rows:,} of {of:,}{f' {unit}' if unit else ''}{rest}{f', {beside}' if beside else ''}"

    def tell() -> None:
        for line in latest.values():
            console.print(line, markup=False, highlight=False, soft_wrap=True)

    yield say
    tell()


def _rest(per_s: float, left: int) -> str:
    """Give the rate, and when it will be done."""
    return f", {per_s:,.0f}/s" + (f", {_done_by(left / per_s)}" if left > 0 else "")


def _done_by(in_s: float) -> str:
    return f"done by {datetime.now(UTC) + timedelta(seconds=in_s):%H:%M} UTC"
