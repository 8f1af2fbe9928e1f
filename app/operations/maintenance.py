"""Maintenance: bring the schema up to date, encrypt everything anew, and whether a worker of this machine lives.

Each opens the database for itself and nothing else, because it is for when the rest is not yet, or not any more, fit to
be opened.
"""

import asyncio
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

from app.errors import StoreUnavailable
from app.ports import Act, Action, By
from app.store import audit, heartbeats, key_rotation, schema
from app.store.audit_chain import AuditKeys
from app.store.database import Database
from app.store.encryption import Vault
from app.store.key_rotation import RotationResult, RotationStep
from app.timings import of_this_process

_PATIENCE_S = 5.0


async def migrate(database_url: str, ca_bundle: Path | None, tell: Callable[[str], None]) -> None:
    """Bring the database's schema up to date; a newer one is left alone.

    tell    hears what is waited for
    Raises  StoreUnavailable
    """
    from app.store.migrate import migrate as bring_up_to_date  # with alembic, which nobody else need wait for

    async with Database(database_url, ca_bundle=ca_bundle).opened() as database:
        await bring_up_to_date(database, tell)


async def is_behind(database_url: str, ca_bundle: Path | None) -> bool:
    """Say whether the database's schema has to be brought up to date first.

    Raises  StoreUnavailable
    """
    async with Database(database_url, ca_bundle=ca_bundle).opened() as database:
        return await schema.is_behind(database)


async def rotate_keys(
    database_url: str, ca_bundle: Path | None, keys: Sequence[str], by: By, tell: Callable[[RotationStep], None]
) -> RotationResult | None:
    """Encrypt everything anew under the first of these keys, while the service runs; None where the schema is behind.

    tell    hears of every batch
    Raises  StoreUnavailable; what is done by then stays done
    """
    sealing = tuple(key.encode() for key in keys)
    async with Database(database_url, ca_bundle=ca_bundle, audit_keys=AuditKeys.of(sealing)).opened() as database:
        if await schema.is_behind(database):
            return None
        done = await key_rotation.rotate(database, Vault(sealing), tell)
        # the audit is signed with the newest key by that, so the older ones are not needed to vouch for it
        await audit.record(database, Act(by, Action.ROTATE_KEYS, "everything sealed", done.resealed))
        return done


async def worker_lives(database_url: str, ca_bundle: Path | None) -> tuple[bool, str]:
    """Say whether a worker of this machine was heard of lately, and that in words; soon, for a probe.

    What cannot be asked is not known to live: a worker that cannot reach the database does nothing.
    """
    timings = of_this_process()
    try:
        async with (
            asyncio.timeout(_PATIENCE_S),
            Database(database_url, timings, ca_bundle=ca_bundle).opened() as database,
        ):
            lives = bool(await heartbeats.alive(database, socket.gethostname()[:128]))
    except StoreUnavailable as error:
        return False, f"{error}, so no worker of this machine is known to live"
    except TimeoutError:
        return (
            False,
            f"the database did not answer in {_PATIENCE_S:.0f} s, so no worker of this machine is known to live",
        )
    silent_s = timings.alive.total_seconds()
    return lives, "a worker lives" if lives else f"no worker of this machine has reported for {silent_s:.0f} s"
