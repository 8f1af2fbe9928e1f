"""`chronobridge pause` and `resume`, and how an installation goes on with a database that was restored from a backup.

A restored database knows less than happened. So everything is paused first, then both sides are compared and what would
be written is shown. It is written once a person has said so: resuming lets the workers compare and write.
"""

from collections.abc import Callable

from rich.console import Console

from app.cli.dry_run import print_dry_run
from app.operations import lanes
from app.operations.audit import by_command
from app.operations.lanes import LaneName
from app.runtime import open_runtime
from app.settings.fields import Settings

RESTORED = "the database was restored from a backup"


async def pause(settings: Settings, lane: LaneName, reason: str) -> None:
    """Pause a lane, or all of them.

    Raises  StoreUnavailable
    """
    async with open_runtime(settings) as runtime:
        await lanes.pause(runtime, lane, reason, by_command())


async def resume(settings: Settings, lane: LaneName) -> None:
    """Resume a lane, or all of them, which hands the database over to this installation.

    Raises  StoreUnavailable
    """
    async with open_runtime(settings) as runtime:
        await lanes.resume(runtime, lane, by_command())


async def resume_restored(settings: Settings, console: Console, is_meant: Callable[[], bool]) -> bool:
    """Pause everything, show what comparing both sides would do, and resume everything where that is meant.

    is_meant  asked once it is shown
    Gives     whether everything is resumed
    Raises    SyncError; everything stays paused
    """
    await pause(settings, LaneName.ALL, RESTORED)
    console.print("every lane is paused; comparing what has changed since the backup, and writing nothing")
    if not await print_dry_run(settings, console, None, since_ever=False):
        again = "every lane stays paused: see to that (`chronobridge connect drchrono`, `check`), and run this again"
        console.print(again, style="red", highlight=False, soft_wrap=True)
        return False
    if not is_meant():
        console.print("every lane stays paused; deliveries are kept meanwhile", highlight=False)
        return False
    await resume(settings, LaneName.ALL)
    console.print("every lane is resumed: the workers compare both sides, and write what differs", highlight=False)
    return True
