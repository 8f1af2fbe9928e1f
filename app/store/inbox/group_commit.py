"""The inbox: a delivery is kept once, and its records become due, in one commit that is shared with its neighbours.

Concurrent requests wait beside each other for one writer, which commits whatever waits (group commit): durability per
request, cost per batch. They wait in the event loop, and a thread does nothing but write: whoever comes in one turn of
the loop shares a commit. A request is answered only after the commit that holds it. A group that fails is tried again
request by request, so that one bad row hurts only itself; one that was too much to write in time, half by half. What
waits, and what shares a commit, is limited in number and in bytes. Probes wait for the same writer, and are answered
before the next group: what they find is what a delivery would.
"""

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from app.errors import StoreUnavailable
from app.log import log
from app.ports import Committed, Delivery, RecordEvent
from app.sync.model import Kind, Side

MOST_WAITING, MOST_WAITING_BYTES = 20_000, 64 * 1024 * 1024
BIGGEST_GROUP, BIGGEST_GROUP_BYTES = 500, 8 * 1024 * 1024
_LIGHT_BYTES = 256 * 1024  # so little is written in time, or nothing is
_TRIED_S = 10.0  # for how long a delivery is tried again in a smaller group
_OF_ITSELF_BYTES, _EVENT_BYTES = 512, 256  # about what is written of a delivery beside its body
_NOBODY = "0"  # no vendor gives this id


@dataclass(slots=True)
class Waiting:
    """A request that waits for the commit that holds its delivery."""

    delivery: Delivery
    done: asyncio.Future[None]
    until: float

    @property
    def size_bytes(self) -> int:
        """About how much is written of it."""
        return _OF_ITSELF_BYTES + len(self.delivery.body or "") + len(self.delivery.events) * _EVENT_BYTES


@dataclass(frozen=True, slots=True)
class GroupFailure:
    """Why a group was not written.

    error          what its requests hear
    is_everybodys  it would fail in any group: the database is full, locked or gone
    """

    error: StoreUnavailable
    is_everybodys: bool

    @classmethod
    def of(cls, error: Exception, *, is_everybodys: bool) -> "GroupFailure":
        """Take a driver's error: what is told of it is its kind, as drivers put values into their messages."""
        unavailable = StoreUnavailable(f"the database refused: {type(error).__name__}")
        unavailable.__cause__ = error
        return cls(unavailable, is_everybodys)


