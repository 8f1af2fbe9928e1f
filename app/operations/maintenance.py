"""Maintenance: does a worker of this machine live? For a probe beside it, which must end soon either way."""

import asyncio
import socket

from app.errors import StoreUnavailable
from app.settings.fields import Settings
from app.store import heartbeats
from app.store.database import Database

_PATIENCE_S = 5.0


async def worker_lives(settings: Settings) -> tuple[bool, str]:
    """Say whether a worker of this machine was heard of in the last 15 s, and that in words.

    What cannot be asked is not known to live: a worker that cannot reach the database does nothing.
    """
    try:
        async with asyncio.timeout(_PATIENCE_S), Database(settings.database_url).opened() as database:
            lives = bool(await heartbeats.alive(database, socket.gethostname()[:128]))
    except StoreUnavailable as error:
        return False, f"{error}, so no worker of this machine was heard of"
    except TimeoutError:
        return False, f"the database did not answer in {_PATIENCE_S:.0f} s, so no worker of this machine was heard of"
    return lives, "a worker lives" if lives else "no worker of this machine was heard of for 15 s"
