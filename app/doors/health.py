"""What each part of the service is doing, since when, and what to do about it. No vendor is called for a probe."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic

from sqlalchemy.ext.asyncio import AsyncConnection

from app.doors.feeds import said
from app.errors import StoreUnavailable, Undecryptable
from app.joining import connect_url
from app.log import log
from app.runtime import Runtime
from app.store import darkness, feeds, heartbeat, queue_state
from app.store.connections import Connections, Stored
from app.store.darkness import Dark, Of
from app.store.schema import is_behind
from app.sync.records import Lane, Side
from app.sync.silence import Feed
from app.vendors.tokens import CUT_OFF

EVERY_S = 5.0
_SLOW_S = 4.0
_OLD_BACKLOG_S = 60.0
_REPAIRED = "what the vendors have given up on meanwhile is found by comparing, now"


@dataclass(slots=True)
class Part:
    """The state of one part: ok, degraded, down or not_connected."""

    state: str
    advice: str | None
    since: datetime


async def _told(part: Awaitable[tuple[str, str | None]]) -> tuple[str, str | None]:
    """Give what a part says of itself, or that it cannot be known now."""
    try:
        return await part
    except StoreUnavailable:
        return "down", "unknown while the database is away"


class Health:
    """Looks at every part every five seconds, so that a probe costs nothing and cannot be used to hurt."""

    def __init__(self, run: Runtime) -> None:
        self._run = run
        self._parts: dict[str, Part] = {}
        self._looked_at = 0.0

    @property
    def is_ready(self) -> bool:
        """Whether deliveries can be accepted: the database can be written and has its schema."""
        part = self._parts.get("database")
        return part is not None and part.state == "ok" and monotonic() - self._looked_at < EVERY_S * 4

    @property
    def status(self) -> str:
        """Whether deliveries are accepted and everything is well: ok, degraded or down."""
        if not self.is_ready:
            return "down"
        return "degraded" if {part.state for part in self._parts.values()} - {"ok"} else "ok"

    def report(self) -> dict[str, object]:
        """Give every part with its state, since when, its age and advice."""
        now = datetime.now(UTC)
        return {
            "status": self.status,
            "parts": {
                name: {
                    "state": part.state,
                    "since": part.since.isoformat(timespec="seconds"),
                    "age_s": round((now - part.since).total_seconds(), 1),
                    "advice": part.advice,
                }
                for name, part in self._parts.items()
            },
        }

    async def watch(self) -> None:
        """Keep looking, for ever."""
        while True:
            await self.look()
            await asyncio.sleep(EVERY_S)

    async def look(self) -> None:
        """Look at every part once."""
        found, begun = {"database": await self._database()}, dict[str, datetime]()
        found["redis"] = await self._redis()
        if found["database"][0] == "ok":
            for name, part in (("workers", self._workers), ("backlog", self._backlog), ("lanes", self._lanes)):
                found[name] = await _told(part())
        for side in Side:
            found[side.value] = await _told(self.side(side))
        for side in self._run.settings.connected if found["database"][0] == "ok" else ():
            found[f"{side}_feed"] = await _told(self._feed(side, begun))
        now = datetime.now(UTC)
        for name, (state, advice) in found.items():
            before = self._parts.get(name)
            since = before.since if before is not None and before.state == state else begun.get(name, now)
            self._parts[name] = Part(state, advice, since)
        for name in set(self._parts) - set(found):
            self._parts[name].state, self._parts[name].advice = "down", "unknown while the database is away"
        self._looked_at = monotonic()

    async def _database(self) -> tuple[str, str | None]:
        """Look at the database by writing to it that the door is open."""
        dark: Dark | None = None

        async def write(connection: AsyncConnection) -> None:
            nonlocal dark
            # it writes a row each time: what changes no row writes nothing, and a full disk would go unseen
            dark = await darkness.sign(connection, Of.DOOR)

        try:
            async with asyncio.timeout(_SLOW_S):
                if await is_behind(self._run.database):
                    return "down", "run `chronobridge migrate`"
                await self._run.database.transact(write)
        except (StoreUnavailable, TimeoutError):
            return "down", "the database cannot be written: check that it runs, its disk and DATABASE_URL"
        if dark is not None:
            log.warning("door.was_closed", lag_s=round((dark.until - dark.since).total_seconds()), advice=_REPAIRED)
        return "ok", None

    async def _redis(self) -> tuple[str, str | None]:
        if self._run.settings.redis_url is None:
            return "degraded", "REDIS_URL is empty: changes are found by the sweep, every 2 s"
        if await self._run.bell.is_up():
            return "ok", None
        return "degraded", "Redis does not answer: nothing is lost, changes are found by the sweep, every 2 s"

    async def _workers(self) -> tuple[str, str | None]:
        if await heartbeat.alive(self._run.database):
            return "ok", None
        return "down", "no worker has been heard of for 15 s: start `chronobridge work`"

    async def _backlog(self) -> tuple[str, str | None]:
        oldest = max((one.oldest_s for one in await queue_state.due_counts(self._run.database)), default=0.0)
        if oldest > _OLD_BACKLOG_S:
            return "degraded", f"the oldest change has been due for {oldest:.0f} s: look at workers and failures"
        return "ok", None

    async def _lanes(self) -> tuple[str, str | None]:
        paused = [one["lane"] for one in await queue_state.lane_states(self._run.database) if one["paused"]]
        if paused:
            return "degraded", f"paused: {', '.join(paused)}; POST /api/v1/lanes/all/resume when that is right"
        return "ok", None

    async def _feed(self, side: Side, begun: dict[str, datetime]) -> tuple[str, str | None]:
        """Look at a side's feed; `begun`: since when a part is as it is, where that is known better than by looking."""
        feed = (await feeds.read(self._run.database)).get(side, Feed(side))
        is_paused = await queue_state.is_paused(self._run.database, Lane.COMPARE)
        if feed.silent_since is not None:
            begun[f"{side}_feed"] = feed.silent_since
        return said(feed, self._run.settings, is_paused=is_paused)

    async def side(self, side: Side) -> tuple[str, str | None]:
        """Look at one side's connection now: its state, and advice.

        Raises  StoreUnavailable
        """
        if side not in self._run.settings.connected:
            return "not_connected", f"set the {side.value.upper()}_… settings; its deliveries are kept meanwhile"
        try:
            stored = await Connections(self._run.database, self._run.vault, side).read()
        except Undecryptable:
            return "down", "its token was sealed with a key that ENCRYPTION_KEYS lacks; put that key at the end"
        if side is Side.SALESFORCE:
            return _salesforce(stored)
        return _drchrono(stored, connect_url(self._run.settings))


def _salesforce(stored: Stored) -> tuple[str, str | None]:
    if stored.refused_code is None:
        return "ok", None
    return (
        "down",
        f"Salesforce refused our credential ({stored.refused_code}): `chronobridge check` says what to change",
    )


def _drchrono(stored: Stored, address: str) -> tuple[str, str | None]:
    if stored.refused_code == CUT_OFF:
        lost = "a token refresh was cut off, and DrChrono's answer was lost with it"
        return "down", f"{lost}: connect the practice anew at {address}"
    if stored.token is None:
        return "not_connected", f"nobody has connected the practice: open {address}"
    if stored.refused_code == "invalid_client":
        wrong = "DrChrono refused the application: correct DRCHRONO_CLIENT_ID and DRCHRONO_CLIENT_SECRET"
        return "down", f"{wrong}, then connect the practice anew at {address}"
    if stored.refused_code is not None:
        return "down", f"DrChrono refused our tokens ({stored.refused_code}): connect the practice anew at {address}"
    if stored.is_cut_off:
        return "degraded", "a token refresh was cut off; the stored token is tried once more before the next call"
    return "ok", None