class Room:
    """Where requests wait for the writer; it calls `committed` after each commit, with the group."""

    def __init__(self, committed: Committed) -> None:
        self._loop = asyncio.get_running_loop()
        self._committed = committed
        self._waiting: deque[Waiting] = deque()
        self._bytes, self._group_bytes = 0, BIGGEST_GROUP_BYTES
        self._probes: list[asyncio.Future[None]] = []
        self.is_closed = False

    def enter(self, delivery: Delivery) -> asyncio.Future[None]:
        """Let a delivery wait, and give what is done once it is durable.

        Raises  StoreUnavailable when the room is full or closed
        """
        if self.is_closed:
            raise StoreUnavailable("the service is stopping")
        waiting = Waiting(delivery, self._loop.create_future(), self._loop.time() + _TRIED_S)
        size = waiting.size_bytes
        if len(self._waiting) >= MOST_WAITING or (self._bytes and self._bytes + size > MOST_WAITING_BYTES):
            raise StoreUnavailable("too many deliveries wait for the database")
        self._waiting.append(waiting)
        self._bytes += size
        return waiting.done

    def enter_probe(self) -> asyncio.Future[None]:
        """Let a probe wait, and give what is done once the writer has tried what a delivery needs.

        Raises  StoreUnavailable when the room is closed
        """
        if self.is_closed:
            raise StoreUnavailable("the service is stopping")
        probe = self._loop.create_future()
        self._probes.append(probe)
        return probe

    def probes(self) -> list[asyncio.Future[None]]:
        """Take every probe that waits; called by the writer alone."""
        taken, self._probes = self._probes, []
        return taken

    def group(self) -> list[Waiting]:
        """Take everybody who waits, up to the biggest group; called by the writer alone."""
        group: list[Waiting] = []
        room_bytes = self._group_bytes
        while self._waiting and len(group) < BIGGEST_GROUP:
            room_bytes -= self._waiting[0].size_bytes
            if group and room_bytes < 0:
                break
            group.append(self._waiting.popleft())
        return group

    def parts(self, group: list[Waiting], failure: GroupFailure) -> list[list[Waiting]]:
        """Give in which parts a group that failed is tried again; none: it has failed."""
        if len(group) == 1:
            return []
        if isinstance(failure.error.__cause__, TimeoutError) and sum(one.size_bytes for one in group) > _LIGHT_BYTES:
            self._group_bytes = max(self._group_bytes // 2, _LIGHT_BYTES)
            is_late = min(one.until for one in group) < self._loop.time()
            half = len(group) // 2
            return [] if is_late else [group[:half], group[half:]]
        return [] if failure.is_everybodys else [[one] for one in group]

    def __bool__(self) -> bool:
        return bool(self._waiting or self._probes)

    def answer(self, group: Sequence[Waiting], failure: GroupFailure | None) -> None:
        """Wake a group."""
        self._bytes -= sum(one.size_bytes for one in group)
        if failure is None:
            self._group_bytes = min(self._group_bytes * 2, BIGGEST_GROUP_BYTES)
            # in a turn of its own: whatever becomes of it, the writer goes on
            self._loop.call_soon(self._committed, [one.delivery for one in group])
        else:
            log.warning("group.not_kept", error=type(failure.error.__cause__).__name__, deliveries=len(group))
        self.wake([one.done for one in group], failure)

    def wake(self, waiting: Sequence[asyncio.Future[None]], failure: GroupFailure | None) -> None:
        """Wake whoever waits and has not gone away meanwhile."""
        for one in waiting:
            if one.done():
                continue
            if failure is None:
                one.set_result(None)
            else:
                one.set_exception(failure.error)


class GroupCommit(ABC):
    """An inbox and its one writer: see `Inbox`. Each database writes in its own way."""

    def __init__(self, committed: Committed) -> None:
        self._room = Room(committed)
        self._bell = asyncio.Event()
        self._task = asyncio.create_task(self._write(), name="inbox")

    async def keep(self, delivery: Delivery) -> None:
        """See `Inbox.keep`."""
        done = self._room.enter(delivery)
        self._bell.set()
        await done

    async def probe(self) -> None:
        """See `Inbox.probe`."""
        done = self._room.enter_probe()
        self._bell.set()
        await done

    async def close(self) -> None:
        """See `Inbox.close`."""
        self._room.is_closed = True
        self._bell.set()
        await self._task

    @abstractmethod
    async def _failure(self, deliveries: Sequence[Delivery], *, keeps: bool) -> GroupFailure | None:
        """Write deliveries in one transaction, and give why that failed.

        keeps  whether they stay; else all of it is rolled back
        """

    @abstractmethod
    async def _let_go(self) -> None:
        """Close what was opened to write."""

    async def _write(self) -> None:
        while self._room or not self._room.is_closed:
            await self._bell.wait()
            self._bell.clear()
            while self._room:
                if probes := self._room.probes():
                    self._room.wake(probes, await self._failure([probe_delivery()], keeps=False))
                if group := self._room.group():
                    await self._settle(group)
        await self._let_go()

    async def _settle(self, group: list[Waiting]) -> None:
        failure = await self._failure([one.delivery for one in group], keeps=True)
        parts = failure and self._room.parts(group, failure)
        if not parts:
            self._room.answer(group, failure)
            return
        for part in parts:
            await self._settle(part)


def probe_delivery() -> Delivery:
    """Give a delivery that writes to everything a delivery writes to; it is always rolled back."""
    events = tuple(RecordEvent(side, Kind.PATIENT, _NOBODY) for side in Side)
    return Delivery(Side.DRCHRONO, "PROBE", None, "probe", "", "skipped", events)
