"""Sealing anew: everything in the database comes under the newest key and is bound to its row, while the service runs.

Each table is walked by its key, a batch at a time. A text that the newest key does not open, or that an older version
bound to no row, is sealed anew and put back only where it is still what was read, so a value saved meanwhile (a token
just refreshed) is never replaced by an older one. The walk is repeated until one finds nothing left to do: that covers
what changed under us, and what a process that still seals with an older key wrote behind us. What is done stays done; a
run that was cut off is run again.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from app.errors import Displaced, Undecryptable
from app.ports import SealedColumn
from app.store.database import Database
from app.store.encryption import Vault
from app.store.tables import conflicts, connections, deliveries, failures, journal

BATCH = 500
_BATCH_CHARACTERS = 8 * 2**20  # a body may have a MiB and more: a batch ends earlier rather than fill the memory
_WALKS = 4
_NAMED = 10


@dataclass(frozen=True, slots=True)
class Place:
    """A column of sealed text, and the primary key its table is walked by."""

    key: sa.Column[str]
    sealed: sa.Column[str]

    @property
    def column(self) -> SealedColumn:
        """What its sealed texts are bound to, beside their row's key."""
        return SealedColumn(str(self))

    def __str__(self) -> str:
        return f"{self.sealed.table.name}.{self.sealed.name}"


PLACES = (
    Place(deliveries.c.id, deliveries.c.body),
    Place(journal.c.id, journal.c.replaced),
    Place(journal.c.id, journal.c.sent),
    Place(conflicts.c.id, conflicts.c.kept),
    Place(failures.c.link_id, failures.c.message),
    Place(failures.c.link_id, failures.c.note),
    Place(connections.c.side, connections.c.token),
    Place(connections.c.side, connections.c.pending),
)


@dataclass(frozen=True, slots=True)
class RotationBatch:
    """Rows as read. `fresh`: key -> (what is there, the same sealed anew), where the newest key does not open it."""

    last: str
    rows: int
    fresh: dict[str, tuple[str, str]]
    unopenable: int
    displaced: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RotationStep:
    """How far a walk has come in one place."""

    walk: int
    place: Place
    rows: int
    of: int

    def __str__(self) -> str:
        return str(self.place) if self.walk == 1 else f"{self.place}, once more"


@dataclass(frozen=True, slots=True)
class RotationResult:
    """What a run did.

    left        rows that were still being written under an older key when it gave up
    unopenable  texts whose key is not configured
    displaced   the places of texts that were changed, or were moved there from another row
    """

    resealed: int
    left: int
    unopenable: int
    displaced: tuple[str, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether the newest key alone opens everything."""
        return not self.left and not self.unopenable and not self.displaced

    @property
    def verdict(self) -> str:
        """What is to be done now."""
        again = "and run this again"
        if self.unopenable:
            return f"{self.unopenable:,} are encrypted with a key that ENCRYPTION_KEYS lacks: put it at the end {again}"
        if self.left:
            return (
                f"{self.left:,} came under an older key meanwhile: restart serve and work with the newest first {again}"
            )
        if self.displaced:
            return (
                f"{len(self.displaced):,} were changed, or moved there from another row, and open with no key: "
                f"{', '.join(self.displaced[:_NAMED])}; restore these from a backup {again}"
            )
        return (
            "the newest key opens everything: the older keys can now be removed\n"
            "(if serve and work began before the newest was put in front, restart them and run this again first)"
        )


async def rotate(
    database: Database, vault: Vault, say: Callable[[RotationStep], None] = lambda _: None
) -> RotationResult:
    """Bring everything under the newest key; `say` hears of every batch.

    Raises  StoreUnavailable when the database fails; what is done by then stays done
    """
    resealed = left = unopenable = 0
    displaced: tuple[str, ...] = ()
    for walk in range(1, _WALKS + 1):
        left, unopenable, displaced = 0, 0, ()
        for place in PLACES:
            rows, of, after = 0, await _count(database, place), ""
            say(RotationStep(walk, place, rows, of))
            while batch := await look(database, vault, place, after):
                resealed += await swap(database, place, batch.fresh)
                left, unopenable = left + len(batch.fresh), unopenable + batch.unopenable
                displaced += batch.displaced
                rows, after = rows + batch.rows, batch.last
                say(RotationStep(walk, place, rows, max(rows, of)))
        if not left:
            break
    return RotationResult(resealed, left, unopenable, displaced)


async def unopenable_count(database: Database, vault: Vault, limit: int) -> int:
    """Give how many cannot be opened of what is sealed: the newest and the oldest of every place, `limit` of each."""
    closed = 0
    for place in PLACES:
        there = (
            sa.select(place.key.label("key"), place.sealed.label("sealed"))
            .where(place.sealed.is_not(None))
            .limit(limit)
        )
        for order in (place.key.asc(), place.key.desc()):
            for row in await database.read(there.order_by(order)):
                try:
                    vault.open_bytes(row.sealed, place.column.of(row.key))
                except Undecryptable:
                    closed += 1
    return closed


async def look(database: Database, vault: Vault, place: Place, after: str) -> RotationBatch | None:
    """Give the rows that follow a key, a batch of them; None when there are none."""
    there = sa.and_(place.key > after, place.sealed.is_not(None))
    key, sealed = place.key.label("key"), place.sealed.label("sealed")
    sizes = sa.select(key, sa.func.length(place.sealed).label("size")).where(there).order_by(place.key).limit(BATCH)
    last, characters = "", 0
    for row in await database.read(sizes):
        characters += row.size
        if last and characters > _BATCH_CHARACTERS:
            break
        last = row.key
    if not last:
        return None
    found = await database.read(sa.select(key, sealed).where(there, place.key <= last).order_by(place.key))
    fresh, unopenable, displaced = {}, 0, list[str]()
    for row in found:
        at = place.column.of(row.key)
        try:
            if not vault.is_current(row.sealed, at):
                fresh[row.key] = (row.sealed, vault.reseal(row.sealed, at))
        except Displaced:
            displaced.append(at)
        except Undecryptable:
            unopenable += 1
    return RotationBatch(last, len(found), fresh, unopenable, tuple(displaced))


async def swap(database: Database, place: Place, fresh: Mapping[str, tuple[str, str]]) -> int:
    """Put rows back in one commit where they still are what was read; give how many were."""
    still = sa.and_(place.key == sa.bindparam("p_at"), place.sealed == sa.bindparam("p_was"))
    put = sa.update(place.key.table).where(still).values({place.sealed: sa.bindparam("p_anew")})

    async def work(connection: AsyncConnection) -> int:
        done = 0
        for key, (was, anew) in fresh.items():
            done += (await connection.execute(put, {"p_at": key, "p_was": was, "p_anew": anew})).rowcount
        return done

    return await database.transact(work) if fresh else 0


async def _count(database: Database, place: Place) -> int:
    counted = sa.select(sa.func.count()).select_from(place.key.table).where(place.sealed.is_not(None))
    return int((await database.read(counted))[0][0])
