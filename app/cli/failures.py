"""`chronobridge failures`, `retry`, `discard` and `restore`: what needs attention, and what a person does about it.

Records are named by their ids alone: a terminal keeps what it has shown. Whoever acts on more than a few is asked
first, or says --yes; a script has to.
"""

import asyncio
import json
import logging
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.help import Commands, Heading
from app.sync.model import Kind, Side

if TYPE_CHECKING:
    from rich.table import Table

    from app.operations.attention import AttentionItem, AttentionPage
    from app.operations.failures import Group
    from app.ports import By
    from app.runtime import Runtime

commands = Commands()
_AT_ONCE = 200  # records of a page that is read
_LONGEST_REASON = 200
_WIDTH_IN_A_PIPE = 200
_OF_PEOPLE = ("name", "birth_date", "note", "note_by", "noted_at")

_Ids = Annotated[
    list[str] | None, typer.Argument(metavar="ID...", help="ids as `failures` lists them; none: all that match")
]
_Cause = Annotated[str | None, typer.Option(metavar="ERROR", help="those of this error alone, by its code")]
_Kind = Annotated[Kind | None, typer.Option(help="those of this kind alone")]
_System = Annotated[Side | None, typer.Option(help="those that this system rejected")]
_Review = Annotated[bool, typer.Option("--needs-review", help="those that need review alone")]
_Failed = Annotated[bool, typer.Option("--failed", help="those that failed alone")]
_Limit = Annotated[int | None, typer.Option(min=1, metavar="N", help="at most so many")]
_DryRun = Annotated[bool, typer.Option("--dry-run", help="only say how many it would be")]
_Yes = Annotated[bool, typer.Option("--yes", "-y", help="do not ask, go on")]


@commands.command(
    heading=Heading.ACT,
    examples=(
        "failures",
        "failures --needs-review --kind patient",
        "failures --cause FIELD_CUSTOM_VALIDATION_EXCEPTION --csv",
        "failures --dismissed --json",
    ),
)
def failures(  # noqa: PLR0913 - each is an option
    cause: _Cause = None,
    kind: _Kind = None,
    system: _System = None,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="how many to list, the oldest first")] = 50,
    *,
    needs_review: _Review = False,
    failed: _Failed = False,
    dismissed: Annotated[bool, typer.Option("--dismissed", help="those that were dismissed")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="all of them as CSV; no value of a patient is in it")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="for a script")] = False,
) -> None:
    """List the records that need attention: what is wrong, since when, and when they are retried. Ids, no names."""
    group = _group([], cause, kind, system, needs_review=needs_review, failed=failed, dismissed=dismissed)
    if as_csv and as_json:
        raise typer.BadParameter("one of --csv and --json")

    async def work(runtime: "Runtime", by: "By") -> None:
        if as_csv:
            from app.operations.attention import export

            await export(runtime, group, sys.stdout, by)
            return
        _print(await _listed(runtime, group, limit, by), as_json=as_json)

    _run(work)


@commands.command(heading=Heading.ACT, examples=("retry --dry-run", "retry --limit 5", "retry --kind patient --yes"))
def retry(  # noqa: PLR0913 - each is an option
    ids: _Ids = None,
    cause: _Cause = None,
    kind: _Kind = None,
    system: _System = None,
    limit: _Limit = None,
    *,
    needs_review: _Review = False,
    failed: _Failed = False,
    dry_run: _DryRun = False,
    yes: _Yes = False,
) -> None:
    """Retry records that failed, with all their attempts: both systems are read, and the workers write what differs."""
    from app.operations import failures as operations

    group = _group(ids, cause, kind, system, needs_review=needs_review, failed=failed)

    async def act(runtime: "Runtime", by: "By") -> int:
        return await operations.try_again(runtime, group, limit, by)

    _act("retried", group, limit, act, dry_run=dry_run, yes=yes)


