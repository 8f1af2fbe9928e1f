"""`chronobridge audit …`: whether the audit is whole, and the audit as CSV.

What a command needs is imported when it runs, as everywhere at the command line: the others start without it.
"""

import asyncio
import logging
import os
import sys
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from app.cli.help import Commands

if TYPE_CHECKING:
    from rich.console import Console

    from app.settings.fields import Settings

commands = Commands("Who did what: check that it is whole, or export it.")
_MOMENTS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]


@commands.command(examples=("audit verify", "audit verify --anchor 1204:9f86d08…"))
def verify(
    anchor: Annotated[
        str | None, typer.Option(help="POSITION:DIGEST of a row, as printed by an earlier run", metavar="ANCHOR")
    ] = None,
) -> None:
    """Follow the whole audit, and name the first row that was changed, moved, added or is missing."""
    from rich.console import Console

    from app import log
    from app.settings import env_file

    log.configure(logging.ERROR)
    raise typer.Exit(asyncio.run(print_verdict(env_file.load(), Console(soft_wrap=True), anchor)))


@commands.command(examples=("audit export --output audit.csv", "audit export --since 2026-01-01"))
def export(
    output: Annotated[
        Path | None, typer.Option(help="a new file; the terminal, when none is named", metavar="FILE")
    ] = None,
    since: Annotated[
        datetime | None,
        typer.Option(formats=_MOMENTS, metavar="WHEN", help="not before this day or moment; UTC, unless it says"),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option(formats=_MOMENTS, metavar="WHEN", help="before this day or moment; UTC, unless it says"),
    ] = None,
) -> None:
    """Write who did what as CSV in UTF-8, oldest first; that it was exported is noted too."""
    from app import log
    from app.settings import env_file

    log.configure(logging.ERROR)
    raise typer.Exit(asyncio.run(export_csv(env_file.load(), output, since, until)))


async def print_verdict(settings: "Settings", console: "Console", anchor: str | None) -> int:
    """Say whether the chain is whole, else which row is the first that cannot be believed; gives the exit code.

    Raises  StoreUnavailable
    """
    from app.operations import audit
    from app.runtime import open_runtime

    def say(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    known = audit.parse_anchor(anchor) if anchor is not None else None
    if anchor is not None and known is None:
        say("--anchor is wrong: expected POSITION:DIGEST, as this command has printed it before")
        return 2
    async with open_runtime(settings) as runtime:
        found = await audit.verify(runtime, known)
    if found.broken is not None:
        say(f"broken: {found.broken}")
        say(f"the last row before that: {found.anchor}" if found.rows else "no row before that can be believed")
        return 1
    say(f"whole: {found.rows:,} rows, each vouched for")
    say(f"anchor: {found.anchor}" if found.rows else "nothing was noted yet")
    if anchor is None and found.rows:
        say("A cut-off end that was hidden well shows only by an anchor kept elsewhere: --anchor takes one.")
    return 0


async def export_csv(settings: "Settings", path: Path | None, since: datetime | None, until: datetime | None) -> int:
    """Write the audit's rows of a time to a new file or to the terminal; gives the exit code.

    Raises  StoreUnavailable
    """
    from app.operations import audit
    from app.runtime import open_runtime

    try:
        opened: Any = nullcontext(sys.stdout) if path is None else _new_file(path)
    except OSError as error:
        print(f"chronobridge: {path} cannot be written: {error.strerror}", file=sys.stderr)
        return 1
    async with open_runtime(settings) as runtime:
        with opened as out:
            count = await audit.export(runtime, out, _utc(since), _utc(until), audit.by_command())
    print(f"{count:,} rows", file=sys.stderr)
    return 0


def _new_file(path: Path) -> TextIO:
    """Open a file that was not there and that nobody else may read."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8", newline="")


def _utc(moment: datetime | None) -> datetime | None:
    """Give a moment as it was typed: without a zone it is UTC."""
    return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=UTC)
