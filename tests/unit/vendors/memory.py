"""A token store in memory, as the broker's protocol asks for, and a token endpoint that counts who asks."""

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta

from app.errors import LeaseLost, StoreUnavailable
from app.ports import StoredToken
from app.vendors.token_broker import Broker, Policy


@dataclass(frozen=True, eq=False)
class Lease:
    version: int
    follows_cut_off: bool


class Memory:
    """A token store as the protocol asks for: shared by all brokers, one lease at a time.

    is_asked  the trace of an asking that has not ended
    away      how many of the next saves fail because the database is away
    door      nothing is saved before it opens
    """

    def __init__(self, row=None, *, is_asked=False, away=0, door=None):
        self.row, self.is_asked, self.away, self.door = row or StoredToken(), is_asked, away, door
        self.holder, self.has_run_out, self.saved_for = None, False, []

    def run_out(self):
        """Let the lease run out, as the clock would."""
        self.has_run_out = True

    async def read(self):
        return self.row

    async def lease(self, span):
        assert span > timedelta(0)
        if self.holder is not None and not self.has_run_out:
            return None
        self.holder, self.has_run_out, self.is_asked = Lease(self.row.version, self.is_asked), False, True
        return self.holder

    async def save(self, lease, version, token, refresh_in, lives, *, is_doubted=False):
        if self.door is not None:
            await self.door.wait()
        if self.away:
            self.away -= 1
            raise StoreUnavailable("the database is away")
        if version != self.row.version:
            raise LeaseLost("another token has followed that version")
        self.saved_for.append((refresh_in, lives))
        since, code = (self.row.refused_for_s, self.row.refused_code) if is_doubted else (None, None)
        self._ended(lease, StoredToken(token, version + 1, refused_for_s=since, refused_code=code, age_s=0.0))
        return self.row

    async def refuse(self, lease, code, again_in=None):
        self._must_be_held_by(lease)
        if lease.version != self.row.version:
            raise LeaseLost("a token has followed the refused one")
        since = self.row.refused_for_s or 0.0 if self.row.refused_code == code else 0.0
        wait_s = again_in.total_seconds() if again_in else 0.0
        self._ended(lease, replace(self.row, refused_for_s=since, refused_code=code, ask_again_in_s=wait_s))

    async def trust(self, version, code):
        if (self.row.version, self.row.refused_code) == (version, code):
            self.row = replace(self.row, refused_for_s=None, refused_code=None, ask_again_in_s=0.0)

    def ages(self, seconds):
        """Let time pass."""
        row = self.row
        since = None if row.refused_for_s is None else row.refused_for_s + seconds
        left, age = max(row.ask_again_in_s - seconds, 0.0), (row.age_s or 0.0) + seconds
        self.row = replace(row, refused_for_s=since, ask_again_in_s=left, age_s=age)

    async def release(self, lease, ask_again_in=None, *, is_answered=True):
        self._must_be_held_by(lease)
        wait = {} if ask_again_in is None else {"ask_again_in_s": ask_again_in.total_seconds()}
        self._ended(lease, replace(self.row, **wait), is_asked=not is_answered)

    async def forget(self, lease):
        self._must_be_held_by(lease)
        self._ended(lease, StoredToken(version=self.row.version + 1))

    def _must_be_held_by(self, lease):
        if lease is not self.holder:
            raise LeaseLost("another process has it")

    def _ended(self, lease, row, *, is_asked=False):
        self.row, self.is_asked = row, is_asked
        if lease is self.holder:
            self.holder = None


class Vendor:
    """A token endpoint: gives token after token, or raises what it is told to; not before its door opens."""

    def __init__(self, error=None, door=None, **beside):
        self.asked, self.error, self.door, self.beside = [], error, door, beside

    async def __call__(self, stored):
        self.asked.append(stored)
        number = len(self.asked)
        await asyncio.sleep(0)
        if self.door is not None:
            await self.door.wait()
        if self.error is not None:
            raise self.error
        return {"access_token": f"token {number}", **self.beside}


def stored(value="stored", version=3, **differences):
    return StoredToken({"access_token": value, "refresh_token": "r"}, version, **differences)


def a_broker(store, vendor, *, is_final=True, told=None, **policy):
    """A broker as a process of its own would have one; `told` collects what it tells."""
    told = [] if told is None else told
    return Broker("drchrono", store, vendor, Policy(is_final, **policy), lambda line, **_rest: told.append(line))


async def until(is_so):
    """Let the others run until something is so."""
    async with asyncio.timeout(5):
        while not is_so():  # noqa: ASYNC110 - whatever the others do, not one event
            await asyncio.sleep(0)