@commands.command(
    heading=Heading.ACT,
    examples=(
        'discard --because "duplicate of the other clinic" --dry-run',
        'discard --cause several --because "they were merged by hand" --yes',
    ),
)
def discard(  # noqa: PLR0913 - each is an option
    because: Annotated[str, typer.Option(metavar="REASON", help="why; shown with each, and in the audit")],
    ids: _Ids = None,
    cause: _Cause = None,
    kind: _Kind = None,
    system: _System = None,
    limit: _Limit = None,
    *,
    needs_review: _Review = False,
    failed: _Failed = False,
    dry_run: _DryRun = False,
    yes: _Yes = False,
) -> None:
    """Dismiss records that need attention: they stay as they are until a value changes; `restore` undoes it."""
    from app.operations import failures as operations

    reason = because.strip()
    if not 1 <= len(reason) <= _LONGEST_REASON:
        raise typer.BadParameter(f"--because takes 1 to {_LONGEST_REASON} characters, and names no patient")
    group = _group(ids, cause, kind, system, needs_review=needs_review, failed=failed)

    async def act(runtime: "Runtime", by: "By") -> int:
        return await operations.dismiss(runtime, group, limit, by, reason)

    _act("dismissed", group, limit, act, dry_run=dry_run, yes=yes)


@commands.command(heading=Heading.ACT, examples=("restore --dry-run", "restore --kind patient --limit 5"))
def restore(  # noqa: PLR0913 - each is an option
    ids: _Ids = None,
    cause: _Cause = None,
    kind: _Kind = None,
    system: _System = None,
    limit: _Limit = None,
    *,
    dry_run: _DryRun = False,
    yes: _Yes = False,
) -> None:
    """Undo the dismissal of records: they need attention again, and are retried."""
    from app.operations import failures as operations

    group = _group(ids, cause, kind, system, dismissed=True)

    async def act(runtime: "Runtime", by: "By") -> int:
        return await operations.restore(runtime, group, by, limit)

    _act("restored", group, limit, act, dry_run=dry_run, yes=yes)


def _group(  # noqa: PLR0913 - each is an option
    ids: list[str] | None,
    cause: str | None,
    kind: Kind | None,
    system: Side | None,
    *,
    needs_review: bool = False,
    failed: bool = False,
    dismissed: bool = False,
) -> "Group":
    from app.operations.failures import Group

    if needs_review and failed:
        raise typer.BadParameter("one of --needs-review and --failed; without either both are meant")
    is_held = True if needs_review else (False if failed else None)
    picked = frozenset(ids) if ids else None
    return Group(cause, system, kind, is_held, ids=picked, is_dismissed=dismissed)


def _run(work: Callable[["Runtime", "By"], Awaitable[None]]) -> None:
    from app import log
    from app.operations.audit import by_command
    from app.runtime import open_runtime
    from app.settings import env_file

    log.configure(logging.ERROR)

    async def opened() -> None:
        async with open_runtime(env_file.load()) as runtime:
            await work(runtime, by_command())

    asyncio.run(opened())


def _act(
    done: str,
    group: "Group",
    limit: int | None,
    act: Callable[["Runtime", "By"], Awaitable[int]],
    *,
    dry_run: bool,
    yes: bool,
) -> None:
    """Do something to a group: only its number is told with `dry_run`, and it is meant where it is more than a few."""
    from app.operations.failures import FEW, named, number_of
    from app.operations.queue import has_workers

    async def work(runtime: "Runtime", by: "By") -> None:
        number = await number_of(runtime, group, limit)
        if dry_run:
            print(f"{_records(number)} would be {done} ({named(group)}); nothing was done")
            return
        if number > FEW and not yes:
            _must_be_meant(f"{_records(number)} would be {done} ({named(group)})")
        count = await act(runtime, by) if number else 0
        print(f"{_records(count)} {done}")
        picked = len(group.ids or ())
        if missing := max(min(picked, limit or picked) - count, 0):
            print(f"{missing} of the ids match nothing: `chronobridge failures` lists them", file=sys.stderr)
        if count and done != "dismissed" and not await has_workers(runtime):
            print("no worker is alive, so they wait: start `chronobridge work`", file=sys.stderr)
        if missing:
            raise typer.Exit(1)

    _run(work)


