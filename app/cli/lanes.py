"""`chronobridge pause` and `resume`, and how an installation goes on with a database that was restored from a backup.

A restored database knows less than happened. So everything is paused first, then both systems are compared and what
would be written is shown. It is written once a person has said so: resuming lets the workers compare and write.
"""

import asyncio
import logging
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.help import Commands, Heading
from app.sync.model import Lane

if TYPE_CHECKING:
    from rich.console import Console

    from app.operations.lanes import LaneName
    from app.settings.fields import Settings

commands = Commands()
RESTORED = "the database was restored from a backup"
ALL = "all"
_NAMES = [*Lane, ALL]
_Queue = Annotated[
    str,
    typer.Argument(
        metavar="QUEUE",
        help="live, retry (retries), confirm (verification), compare (reconciliation), backfill (initial sync) or all",
        autocompletion=lambda: [str(one) for one in _NAMES],
    ),
]
_DryRun = Annotated[bool, typer.Option("--dry-run", help="only say what would be paused or resumed")]
_Yes = Annotated[bool, typer.Option("--yes", "-y", help="do not ask, go on")]


@commands.command(
    heading=Heading.ACT,
    examples=("pause --dry-run", 'pause compare --reason "Salesforce is being upgraded"', "pause all --yes"),
)
def pause(
    lane: _Queue = ALL,
    reason: Annotated[str, typer.Option(help="why; shown wherever the queue is", metavar="TEXT")] = "",
    *,
    dry_run: _DryRun = False,
    yes: _Yes = False,
) -> None:
    """Pause a queue, or all: its work stays in it, and nothing of it is written. Asks first for all, at a terminal."""
    from app import log
    from app.settings import env_file

    log.configure(logging.ERROR)
    name, known = _named(lane), env_file.load()
    if dry_run:
        print(f"would pause {name}: {asyncio.run(_held_back(known, name))}")
        return
    _must_be_meant(name, "Pause every queue? Nothing is written until it is resumed.", is_meant=yes)
    asyncio.run(pause_lane(known, name, reason))
    print(f"paused: {name}")


@commands.command(
    heading=Heading.ACT, examples=("resume compare", "resume --dry-run", "resume all --yes", "resume --restored")
)
def resume(
    lane: _Queue = ALL,
    *,
    restored: Annotated[
        bool, typer.Option("--restored", help="after a backup was restored: compare, show, and ask first")
    ] = False,
    dry_run: _DryRun = False,
    yes: _Yes = False,
) -> None:
    """Resume a queue, or all; after a restored backup only what was shown is written."""
    from rich.console import Console

    from app import log
    from app.settings import env_file

    log.configure(logging.ERROR)
    if restored and dry_run:
        raise typer.BadParameter("--restored shows what would be written, and asks: leave --dry-run out")
    name, known = _named(lane), env_file.load()
    if restored:

        def is_meant() -> bool:
            return yes or typer.confirm("Is that right, and shall it be written?")

        raise typer.Exit(0 if asyncio.run(resume_restored(known, Console(), is_meant)) else 1)
    if dry_run:
        print(f"would resume {name}: {asyncio.run(_held_back(known, name))}")
        return
    _must_be_meant(name, "Resume every queue? The workers write what is pending.", is_meant=yes)
    asyncio.run(resume_lane(known, name))
    print(f"resumed: {name}")


def _named(name: str) -> "LaneName":
    from app.operations.lanes import LaneName

    try:
        return LaneName(name)
    except ValueError:
        raise typer.BadParameter(f"{name} is no queue; there are {', '.join(_NAMES)}") from None


def _must_be_meant(name: "LaneName", question: str, *, is_meant: bool) -> None:
    """Ask whoever sits at a terminal, where all queues are named; a script is taken at its word."""
    if name == ALL and not is_meant and sys.stdin.isatty():
        typer.confirm(question, abort=True)


async def _held_back(settings: "Settings", name: "LaneName") -> str:
    """Say of each queue that is named what is pending in it, and whether it is paused now.

    Raises  StoreUnavailable
    """
    from app.operations.lanes import lane_views
    from app.runtime import open_runtime

    async with open_runtime(settings) as runtime:
        views = await lane_views(runtime)
    return ", ".join(
        f"{one.lane} ({'paused' if one.is_paused else 'running'}, {one.due:,} pending)"
        for one in views
        if one.lane in name.lanes()
    )


async def pause_lane(settings: "Settings", lane: "LaneName", reason: str) -> None:
    """Pause a queue, or all of them.

    Raises  StoreUnavailable
    """
    from app.operations import lanes
    from app.operations.audit import by_command
    from app.runtime import open_runtime

    async with open_runtime(settings) as runtime:
        await lanes.pause(runtime, lane, reason, by_command())


async def resume_lane(settings: "Settings", lane: "LaneName") -> None:
    """Resume a queue, or all of them, which hands the database over to this installation.

    Raises  StoreUnavailable
    """
    from app.operations import lanes
    from app.operations.audit import by_command
    from app.runtime import open_runtime

    async with open_runtime(settings) as runtime:
        await lanes.resume(runtime, lane, by_command())


async def resume_restored(settings: "Settings", console: "Console", is_meant: Callable[[], bool]) -> bool:
    """Pause everything, show what comparing both systems would do, and resume everything where that is meant.

    is_meant  asked once it is shown
    Gives     whether everything is resumed
    Raises    SyncError; everything stays paused
    """
    from app.cli.dry_run import print_dry_run
    from app.operations.lanes import LaneName

    await pause_lane(settings, LaneName.ALL, RESTORED)
    console.print("every queue is paused; comparing what has changed since the backup, and writing nothing")
    if not await print_dry_run(settings, console, None, since_ever=False):
        again = "every queue stays paused: see to that (`chronobridge connect drchrono`, `check`), and run this again"
        console.print(again, style="red", highlight=False, soft_wrap=True)
        return False
    if not is_meant():
        console.print("every queue stays paused; deliveries are kept meanwhile", highlight=False)
        return False
    await resume_lane(settings, LaneName.ALL)
    console.print("every queue is resumed: the workers compare both systems, and write what differs", highlight=False)
    return True
