"""`chronobridge notify …`: whether notices reach people."""

import asyncio
import logging
from typing import TYPE_CHECKING

import typer

from app.cli.help import Commands

if TYPE_CHECKING:
    from rich.console import Console

    from app.settings.fields import Settings

commands = Commands("Notices by e-mail and webhook: send a test.")
_NONE = "no channel is set up: set NOTIFY_SMTP_URL, NOTIFY_SLACK_URL or NOTIFY_URL (deploy/docs/notices.md)"


@commands.callback()
def group() -> None:
    """Notices by e-mail and webhook: send a test."""


@commands.command(examples=("notify test",))
def test() -> None:
    """Send a test notice by every channel; say of each whether it was sent, or why not."""
    from rich.console import Console

    from app import log
    from app.settings import env_file

    log.configure(logging.ERROR)
    raise typer.Exit(asyncio.run(print_test(env_file.load(), Console(soft_wrap=True))))


async def print_test(settings: "Settings", console: "Console") -> int:
    """Send a test by every channel, and print what became of it; gives the exit code: 0 where every channel works.

    Raises  StoreUnavailable
    """
    from app.operations import notices
    from app.operations.audit import by_command
    from app.runtime import open_runtime

    if not settings.has_notices:
        console.print(_NONE, markup=False, highlight=False)
        return 1
    async with open_runtime(settings) as runtime:
        results = await notices.send_test(runtime, by_command())
    for one in results:
        says = "sent" if one.is_sent else "not sent"
        console.print(f"{one.channel}: {says}{': ' * bool(one.reason)}{one.reason}", markup=False, highlight=False)
    return 0 if all(one.is_sent for one in results) else 1
