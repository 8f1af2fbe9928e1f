"""`chronobridge queue`: what is pending and why, and when it will be done, for a person or a script.

Watched on a terminal it is drawn again in place; in a pipe each look is a line.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.help import Commands, Heading
from app.errors import StoreUnavailable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from app.operations.queue import DueCount, QueueReport
    from app.runtime import Runtime
    from app.settings.fields import Settings

commands = Commands()
_TO = {"to_drchrono": "to DrChrono", "to_salesforce": "to Salesforce"}


@commands.command(heading=Heading.ACT, examples=("queue", "queue --watch", "queue --watch --every 10", "queue --json"))
def queue(
    as_json: Annotated[bool, typer.Option("--json", help="for a script; with --watch a line for each look")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="look again and again, until Ctrl-C")] = False,
    every: Annotated[float, typer.Option(min=0.1, metavar="SECONDS", help="with --watch: how often")] = 2.0,
) -> None:
    """Say what is pending, what failed, which queues are paused and why, and when it will be caught up."""
    from rich.console import Console

    from app import log
    from app.settings import env_file

    log.configure(logging.ERROR)
    console = Console(soft_wrap=as_json)
    if not watch:
        asyncio.run(print_queue(env_file.load(), console, as_json=as_json))
        return
    with suppress(KeyboardInterrupt):  # which is how it ends
        asyncio.run(watch_queue(env_file.load(), console, every, as_json=as_json))


async def print_queue(settings: "Settings", console: "Console", *, as_json: bool) -> None:
    """Print the backlog.

    Raises  StoreUnavailable
    """
    from rich.text import Text

    from app.operations.queue import queue_report, report_as_json
    from app.runtime import open_runtime

    async with open_runtime(settings) as runtime:
        found = await queue_report(runtime)
    if as_json:
        console.print_json(json.dumps(report_as_json(found)))
        return
    for part in _parts(found):
        console.print(part, soft_wrap=isinstance(part, Text))


async def watch_queue(settings: "Settings", console: "Console", every_s: float, *, as_json: bool) -> None:
    """Show the backlog again and again; a database that is away later on is said, and looked for again.

    Raises  StoreUnavailable at the first look
    """
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    from app.operations.queue import report_as_json
    from app.runtime import open_runtime

    async with open_runtime(settings) as runtime:
        looks = _looks(runtime, every_s)
        if as_json:
            async for found in looks:
                is_away = isinstance(found, StoreUnavailable)
                print(json.dumps({"error": str(found)} if is_away else report_as_json(found)), flush=True)  # type: ignore[arg-type]
        elif not console.is_terminal:
            async for found in looks:
                said = str(found) if isinstance(found, StoreUnavailable) else _line(found)
                print(f"{datetime.now().astimezone():%H:%M:%S} {said}", flush=True)
        else:
            with Live(console=console, auto_refresh=False) as live:
                async for found in looks:
                    parts = [Text(str(found), "red")] if isinstance(found, StoreUnavailable) else _parts(found)
                    live.update(Group(*parts), refresh=True)


async def _looks(runtime: "Runtime", every_s: float) -> "AsyncIterator[QueueReport | StoreUnavailable]":
    from app.operations.queue import queue_report

    yield await queue_report(runtime)
    while True:
        await asyncio.sleep(every_s)
        try:
            yield await queue_report(runtime)
        except StoreUnavailable as error:
            yield error


def _parts(found: "QueueReport") -> "list[Table | Text]":
    from rich.text import Text

    return [*([_table(found.by_kind)] if found.by_kind else []), *map(Text, _lines(found))]


def _table(rows: "Sequence[DueCount]") -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("kind", "direction", "queue"):
        table.add_column(name)
    for name in ("pending", "oldest"):
        table.add_column(name, justify="right")
    for row in rows:
        oldest = str(timedelta(seconds=int(row.oldest_s))) if round(row.oldest_s, 3) else "later"
        table.add_row(row.kind, _TO[row.direction], row.lane, f"{row.count:,}", oldest)
    return table


def _line(found: "QueueReport") -> str:
    """Give a look in one line."""
    paused = [one.lane.value for one in found.lanes if one.is_paused]
    stands = f"; paused: {', '.join(paused)}" if paused else ""
    pending = f"{found.depth:,} pending, oldest {found.oldest_due_age_s:.0f} s" if found.depth else "nothing is pending"
    return f"{pending}; {_counts(found)}{stands}"


def _counts(found: "QueueReport") -> str:
    left_out = f"{found.excluded:,} excluded, " if found.excluded else ""
    review = f"{found.held:,} need{'s' if found.held == 1 else ''} review"
    dismissed = f"{found.dismissed:,} dismissed, " if found.dismissed else ""
    return f"{found.failed:,} failed, {review}, {dismissed}{left_out}{found.rate_per_minute:,} writes a minute"


def _lines(found: "QueueReport") -> list[str]:
    """Give what is said below the table."""
    lines = [f"{'' if found.by_kind else 'nothing is pending; '}{_counts(found)}"]
    paused = {one.lane.value: one.reason for one in found.lanes if one.is_paused}
    if len(paused) == len(found.lanes) and len({*paused.values()}) == 1:
        lines.append(f"all queues are paused: {next(iter(paused.values()))}")
    else:
        lines += [f"queue {lane} is paused: {reason}" for lane, reason in paused.items()]
    return lines + found.forecast.sentences()