def _must_be_meant(what: str) -> None:
    if not sys.stdin.isatty():
        raise typer.BadParameter(f"{what}: say --yes if that is meant, or --limit")
    typer.confirm(f"{what}. Go on?", abort=True)


def _records(number: int) -> str:
    return f"{number:,} record{'' if number == 1 else 's'}"


async def _listed(runtime: "Runtime", group: "Group", limit: int, by: "By") -> "AttentionPage":
    """Give the first records of a group, oldest first; that they were shown is noted."""
    from dataclasses import replace

    from app.operations import attention
    from app.operations.audit import note_view
    from app.ports import Action

    page = await attention.listed(runtime, group, min(limit, _AT_ONCE), names=False)
    while page.next is not None and len(page.items) < limit:
        left = min(limit - len(page.items), _AT_ONCE)
        more = await attention.listed(runtime, group, left, page.next, names=False)
        page = replace(more, items=(*page.items, *more.items))
    await note_view(runtime, by, Action.LIST, "failures", attention.ids(page))
    return page


def _print(page: "AttentionPage", *, as_json: bool) -> None:
    from rich.console import Console
    from rich.text import Text

    if as_json:
        told = {"items": [*map(_as_json, page.items)], "total": page.total, "counts": asdict(page.counts)}
        print(json.dumps(told, indent=2, default=_text))
        return
    console = Console()
    if not console.is_terminal:
        console.width = _WIDTH_IN_A_PIPE  # where nothing should be cut
    causes: dict[str, list[AttentionItem]] = {}
    for one in page.items:
        causes.setdefault(one.sentence, []).append(one)
    for sentence, items in causes.items():
        console.print(Text.assemble((sentence, "bold"), f" {items[0].cause}"), soft_wrap=True)
        console.print(Text(f"How to fix: {items[0].fix}"), soft_wrap=True)
        console.print(_table(items))
        console.print()
    counts = page.counts
    shown = f"{len(page.items):,} of {page.total:,} shown; " if len(page.items) < page.total else ""
    review = f"{counts.needs_review:,} need{'s' if counts.needs_review == 1 else ''} review"
    text = f"{shown}{counts.failed:,} failed, {review}, {counts.dismissed:,} dismissed"
    console.print(Text(text if page.items else f"nothing matches; {text}"), soft_wrap=True)


def _table(items: "Sequence[AttentionItem]") -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("record", "status", "since", "tries", "next retry", "id"):
        is_whole = name in ("record", "id")
        table.add_column(name, justify="right" if name == "tries" else "left", no_wrap=is_whole, overflow="fold")
    for one in items:
        next_retry = "–" if one.next_retry_at is None else _local(one.next_retry_at)  # noqa: RUF001 - a dash
        record = f"  {one.kind.value} {one.ref.id}"
        table.add_row(record, _status(one), _local(one.since), str(one.attempts), next_retry, one.id)
    return table


def _text(value: object) -> str:
    """Give what JSON does not know as text."""
    return value.isoformat(timespec="seconds") if isinstance(value, datetime) else str(value)


def _local(at: datetime) -> str:
    """Give a moment by this machine's clock, with its day where that is another one."""
    here, today = at.astimezone(), datetime.now().astimezone().date()
    return f"{here:%H:%M}" if here.date() == today else f"{here:%b} {here.day} {here:%H:%M}"


def _status(one: "AttentionItem") -> str:
    if one.is_dismissed:
        return f"Dismissed by {one.dismissed_by}: {one.reason}"
    if one.is_retrying:
        return "Retrying"
    return "Needs review" if one.is_held else "Failed"


def _as_json(one: "AttentionItem") -> dict[str, Any]:
    """Give a record as the API does, without who it is and what people have noted."""
    from app.operations.attention import item_as_json

    return {name: value for name, value in item_as_json(one).items() if name not in _OF_PEOPLE}
