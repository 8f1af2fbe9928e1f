"""Maintenance: does a worker of this machine live? For a probe beside it, which must end soon either way."""

import asyncio
import socket

from app.errors import StoreUnavailable
from app.settings.fields import Settings
from app.store import heartbeats
from app.store.database import Database
from app.timings import of_this_process

_PATIENCE_S = 5.0


async def worker_lives(settings: Settings) -> tuple[bool, str]:
    """Say whether a worker of this machine was heard of lately, and that in words.

    What cannot be asked is not known to live: a worker that cannot reach the database does nothing.
    """
    timings = of_this_process()
    try:
        async with asyncio.timeout(_PATIENCE_S), Database(settings.database_url, timings).opened() as database:
            lives = bool(await heartbeats.alive(database, socket.gethostname()[:128]))
    except StoreUnavailable as error:
        return False, f"{error}, so no worker of this machine was heard of"
    except TimeoutError:
        return False, f"the database did not answer in {_PATIENCE_S:.0f} s, so no worker of this machine was heard of"
    silent_s = timings.alive.total_seconds()
    return lives, "a worker lives" if lives else f"no worker of this machine was heard of for {silent_s:.0f} s"
