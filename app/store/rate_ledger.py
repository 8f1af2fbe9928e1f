"""The ledger of the rate limit: what an application has called, for all processes, by hour and lane, and this second.

A call is counted before it is made, by the database's clock. What did not fit was promised a minute to come in; once
that minute has passed, the promise is over, kept or not. Also kept here: until when a vendor is to be left alone, and
what it last said of its own allowance. Hours of two days ago are forgotten.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from app.ports import Admit, Ledger
from app.store import fence
from app.store.clock import db_now, instant
from app.store.database import Database, DialectInsert, Insert, among
from app.store.tables import allowances, lane_calls, promises
from app.sync.model import Lane

_HOUR_S, _MINUTE_S, _KEPT_HOURS = 3600, 60, 48
_MINUTE_MS = sa.literal_column(str(_MINUTE_S * 1000), sa.BigInteger)
_HOUR_MS = sa.literal_column(str(_HOUR_S * 1000), sa.BigInteger)
_LONGEST = 64
_REFUSES_S = 3600.0  # so long after the last refusal nobody knows any more


def _one_more_call(insert: Insert) -> sa.Executable:
    more = {"made": lane_calls.c.made + 1}
    made = insert.values(made=1).on_conflict_do_update(index_elements=[*lane_calls.primary_key], set_=more)
    return made.returning(lane_calls.c.made)


def _one_more_promise(insert: Insert) -> sa.Executable:
    more = {"calls": promises.c.calls + 1}
    return insert.values(calls=1).on_conflict_do_update(index_elements=[*promises.primary_key], set_=more)


_BEGUN = DialectInsert(
    allowances, lambda insert: insert.values(second=0, in_second=0, failures=0).on_conflict_do_nothing()
)
_ADD_ONE, _PROMISE_ONE = DialectInsert(lane_calls, _one_more_call), DialectInsert(promises, _one_more_promise)
_LOCKED = sa.select(allowances.c.name).where(allowances.c.name == sa.bindparam("p_name")).with_for_update()
_OURS = sa.update(allowances).where(allowances.c.name == sa.bindparam("p_name"))
_SECOND = _OURS.values(second=sa.bindparam("p_second"), in_second=sa.bindparam("p_in_second"))


def _asked() -> sa.Select[Any]:
    """Ask how things stand: one row for every hour of late in which there were calls, one at least."""
    name: sa.BindParameter[str] = sa.bindparam("p_name")
    now_ms = sa.type_coerce(db_now(), sa.BigInteger)
    ours = (lane_calls.c.application == name, lane_calls.c.hour >= now_ms // _HOUR_MS - 1)
    made = sa.select(lane_calls.c.hour, sa.func.sum(lane_calls.c.made).label("made")).where(*ours)
    by_hour = made.group_by(lane_calls.c.hour).subquery("by_hour")
    here = sa.select(db_now().label("now")).subquery("here")
    beside = here.outerjoin(allowances, allowances.c.name == name).outerjoin(by_hour, sa.true())
    return sa.select(here.c.now, allowances, by_hour.c.hour, by_hour.c.made).select_from(beside)


def _promised() -> sa.Select[Any]:
    """Ask for hour -> calls still to come in it, of the lanes that are named."""
    hour = (promises.c.minute // sa.literal_column("60", sa.BigInteger)).label("hour")
    asked = sa.select(hour, sa.func.sum(promises.c.calls).label("calls")).group_by(hour)
    of = (promises.c.application == sa.bindparam("p_name"), promises.c.lane.in_(among("p_lanes")))
    return asked.where(*of, promises.c.minute > sa.type_coerce(db_now(), sa.BigInteger) // _MINUTE_MS)


_ASKED, _PROMISED = _asked(), _promised()


class RateLedger:
    """The calls of one application."""

    def __init__(self, database: Database, application: str) -> None:
        self._database, self._name = database, application[:_LONGEST]
        self._told = {"p_name": self._name}

    async def read(self) -> Ledger:
        """Give what was called by now."""
        return _ledger(await self._database.read(_ASKED, self._told))

    async def count(self, lane: Lane, admit: Admit) -> tuple[Ledger, bool]:
        """Count a call that is about to be made, if it is admitted; gives how things stood before, and whether it was.

        admit  from how things stand, the hours it counts in, none where it may not be made; what has gone of this
               second then; and for how many seconds nobody else may call
        Raises  OtherInstance
        """

        async def work(connection: AsyncConnection) -> tuple[Ledger, bool]:
            await fence.require(connection, self._database)
            ledger = await self._held(connection)
            hours, in_second, alone_s = admit(ledger)
            if not hours:
                return ledger, False
            await self._add(connection, lane, hours)
            second = {"p_second": int(ledger.at), "p_in_second": in_second}
            await connection.execute(_SECOND, {**self._told, **second})
            if alone_s:
                await self._set(connection, closed_until=instant(ledger.at + alone_s))
            return ledger, True

        return await self._database.transact(work)

    async def promise(self, lane: Lane, urgent: Sequence[Lane], fits_at: Callable[[Mapping[int, int]], float]) -> float:
        """Promise a call of a lane a moment, remember that, and give it.

        fits_at  the moment, from hour -> how many calls of the urgent lanes are still to come in it
        """

        async def work(connection: AsyncConnection) -> float:
            await self._held(connection)
            at = fits_at(_by_hour((await connection.execute(_PROMISED, self._lanes(urgent))).all()))
            one = {"application": self._name, "lane": lane.value, "minute": int(at // _MINUTE_S)}
            await connection.execute(_PROMISE_ONE.on(connection), one)
            return at

        return await self._database.transact(work)

    async def promised(self, lanes: Sequence[Lane]) -> dict[int, int]:
        """Give hour -> how many calls of these lanes are still to come in it, from the next minute on."""
        return _by_hour(await self._database.read(_PROMISED, self._lanes(lanes)))

    def _lanes(self, lanes: Sequence[Lane]) -> dict[str, Any]:
        return {**self._told, "p_lanes": [lane.value for lane in lanes]}

    async def failed(self, closed_s: Callable[[int], float]) -> None:
        """Count a failure more in a row, and leave the vendor alone for as long as it asks for.

        Not while the vendor is left alone at its own word: that call was made before it.
        """

        async def work(connection: AsyncConnection) -> None:
            ledger = await self._held(connection)
            if ledger.closed_until > ledger.at and not ledger.failures:
                return
            failures = ledger.failures + 1
            until = max(ledger.at + closed_s(failures), ledger.closed_until) if closed_s(failures) else 0.0
            closed = {"closed_until": instant(until)} if until else {}
            await self._set(connection, failures=failures, **closed)

        await self._database.transact(work)

    async def recovered(self) -> None:
        """Forget the failures: the vendor has answered. What it has asked for itself stays."""
        await self._say(allowances.c.failures > 0, failures=0, closed_until=None)

    async def throttled(self, wait_s: float, *, is_spent: bool = True) -> None:
        """Leave the vendor alone for so long at least, because it said so; it is not out.

        is_spent  because its allowance is, and not only because it is busy
        """

        async def work(connection: AsyncConnection) -> None:
            ledger = await self._held(connection)
            until = instant(max(ledger.at + wait_s, ledger.closed_until))
            at = {"throttled_at": db_now()} if is_spent else {}
            await self._set(connection, failures=0, closed_until=until, **at)

        await self._database.transact(work)

    async def told(self, used: int, most: int) -> None:
        """Keep what the vendor says of its own allowance."""
        await self._say(used=used, most=most, told_at=db_now())

    async def refuses(self, cause: str, /) -> float:
        """Keep that the vendor refuses whatever it is sent, and give for how many seconds it has by now.

        Where it last did long ago, it has taken something meanwhile that we did not send.
        """

        async def work(connection: AsyncConnection) -> float:
            ledger = await self._held(connection)
            goes_on = ledger.refuses == cause and ledger.at - ledger.refused_at < _REFUSES_S
            since = ledger.refuses_since if goes_on else ledger.at
            told = {"refuses": cause[:_LONGEST], "refuses_since": instant(since), "refused_at": db_now()}
            await self._set(connection, **told)
            return max(ledger.at - since, 0.0)

        return await self._database.transact(work)

    async def takes_again(self) -> None:
        """Forget that the vendor refuses whatever it is sent."""
        await self._say(allowances.c.refuses.is_not(None), refuses=None, refuses_since=None, refused_at=None)

    async def by_lane(self, hours_ago: int = 0) -> dict[Lane, int]:
        """Give the calls of this hour by lane, or of an earlier one."""
        hour = sa.type_coerce(db_now(), sa.BigInteger) // _HOUR_MS - hours_ago
        of = (lane_calls.c.application == self._name, lane_calls.c.hour == hour)
        made = sa.select(lane_calls.c.lane, lane_calls.c.made).where(*of)
        return {Lane(row.lane): row.made for row in await self._database.read(made)}

    async def _say(self, *where: sa.ColumnElement[bool], **what: Any) -> None:
        async def work(connection: AsyncConnection) -> None:
            await self._held(connection)
            await self._set(connection, *where, **what)

        await self._database.transact(work)

    async def _set(self, connection: AsyncConnection, *where: sa.ColumnElement[bool], **what: Any) -> None:
        await connection.execute(_OURS.where(*where).values(**what), self._told)

    async def _held(self, connection: AsyncConnection) -> Ledger:
        """Have everybody else who counts for the application wait for this transaction; gives how things stand."""
        begun = _BEGUN.on(connection)
        if not self._database.is_sqlite and await connection.scalar(_LOCKED, self._told) is None:
            await connection.execute(begun, {"name": self._name})
            await connection.execute(_LOCKED, self._told)
        rows = (await connection.execute(_ASKED, self._told)).all()
        if rows[0].name is None:
            await connection.execute(begun, {"name": self._name})
        return _ledger(rows)

    async def _add(self, connection: AsyncConnection, lane: Lane, hours: Sequence[int]) -> None:
        for hour in sorted(hours):
            one = {"application": self._name, "lane": lane.value, "hour": hour}
            if await connection.scalar(_ADD_ONE.on(connection), one) == 1:
                await _forget(connection, hour)


def _by_hour(rows: Sequence[sa.Row[Any]]) -> dict[int, int]:
    return {int(row.hour): int(row.calls) for row in rows}


def _ledger(rows: Sequence[sa.Row[Any]]) -> Ledger:
    row = rows[0]
    at = row.now.timestamp()
    made = {one.hour: int(one.made) for one in rows if one.hour is not None}
    if row.name is None:
        return Ledger(at, made)
    return Ledger(
        at,
        made,
        row.in_second if row.second == int(at) else 0,
        _seconds(row.closed_until),
        row.failures,
        _seconds(row.throttled_at),
        row.used or 0,
        row.most or 0,
        _seconds(row.told_at),
        row.refuses or "",
        _seconds(row.refuses_since),
        _seconds(row.refused_at),
    )


_OLD_CALLS = sa.delete(lane_calls).where(lane_calls.c.hour < sa.bindparam("p_hour"))
_OLD_PROMISES = sa.delete(promises).where(promises.c.minute < sa.bindparam("p_minute"))


async def _forget(connection: AsyncConnection, hour: int) -> None:
    await connection.execute(_OLD_CALLS, {"p_hour": hour - _KEPT_HOURS})
    await connection.execute(_OLD_PROMISES, {"p_minute": (hour - _KEPT_HOURS) * 60})


def _seconds(at: datetime | None) -> float:
    return at.timestamp() if at is not None else 0.0
